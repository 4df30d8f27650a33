"""Results as a table a person reads: one a track, the truth on top, every number with its interval."""

from collections.abc import Sequence

from evaluators.metrics import METRICS
from evaluators.result import Result, Score

ARROWS = {"higher": "↑", "lower": "↓", "truth": "→"}
SHORT = {
    "text_r_precision_1": "text R@1",
    "text_r_precision_2": "text R@2",
    "text_r_precision_3": "text R@3",
    "text_match": "text match",
    "audio_r_precision_1": "audio R@1",
    "audio_r_precision_2": "audio R@2",
    "audio_r_precision_3": "audio R@3",
    "audio_match": "audio match",
    "fid": "FID",
    "diversity": "diversity",
    "multimodality": "multimodality",
    "lve_mm": "LVE mm",
    "fve_mm": "FVE mm",
}


def results_table(results: Sequence[Result]) -> str:
    """One table for every track among the results, metrics down, submissions across, with notes below.

    Rows whose protocol or encoders differ never share a table.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        encoders = [encoder.sha256 for encoder in result.evaluators.values()]
        key = (result.track.id, result.track.split_sha256, result.protocol.name, result.head.sha256, *encoders)
        groups.setdefault(key, []).append(result)
    return "\n\n".join(_track_table(group) for group in groups.values())


def _track_table(group: Sequence[Result]) -> str:
    from tabulate import tabulate

    first = group[0]
    keys = [key for key in METRICS if key in first.metrics]
    columns = [("truth", first.truth)] + [(result.submission.name, result.metrics) for result in group]
    rows = [[_label(key), *(_cell(scores[key], METRICS[key].decimals) for _, scores in columns)] for key in keys]
    title = f"{first.track.id}, {first.track.split}: {first.track.n_clips} clips, protocol {first.protocol.name}"
    table = tabulate(rows, headers=["", *(name for name, _ in columns)], tablefmt="simple", disable_numparse=True)
    return "\n".join([title, "", str(table), *_notes(group)])


def _label(key: str) -> str:
    return f"{SHORT[key]} {ARROWS[METRICS[key].direction]}"


def _cell(score: Score, decimals: int) -> str:
    if score.value is None:
        return "-"
    text = f"{score.value:.{decimals}f}"
    if score.ci_low is None or score.ci_high is None:
        return text
    return f"{text} [{score.ci_low:.{decimals}f}, {score.ci_high:.{decimals}f}]"


def _notes(group: Sequence[Result]) -> list[str]:
    """What the numbers cannot say: intervals' meaning, refused metrics, warnings; each once."""
    first = group[0]
    method = next((score.ci_method for score in first.metrics.values() if score.ci_method), None)
    notes = [f"[95% interval: {method}]"] if method else []
    floor = next((score.noise_floor for score in first.metrics.values() if score.noise_floor is not None), None)
    if floor is not None:
        notes.append(f"FID noise floor, truth split in halves: {floor:.{METRICS['fid'].decimals}f}")
    refused = dict.fromkeys(
        f"{SHORT[key]}: {score.refused}"
        for result in group
        for key, score in result.metrics.items()
        if score.refused is not None and key != "multimodality"
    )
    notes += [f"refused: {reason}" for reason in refused]
    notes += [f"warning: {text}" for text in dict.fromkeys(text for result in group for text in result.warnings)]
    notes += [f"NOT RANKED {result.submission.name}: {result.why_not}" for result in group if not result.ranked]
    return ["", *notes] if notes else []
