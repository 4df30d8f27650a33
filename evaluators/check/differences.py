"""Numbers found beside numbers expected: what differs by more than rounding can do."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.errors import Problem
from evaluators.check.frozen import Frozen, Numbers
from evaluators.result import Protocol


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the expected one."""

    absolute: float
    """In the metric's unit."""
    relative: float
    """As a share of the expected number."""
    why: str
    """Where the two come from."""

    def allows(self, expected: float, got: float) -> bool:
        """Whether a difference is within it; a number that is not finite never is."""
        return abs(got - expected) <= max(self.absolute, self.relative * abs(expected))


TOLERANCES: dict[str, Tolerance] = {
    "precision": Tolerance(1e-6, 0.0, "a probability of whole counts: a rank either turns or does not move at all"),
    "rank": Tolerance(1e-6, 0.0, "a whole or half number"),
    "match": Tolerance(2e-5, 2e-6, "distances of float32 embeddings"),
    "fid": Tolerance(5e-5, 5e-6, "a sum over roots of eigenvalues near zero, of fewer clips than dimensions"),
    "diversity": Tolerance(2e-5, 2e-6, "distances of float32 embeddings"),
    "multimodality": Tolerance(2e-5, 2e-6, "distances of float32 embeddings"),
    "_mm": Tolerance(2e-5, 2e-6, "float32 vertices in metres: tens of nanometres"),
}
"""By part of a metric's or column's name; the first that fits. Measured between AVX2 and plain kernels of
PyTorch, oneDNN and OpenBLAS, one thread and two: no number moves by more than a tenth of these, and no rank turns."""
SHOWN = 3
"""Clips of a metric that are named one by one; the others are counted."""


@dataclass(frozen=True)
class Difference:
    """One number that is not what it was."""

    metric: str
    """Metric, or column of the per-clip table."""
    place: str
    """Clip and sample, or which of the metric's numbers."""
    expected: float | None
    """None where the number is new."""
    got: float | None
    """None where it is gone."""

    def problem(self, where: str) -> Problem:
        """The difference as a line of the report."""
        rule = tolerance_of(self.metric)
        expected = "no such number" if self.expected is None else f"{self.expected:.9g}"
        got = "no such number" if self.got is None else f"{self.got:.9g}"
        allowed = f"within {max(rule.absolute, rule.relative * abs(self.expected or 0.0)):.2g}"
        mend = "undo what moved it, or give the metric a new version and freeze its numbers"
        return Problem("the number moved", f"{where}, {self.metric}, {self.place}", f"{expected} {allowed}", got, mend)


def tolerance_of(metric: str) -> Tolerance:
    """The rule for a metric or a column of the per-clip table."""
    return next(rule for part, rule in TOLERANCES.items() if part in metric)


def metric_of(column: str) -> str:
    """The metric that a column of the per-clip table belongs to.

    >>> metric_of("text_rank"), metric_of("lve_mm")
    ('text_r_precision_1', 'lve_mm')
    """
    return column.replace("_rank", "_r_precision_1")


def differences(metric: str, expected: Numbers, got: Numbers, clips: list[str]) -> list[Difference]:
    """Everything about one metric that differs between two scorings: its aggregates, and every clip of every sample.

    Args:
        metric: Key of the metric.
        expected: Frozen numbers.
        got: Numbers found now.
        clips: Clip ids in order.
    """
    old, new = dict(_numbers(metric, expected, clips)), dict(_numbers(metric, got, clips))
    found = [Difference(*key, old.get(key), new.get(key)) for key in (*old, *(key for key in new if key not in old))]
    return [
        one
        for one in found
        if one.expected is None or one.got is None or not tolerance_of(one.metric).allows(one.expected, one.got)
    ]


def set_problems(frozen: Frozen, name: str, protocol: Protocol, metric: str, got: Numbers) -> list[Problem]:
    """What moved of one metric of one entrant, said so that a person finds it: aggregates first, then clips."""
    expected = frozen.expected[name][protocol]
    found = differences(metric, expected, got, list(frozen.clips))
    where = f"{frozen.track}, {name}, {protocol}"
    clips = [one for one in found if one.place.startswith("clip ")]
    shown = [one for one in found if one not in clips] + clips[:SHOWN]
    problems = [one.problem(where) for one in shown]
    if len(clips) > SHOWN:
        problems.append(Problem(f"and {len(clips) - SHOWN} more clips moved", f"{where}, {metric}"))
    return problems


def _numbers(metric: str, numbers: Numbers, clips: list[str]) -> Iterator[tuple[tuple[str, str], float]]:
    for name, value in numbers.metrics.get(metric, {}).items():
        yield (metric, name), value
    for column, rows in numbers.per_clip.items():
        if metric_of(column) == metric:
            for k, row in enumerate(rows):
                for clip, value in zip(clips, row, strict=True):
                    yield (column, f"clip {clip}, sample {k}"), value
