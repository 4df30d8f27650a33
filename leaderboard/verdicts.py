"""Whether one row is better than another: holds, does not hold, or not decidable from these results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboard.comparison import from_intervals
from leaderboard.rows import SHORT, Paired, Row, Rows, number

Verdict = Literal["holds", "does not hold", "not decidable"]
RULE = """How this is decided. Two rows are compared by the 95% interval of their paired difference over the clips both
have, performers resampled, where the metric has a number a clip and the per-clip files are there; else, as for FID, by
their two intervals: the difference is given the root of the sum of the squared half-widths that face each other, as for
independent estimates. An interval that leaves out zero decides; one that holds it does not. Ratios are decided where
they hold, or fail, at the far ends of both intervals. A claim holds if all its parts do and fails if one does. Nothing
is corrected for the number of comparisons, and intervals speak of performers, not of training seeds: each row is of one
training. The claims are the paper's, on its own data; here they are asked of these results."""


@dataclass(frozen=True)
class Finding:
    """One comparison, or several that a claim joins, with what it rests on."""

    verdict: Verdict
    """What the results say."""
    text: str
    """What was compared, with numbers and intervals, or which rows are missing."""
    parts: tuple["Finding", ...] = ()
    """The comparisons it was joined from."""


@dataclass(frozen=True)
class Evidence:
    """The rows there are, and how two of them are compared clip by clip."""

    rows: Rows
    """Rows by name and task."""
    paired: Paired = lambda first, second, key: None  # noqa: ARG005
    """Paired difference of two rows; without it the intervals of the results decide."""

    def better(self, first: str, second: str, key: str, task: str) -> Finding:
        """Whether one row is better than another in a metric with a direction."""
        found = self._both(first, second, key, task)
        if isinstance(found, Finding):
            return found
        a, b = found
        higher = a.result.metrics[key].direction == "higher"
        value, low, high, how = self._difference(a, b, key)
        verdict = _decided(low, high) if higher else _decided(-high, -low)
        relation = "above" if higher else "below"
        stated = f"{first} {a.text(key)} {relation} {second} {b.text(key)}"
        gap = f"difference {number(value)} [{number(low)}, {number(high)}], {how}"
        return Finding(verdict, f"{SHORT.get(key, key)}, {task}: {stated}; {gap}")

    def at_least(self, first: str, factor: float, second: str, key: str, task: str) -> Finding:
        """Whether one row's value is at least so many times another's."""
        return self._ratio(first, factor, second, key, task, least=True)

    def at_most(self, first: str, factor: float, second: str, key: str, task: str) -> Finding:
        """Whether one row's value is at most so many times another's."""
        return self._ratio(first, factor, second, key, task, least=False)

    def _ratio(self, first: str, factor: float, second: str, key: str, task: str, *, least: bool) -> Finding:
        found = self._both(first, second, key, task)
        if isinstance(found, Finding):
            return found
        a, b = found
        (a_low, a_high), (b_low, b_high) = _ends(a, key), _ends(b, key)
        smallest, greatest = a_low - factor * b_high, a_high - factor * b_low
        verdict = _decided(smallest, greatest) if least else _decided(-greatest, -smallest)
        relation = "at least" if least else "at most"
        stated = f"{first} {a.text(key)} {relation} {factor:g} times {second} {b.text(key)}"
        return Finding(verdict, f"{SHORT.get(key, key)}, {task}: {stated}")

    def _both(self, first: str, second: str, key: str, task: str) -> tuple[Row, Row] | Finding:
        rows = [self.rows.get((name, task)) for name in (first, second)]
        a, b = rows
        if a is not None and b is not None and a.score(key) is not None and b.score(key) is not None:
            return a, b
        absent = [
            name for name, row in zip((first, second), rows, strict=True) if row is None or row.score(key) is None
        ]
        what = f"{SHORT.get(key, key)}, {task}: {first} against {second}"
        return Finding("not decidable", f"{what}: no result of {' and '.join(absent)}")

    def _difference(self, a: Row, b: Row, key: str) -> tuple[float, float, float, str]:
        if (paired := self.paired(a, b, key)) is not None:
            return *paired, "paired"
        spreads = ((_value(row, key), *_ends(row, key)) for row in (a, b))
        return *from_intervals(*spreads), "from both intervals"


def all_of(text: str, findings: Sequence[Finding]) -> Finding:
    """A statement that holds if all its parts do and fails if one does."""
    return _combined(text, findings, one="does not hold", every="holds")


def any_of(text: str, findings: Sequence[Finding]) -> Finding:
    """A statement that holds if one of its parts does and fails if all do."""
    return _combined(text, findings, one="holds", every="does not hold")


def _combined(text: str, findings: Sequence[Finding], one: Verdict, every: Verdict) -> Finding:
    """``one`` where any part says so, ``every`` where all parts do, else not decidable."""
    verdicts = {finding.verdict for finding in findings}
    verdict: Verdict = one if one in verdicts else every if verdicts == {every} else "not decidable"
    return Finding(verdict, text, tuple(findings))


def _decided(low: float, high: float) -> Verdict:
    return "holds" if low > 0 else "does not hold" if high < 0 else "not decidable"


def _value(row: Row, key: str) -> float:
    score = row.score(key)
    assert score is not None and score.value is not None
    return score.value


def _ends(row: Row, key: str) -> tuple[float, float]:
    """Ends of a row's interval; the value twice where there is none."""
    score = row.score(key)
    value = _value(row, key)
    if score is None or score.ci_low is None or score.ci_high is None:
        return value, value
    return score.ci_low, score.ci_high
