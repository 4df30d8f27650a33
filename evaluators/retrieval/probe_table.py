"""Probes and text fields as tables a person reads, with what is required and whether it is met."""

from collections.abc import Mapping

from evaluators.retrieval.card import EvaluatorCard, FieldScores, Kind, NetworkReport, ProbeScores
from evaluators.retrieval.probes import ALL, AUDIO_PROBES, TEXT_PROBES, Requirement

_WIDEST = 60
"""Characters of the last column."""
_DIGITS = 4
"""Of distances in cards."""


def requirements(kind: Kind) -> dict[str, Requirement]:
    """What is required of probes in the evaluators of the embedded benchmark, by probe."""
    probes = TEXT_PROBES if kind == "text" else AUDIO_PROBES
    return {probe.name: probe.required for probe in probes if probe.required is not None}


def missed(kind: Kind, probes: Mapping[str, ProbeScores]) -> tuple[str, ...]:
    """Names of the probes that are not as required; one that was not taken or concerns no clip is missed."""
    losses = {name: scores.loss for name, scores in probes.items()}
    growths = {name: round(scores.distance_after - scores.distance_truth, _DIGITS) for name, scores in probes.items()}
    return tuple(
        name
        for name, required in requirements(kind).items()
        if (loss := losses.get(name)) is None or not required.met(loss, losses, growths[name])
    )


def probe_table(kind: Kind, probes: Mapping[str, ProbeScores], *, marked: bool) -> str:
    """What each alteration costs.

    Args:
        kind: Which network.
        probes: Measured.
        marked: Whether to show what is required and whether it is met.
    """
    required, failed = (requirements(kind), missed(kind, probes)) if marked else ({}, ())
    rows = []
    for name, scores in probes.items():
        row = [_words(name), str(scores.n), _number(scores.truth), _number(scores.after), _number(scores.loss)]
        if marked:
            row += [str(required.get(name, "")), ("NO" if name in failed else "yes") if name in required else ""]
        distances = f"{scores.distance_truth:.3g} > {scores.distance_after:.3g}"
        rows.append([*row, _number(scores.all_after), distances, _what(scores)])
    headers = [f"{kind} probe", "clips", "R@1", "after", "loss"] + (["required", "met"] if marked else [])
    return _table(rows, [*headers, "all after", "distance", "what"])


def field_table(report: NetworkReport) -> str:
    """R@1 of a text network with each field left out and with each alone."""
    rows = [_field_row(name, scores, report) for name, scores in report.fields.items()]
    return _table(rows, ["text field", "R@1 without", "loss", "R@1 alone"])


def _field_row(name: str, scores: FieldScores, report: NetworkReport) -> list[str]:
    whole = report.scores.r_precision_1
    loss = None if whole is None or scores.without is None else whole - scores.without
    return [_words(name), _number(scores.without), _number(loss), _number(scores.alone)]


def report_text(kind: Kind, report: NetworkReport, *, marked: bool) -> str:
    """Everything measured of one network."""
    scores = report.scores
    lines = [
        f"{kind}-motion: {scores.n} clips, R@1 {_number(scores.r_precision_1)}, R@3 {_number(scores.r_precision_3)}, "
        f"among all R@1 {_number(scores.full_r_precision_1)}, median rank {scores.median_rank:g}"
    ]
    if report.probes:
        lines += ["", probe_table(kind, report.probes, marked=marked)]
    if report.fields:
        lines += ["", field_table(report)]
    if floor := report.fid_floor:
        lines += ["", f"FID between halves of the truth ({floor.n} clips each): {floor.value:.4g}; "
                  f"at the size of the split about {floor.at_split_size:.4g}"]  # fmt: skip
    return "\n".join(lines)


def card_scores(card: EvaluatorCard) -> str:
    """Retrieval scores of a set's networks by split."""
    rows = []
    for kind, network in card.networks.items():
        for split, scores in network.scores.items():
            numbers = [scores.r_precision_1, scores.r_precision_2, scores.r_precision_3, scores.full_r_precision_1]
            rows.append([kind, split, str(scores.n), *map(_number, numbers), f"{scores.median_rank:g}"])
    return _table(rows, ["network", "split", "clips", "R@1", "R@2", "R@3", "R@1 of all", "median rank"])


def card_probes(card: EvaluatorCard) -> str:
    """What the networks of an embedded track's set see, and whether that is what is required."""
    reports = {kind: network.report() for kind, network in card.networks.items()}
    return "\n\n".join(report_text(kind, report, marked=True) for kind, report in reports.items() if report)


def _what(scores: ProbeScores) -> str:
    return scores.what if scores.concerned == ALL else f"{scores.what}; {scores.concerned}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(rows: list[list[str]], headers: list[str]) -> str:
    from tabulate import tabulate

    widths = [*[None] * (len(headers) - 1), _WIDEST]
    return str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True, maxcolwidths=widths))
