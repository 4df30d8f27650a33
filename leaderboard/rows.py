"""Result files as rows, by name and task."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import InputError, Problem
from evaluators.result import Result, Score, read_result

RESULTS = Path(__file__).parent / "results"

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
    "lve_mm": "LVE mm",
    "fve_mm": "FVE mm",
}
"""Short names of metrics in tables; the others are short already."""


@dataclass(frozen=True)
class Row:
    """One result and where it lies."""

    result: Result
    """The record."""
    folder: Path
    """Its folder, with the per-clip numbers beside it."""

    @property
    def name(self) -> str:
        """Name on the card."""
        return self.result.submission.name

    @property
    def clips(self) -> Path:
        """The sidecar of per-clip numbers."""
        return self.folder / self.result.per_clip_file

    def score(self, key: str) -> Score | None:
        """A metric's score, or None where it has no value."""
        score = self.result.metrics.get(key)
        return score if score is not None and score.value is not None else None

    def text(self, key: str) -> str:
        """A metric's value with its interval."""
        score = self.score(key)
        return "-" if score is None else score_text(score)


Rows = Mapping[tuple[str, str], Row]
"""Ranked rows by submission name and task."""
Paired = Callable[[Row, Row, str], "tuple[float, float, float] | None"]
"""Paired difference of two rows in a metric, first minus second: value, low and high end; None where there is none."""


def read_rows(folder: Path = RESULTS, protocol: str = "strict") -> dict[tuple[str, str], Row]:
    """All ranked rows of a results folder; of one name and task the newest track's.

    Args:
        folder: ``<submission>/<track>/<protocol>.json`` files.
        protocol: ``strict`` or ``official``.

    Raises:
        InputError: No such folder, or a result that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(Problem("no such folder of results", str(folder), "a folder of <name>/<track>/strict.json"))
    found = [Row(read_result(path), path.parent) for path in sorted(folder.glob(f"*/*/{protocol}.json"))]
    return as_rows(row for row in found if row.result.ranked)


def as_rows(rows: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """Rows by submission name and task, later ones in place of earlier ones."""
    return {(row.name, row.result.track.task): row for row in rows}


def same_measure(first: Result, second: Result) -> list[str]:
    """What keeps two results from being compared: other clips, encoders, head, protocol or metric versions."""
    return [name for name, aspect in _aspects(first).items() if aspect != _aspects(second)[name]]


def _aspects(result: Result) -> dict[str, object]:
    return {
        "track": (result.track.id, result.track.split),
        "clips": (result.track.split_sha256, result.track.truth_sha256),
        "encoders": {role: encoder.sha256 for role, encoder in result.evaluators.items()},
        "head model": result.head.sha256,
        "protocol": (result.protocol.name, result.protocol.gallery, result.protocol.metrics),
    }


def score_text(score: Score) -> str:
    """A value with its interval, e.g. ``0.337 [0.311, 0.362]``."""
    if score.value is None:
        return "-"
    interval = "" if score.ci_low is None else f" [{number(score.ci_low)}, {number(score.ci_high)}]"
    return number(score.value) + interval


def number(value: float | None) -> str:
    """A number as tables show it: three decimals below ten, fewer above."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}"
