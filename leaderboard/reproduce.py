"""A run of ours beside its frozen reference result: within a written tolerance, or not, metric by metric."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.errors import InputError, Problem
from evaluators.result import Result, Score, read_result
from leaderboard.paper import paper_note, paper_row
from leaderboard.rows import RESULTS, SHORT, number, same_measure, score_text

Strictness = Literal["same weights", "trained anew"]


@dataclass(frozen=True)
class Tolerance:
    """How far a metric may be from the reference."""

    absolute: float
    """In the metric's unit."""
    relative: float
    """As a share of the reference."""
    why: str
    """Where the numbers come from."""


SAME_WEIGHTS: dict[str, Tolerance] = {
    "r_precision": Tolerance(0.005, 0.0, "ranks that turn when embeddings differ by rounding: 3 clips of 640"),
    "match": Tolerance(0.01, 0.002, "distances of embeddings move with rounding only"),
    "fid": Tolerance(0.05, 0.02, "an eigenvalue sum over 256 dimensions adds rounding up"),
    "diversity": Tolerance(0.02, 0.0, "distances of embeddings move with rounding only"),
    "multimodality": Tolerance(0.02, 0.01, "distances of embeddings move with rounding only"),
    "mm": Tolerance(0.01, 0.002, "vertices move with rounding only"),
}
"""The same weights on another machine: what float rounding can do. Sampled models may be off by the half-width of the
reference's own interval where that is wider: one token that falls otherwise, by a rounding of its logits, changes the
rest of its clip, which then is another sample."""

TRAINED_ANEW: dict[str, Tolerance] = {
    "r_precision": Tolerance(0.03, 0.15, "another training moves a rate by a few clips in a hundred"),
    "match": Tolerance(0.1, 0.10, "another training"),
    "fid": Tolerance(2.0, 0.50, "FID is the metric that moves most between trainings, and is noisy at this size"),
    "diversity": Tolerance(0.3, 0.05, "another training"),
    "multimodality": Tolerance(0.5, 0.15, "another training"),
    "mm": Tolerance(0.2, 0.10, "another training"),
}
"""Weights trained anew, perhaps on another device: a convention, not a measurement. Training noise would have to be
measured over many seeds of every model; these bounds say that the same thing was trained, not how much it may vary."""


@dataclass(frozen=True)
class Comparison:
    """One metric of a run beside the reference."""

    key: str
    """Metric."""
    run: str
    """This run's value with its interval."""
    reference: str
    """The frozen one."""
    difference: float | None
    """This run less the reference."""
    tolerance: float | None
    """How great it may be."""
    ok: bool
    """Whether it is that small; also where neither has a value."""
    paper: float | None
    """The paper's number, of other data."""


@dataclass(frozen=True)
class Reproduction:
    """A run beside its reference."""

    name: str
    """The submission."""
    track: str
    """Track id."""
    task: str
    """``talking`` or ``text2motion``."""
    strictness: Strictness
    """What was done again."""
    metrics: tuple[Comparison, ...]
    """Every metric of the track."""
    notes: tuple[str, ...] = ()
    """What else differs."""

    @property
    def ok(self) -> bool:
        """Whether every metric is within its tolerance."""
        return all(metric.ok for metric in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """The record for ``--json``."""
        return {**asdict(self), "ok": self.ok}


def find_reference(name: str, track: str, results: Path = RESULTS) -> Result | None:
    """The frozen result of a submission on a track, or None where there is none.

    Raises:
        InputError: It cannot be read, or was edited.
    """
    path = results / name.replace(":", "-") / track.replace("/", "-") / "strict.json"
    return read_result(path) if path.is_file() else None


def compare(run: Result, reference: Result, strictness: Strictness = "same weights") -> Reproduction:
    """Sets a run beside its reference.

    Args:
        run: What was found now.
        reference: The frozen result.
        strictness: ``same weights`` for what rounding can do, ``trained anew`` for another training.

    Raises:
        InputError: The two were not measured alike, so that no difference would mean anything.
    """
    if unlike := same_measure(run, reference):
        where = f"{run.submission.name} on {run.track.id}"
        mend = "score the reference anew with these encoders, clips and head, or use those it was scored with"
        raise InputError(
            Problem("the reference was measured otherwise", where, "the same measure", ", ".join(unlike), mend)
        )
    paper = paper_row(run.submission.name, run.track.task) or {}
    sampled = reference.submission.stochastic
    metrics = tuple(
        _compared(key, run.metrics[key], reference.metrics[key], strictness, sampled, paper.get(key))
        for key in reference.metrics
    )
    notes = []
    if strictness == "same weights" and run.submission.code_sha256 != reference.submission.code_sha256:
        notes.append("the submission's files are not those of the reference: its weights or its code have changed")
    if run.submission.kind == "predictions":
        notes.append(f"{run.submission.name} is a reconstruction of the truth, not a generator")
    notes.append(paper_note(run.submission.name, run.track.task))
    return Reproduction(run.submission.name, run.track.id, run.track.task, strictness, metrics, tuple(notes))


def tolerance(key: str, reference: Score, strictness: Strictness, sampled: bool) -> float:
    """How far a metric may be from its reference value."""
    table = SAME_WEIGHTS if strictness == "same weights" else TRAINED_ANEW
    rule = _rule(table, key)
    assert reference.value is not None
    allowed = max(rule.absolute, rule.relative * abs(reference.value))
    if reference.ci_low is None or reference.ci_high is None or not (sampled or strictness == "trained anew"):
        return allowed
    return max(allowed, (reference.ci_high - reference.ci_low) / 2)


def _rule(table: Mapping[str, Tolerance], key: str) -> Tolerance:
    return next(rule for part, rule in table.items() if part in key)


def _compared(
    key: str, run: Score, reference: Score, strictness: Strictness, sampled: bool, paper: float | None
) -> Comparison:
    if run.value is None or reference.value is None:
        alike = run.value is None and reference.value is None
        return Comparison(key, score_text(run), score_text(reference), None, None, alike, paper)
    allowed = tolerance(key, reference, strictness, sampled)
    difference = run.value - reference.value
    ok = abs(difference) <= allowed
    return Comparison(key, score_text(run), score_text(reference), difference, allowed, ok, paper)


def reproduction_text(reproduction: Reproduction) -> str:
    """The table a person reads: this run, the frozen reference, and the paper's row, marked as other data."""
    from tabulate import tabulate

    rows = [
        (
            SHORT.get(metric.key, metric.key),
            metric.run,
            metric.reference,
            "-" if metric.difference is None else f"{metric.difference:+.4f}",
            "-" if metric.tolerance is None else f"{metric.tolerance:.4f}",
            "within" if metric.ok else "OUTSIDE",
            f"({number(metric.paper)})" if metric.paper is not None else "",
        )
        for metric in reproduction.metrics
    ]
    headers = ("", "this run", "frozen reference", "difference", "tolerance", "", "paper, OTHER DATA")
    title = f"{reproduction.name} on {reproduction.track}, {reproduction.strictness}"
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)
    return "\n".join([title, "", str(table), "", *reproduction.notes])


def outside(reproductions: Sequence[Reproduction]) -> str:
    """Every metric that is outside its tolerance, in a line; empty if there is none."""
    return ", ".join(
        f"{one.name} on {one.track}: {metric.key} {metric.run} against {metric.reference}"
        for one in reproductions
        for metric in one.metrics
        if not metric.ok
    )
