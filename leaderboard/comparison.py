"""Two rows, metric by metric: how far apart they are, how sure that is, and which one is better."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from benchmark.errors import InputError, Problem, nearest_names
from evaluators.result import Protocol, Result, Score, read_result
from leaderboard.rows import RESULTS, SHORT, Paired, Row, number, score_text

Verdict = Literal["better", "worse", "cannot tell"]
RULE = """How this is decided. A metric that is a mean of numbers a clip is compared by its paired difference over the
clips both rows have, samples of a clip averaged, performers resampled: 95% interval. FID has no number a clip, and
diversity's share their pairs: there the two rows' own intervals decide, the difference being given the root of the sum
of the squared half-widths that face each other, as for independent estimates. Both rows are of the same clips, so this
is cautious. An interval that leaves out zero decides, one that holds it cannot tell, and neither can a row without an
interval. Where nearer to the truth is better, the rows are compared by their distances from the truth's value. Nothing
is corrected for the number of metrics, and intervals speak of performers, not of training seeds."""
UNPAIRED = ("diversity",)
"""Metrics with a number a clip whose mean has a wider interval than these numbers show."""
Spread = tuple[float, float, float]
"""A number with the low and the high end of its interval."""


@dataclass(frozen=True)
class Compared:
    """One metric of two rows."""

    key: str
    """Metric."""
    direction: str
    """What is better: ``higher``, ``lower``, or nearer to the ``truth``."""
    first: str
    """Value with interval."""
    second: str
    """Value with interval."""
    difference: float | None
    """First minus second; of the distances from the truth's value where that is the direction."""
    low: float | None
    """Lower end of its 95% interval."""
    high: float | None
    """Upper end."""
    method: str
    """``paired``, ``from both intervals``, or why there is no difference."""
    verdict: Verdict
    """What the first row is, compared with the second."""


@dataclass(frozen=True)
class Comparison:
    """Two rows of one track."""

    track: str
    """Track id."""
    protocol: str
    """``strict`` or ``official``."""
    first: str
    """Name of the row that is judged."""
    second: str
    """Name of the row it is compared with."""
    metrics: tuple[Compared, ...]
    """Every metric of the track."""

    def to_json(self) -> dict[str, Any]:
        """The record for ``--json``."""
        return asdict(self)


def find_rows(text: str, results: Path = RESULTS) -> list[Row]:
    """The results that a file, a folder, or a name of a row stands for.

    Args:
        text: A result file, a folder with results at most two folders deep, or a name such as ``control:truth``.
        results: Folder that names are looked up in.

    Raises:
        InputError: There is no such thing, it holds no result, or a result cannot be read.
    """
    path, named = Path(text), results / text.replace(":", "-")
    folder = named if named.is_dir() and not path.exists() else path
    if folder.is_file():
        return [Row(read_result(folder), folder.parent)]
    if not folder.is_dir():
        known = sorted(place.name.replace("control-", "control:") for place in results.glob("*/") if place.is_dir())
        raise InputError(Problem("no such result", text, "a file, a folder or a name", mend=nearest_names(text, known)))
    files = [file for depth in ("", "*/", "*/*/") for file in sorted(folder.glob(f"{depth}*.json"))]
    rows = [Row(read_result(file), file.parent) for file in files if file.stem in get_args(Protocol)]
    if not rows:
        raise InputError(Problem("no results here", str(folder), "files strict.json or official.json", "none"))
    return rows


def pairs(first: Sequence[Row], second: Sequence[Row], tracks: Sequence[str] = ()) -> list[tuple[Row, Row]]:
    """Which results are compared: those of the same track and protocol; two single ones always.

    Args:
        first: Results of one side.
        second: Results of the other.
        tracks: Only these tracks.

    Raises:
        InputError: Nothing is left to compare, or one side has two results of a track.
    """
    sides = [[row for row in side if not tracks or row.result.track.id in tracks] for side in (first, second)]
    if len(sides[0]) == len(sides[1]) == 1:
        return [(sides[0][0], sides[1][0])]
    keyed: list[dict[tuple[str, str], Row]] = []
    for side in sides:
        keyed.append({_place(row): row for row in side})
        if len(keyed[-1]) < len(side):
            names = ", ".join(sorted({row.name for row in side}))
            raise InputError(
                Problem("several rows of one track", names, "the results of one row", mend="name its folder")
            )
    both = [place for place in keyed[0] if place in keyed[1]]
    if not both:
        expected, got = (", ".join(" ".join(place) for place in side) or "nothing" for side in keyed)
        wanted = f" among {', '.join(tracks)}" if tracks else ""
        raise InputError(Problem(f"the two have no track in common{wanted}", "results", expected, got))
    return [(keyed[0][place], keyed[1][place]) for place in both]


def compare_rows(first: Row, second: Row, paired: Paired) -> Comparison:
    """Compares two rows metric by metric.

    Args:
        first: The row that is judged.
        second: The row it is compared with.
        paired: Paired difference of two rows in a metric, or None where there is none.

    Raises:
        InputError: The two were not measured alike; every field that differs is named.
    """
    if unlike := unlike_fields(first.result, second.result):
        raise InputError(unlike)
    metrics = tuple(_compared(first, second, key, paired) for key in first.result.metrics)
    track = first.result.track.id
    return Comparison(track, first.result.protocol.name, first.name, second.name, metrics)


def unlike_fields(first: Result, second: Result) -> list[Problem]:
    """Fields that two results must share, or their numbers do not compare."""
    a, b = _measure(first), _measure(second)
    names = f"{first.submission.name} and {second.submission.name}"
    mend = "score both with the same clips, head, encoders and protocol"
    return [
        Problem("not measured alike", f"{names}: {field}", a.get(field, "none"), b.get(field, "none"), mend)
        for field in {**a, **b}
        if a.get(field) != b.get(field)
    ]


def _measure(result: Result) -> dict[str, str]:
    track, protocol = result.track, result.protocol
    fields = {
        "track.id": track.id,
        "track.split": track.split,
        "track.split_sha256": track.split_sha256,
        "track.truth_sha256": track.truth_sha256,
        "head.sha256": result.head.sha256,
        "protocol.name": protocol.name,
        "protocol.gallery": str(protocol.gallery),
        "protocol.distance": protocol.distance,
        "protocol.text_fields": ", ".join(protocol.text_fields),
        "protocol.metrics": ", ".join(protocol.metrics),
    }
    return fields | {f"evaluators.{role}.sha256": encoder.sha256 for role, encoder in result.evaluators.items()}


def _compared(first: Row, second: Row, key: str, paired: Paired) -> Compared:
    a, b = first.result.metrics[key], second.result.metrics[key]
    if a.value is None or b.value is None:
        return _untold(key, a, b, f"no value: {(a.refused or b.refused or 'none given').partition(';')[0]}")
    truth = first.result.truth[key].value if a.direction == "truth" else None
    if a.direction == "truth" and truth is None:
        return _untold(key, a, b, "the truth has no value")
    found = paired(first, second, key) if truth is None and key not in UNPAIRED else None
    method = "paired" if found else "from both intervals"
    if found is None:
        spreads = _spread(a, truth), _spread(b, truth)
        if spreads[0] is None or spreads[1] is None:
            return _untold(key, a, b, "no interval", _gap(a.value, truth) - _gap(b.value, truth))
        found = from_intervals(spreads[0], spreads[1])
    value, low, high = found
    verdict = _verdict(a.direction, low, high)
    return Compared(key, a.direction, score_text(a), score_text(b), value, low, high, method, verdict)


def _untold(key: str, a: Score, b: Score, reason: str, difference: float | None = None) -> Compared:
    return Compared(key, a.direction, score_text(a), score_text(b), difference, None, None, reason, "cannot tell")


def from_intervals(first: Spread, second: Spread) -> Spread:
    """Difference of two estimates with the interval that independent ones would have.

    >>> from_intervals((5.0, 2.0, 8.0), (1.0, -3.0, 5.0))
    (4.0, -1.0, 9.0)
    """
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    down = ((a - a_low) ** 2 + (b_high - b) ** 2) ** 0.5
    up = ((a_high - a) ** 2 + (b - b_low) ** 2) ** 0.5
    return a - b, a - b - down, a - b + up


def _gap(value: float, truth: float | None) -> float:
    return value if truth is None else abs(value - truth)


def _spread(score: Score, truth: float | None) -> Spread | None:
    """A score with its interval, or its distance from the truth's value with the distances its interval allows."""
    if score.value is None or score.ci_low is None or score.ci_high is None:
        return None
    ends = sorted(_gap(end, truth) for end in (score.ci_low, score.ci_high))
    nearest = 0.0 if truth is not None and score.ci_low <= truth <= score.ci_high else ends[0]
    return _gap(score.value, truth), nearest, ends[1]


def _verdict(direction: str, low: float, high: float) -> Verdict:
    if low <= 0.0 <= high:
        return "cannot tell"
    return "better" if (low > 0.0) == (direction == "higher") else "worse"


def _place(row: Row) -> tuple[str, str]:
    return row.result.track.id, row.result.protocol.name


def comparison_text(comparison: Comparison) -> str:
    """The table a person reads."""
    from tabulate import tabulate

    rows = [
        (SHORT.get(one.key, one.key), one.direction, one.first, one.second, _difference(one), one.verdict, one.method)
        for one in comparison.metrics
    ]
    headers = ("", "better is", comparison.first, comparison.second, "difference", "", "how")
    title = f"{comparison.first} against {comparison.second} on {comparison.track}, protocol {comparison.protocol}"
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True, maxcolwidths=[None] * 6 + [44])
    return f"{title}\n\n{table}\n"


def _difference(one: Compared) -> str:
    if one.difference is None:
        return "-"
    ends = "" if one.low is None else f" [{_signed(one.low)}, {_signed(one.high)}]"
    return _signed(one.difference) + ends


def _signed(value: float | None) -> str:
    return number(value) if value is None or value < 0 else f"+{number(value)}"
