"""Describes a corpus: counts, durations, sources, sampling rates, pose layout, statistics of motion and texts."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmark.audio import read_recording
from benchmark.clip_files import POSE_LAYOUTS, read_motion, read_text
from benchmark.corpus import Corpus, source_of
from benchmark.errors import InputError
from benchmark.protocol import EXPRESSION, FPS, JAW, NECK, PARAMETERS, TEXT_FIELDS
from benchmark.subsets import SPLITS
from benchmark.tracks import Task

AXES = ("x", "y", "z")


@dataclass(frozen=True)
class SplitDescription:
    """One split of one task."""

    task: Task
    """The task."""
    split: str
    """train, val or test."""
    clips: int
    """Clips listed."""
    readable: int
    """Clips whose motion could be read; lengths are theirs."""
    hours: float
    """Duration of the readable motions."""
    frames_mean: float | None
    """Mean length in frames; None when nothing could be read."""
    frames_min: int | None
    """Shortest clip."""
    frames_max: int | None
    """Longest clip."""
    missing_files: int
    """Files that the task needs and that are not there."""


@dataclass(frozen=True)
class CorpusDescription:
    """What a corpus holds. Clips that are in several lists count once, except under ``splits``."""

    name: str
    """The folder's name."""
    clips: int
    """Clips listed."""
    hours: float
    """Duration of all motions that could be read."""
    splits: list[SplitDescription]
    """One entry a task and split."""
    sources: dict[str, int]
    """Clips by data source, the part of their names before the first underscore."""
    performers: int
    """Recordings or performers the clips were cut from: the names without their last part."""
    sample_rates: dict[int, int]
    """Sound files by sampling rate in Hz."""
    channels: dict[int, int]
    """Sound files by number of channels."""
    sample_formats: dict[str, int]
    """Sound files by sample format."""
    pose_values: dict[int, int]
    """Motion files by pose values a frame: 6 = neck, jaw; 9 = global, neck, jaw."""
    missing_files: int
    """Files listed clips need and that are not there (speech only where a task gives it)."""
    unreadable_files: int
    """Files that are there and cannot be read; ``verify`` says why."""
    expression_std: float | None
    """Standard deviation of an expression value, mean over the 50 dimensions."""
    neck_mean: list[float] | None
    """Mean neck rotation, axis-angle x, y, z in radians."""
    neck_std: list[float] | None
    """Its standard deviation."""
    jaw_mean: list[float] | None
    """Mean jaw rotation, axis-angle x, y, z in radians."""
    jaw_std: list[float] | None
    """Its standard deviation."""
    words: dict[str, float]
    """Mean number of words by text field."""

    def split_rows(self) -> list[dict[str, Any]]:
        """One row a task and split, for a table."""
        return [asdict(split) for split in self.splits]

    def as_rows(self) -> list[tuple[str, str]]:
        """(quantity, value) of everything that is not by split, for a table."""
        pose = {f"{n} ({POSE_LAYOUTS[n]})": count for n, count in self.pose_values.items()}
        return [
            ("clips", f"{self.clips} ({self.hours:.2f} h, {self.performers} recordings or performers)"),
            ("sources", _counts(self.sources)),
            ("sampling rates (Hz)", _counts(self.sample_rates)),
            ("channels", _counts(self.channels)),
            ("sample formats", _counts(self.sample_formats)),
            ("pose values a frame", _counts(pose)),
            ("missing files", str(self.missing_files)),
            ("unreadable files", str(self.unreadable_files)),
            ("expression std", "-" if self.expression_std is None else f"{self.expression_std:.3f}"),
            ("neck mean (rad)", _angles(self.neck_mean)),
            ("neck std (rad)", _angles(self.neck_std)),
            ("jaw mean (rad)", _angles(self.jaw_mean)),
            ("jaw std (rad)", _angles(self.jaw_std)),
            ("words a text", ", ".join(f"{name} {mean:.1f}" for name, mean in self.words.items()) or "-"),
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything as a record that can be written as JSON."""
        return asdict(self)

    def render(self) -> str:
        """Both tables as text."""
        from tabulate import tabulate

        splits = tabulate(self.split_rows(), headers="keys", floatfmt=".2f", missingval="-")
        return f"{splits}\n\n{tabulate(self.as_rows(), maxcolwidths=[None, 90])}"


@dataclass
class _Tally:
    """What is gathered while the clips go by."""

    frames: dict[str, int] = field(default_factory=dict)
    missing: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By clip: absent motion and text files, absent sound files."""
    unreadable: int = 0
    rates: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    poses: Counter[int] = field(default_factory=Counter)
    words: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in TEXT_FIELDS})
    total: Any = field(default_factory=lambda: np.zeros((2, PARAMETERS)))
    """(2, 56) float64: sums of the parameters and of their squares."""


def describe(corpus: Corpus, progress: Callable[[int, int], None] | None = None) -> CorpusDescription:
    """Reads every listed clip once and sums up what is there; faulty files are counted, never averaged in.

    Args:
        corpus: The corpus.
        progress: Called with clips done and clips in all.

    Returns:
        The description.
    """
    tally, clip_ids = _Tally(), corpus.clip_ids()
    talking = set(corpus.clip_ids(["talking"]))
    for done, clip_id in enumerate(clip_ids):
        if progress:
            progress(done, len(clip_ids))
        _gather(corpus, clip_id, tally)
    if progress:
        progress(len(clip_ids), len(clip_ids))
    count = sum(tally.frames.values())
    mean = tally.total[0] / count if count else None
    std = np.sqrt(np.maximum(tally.total[1] / count - (tally.total[0] / count) ** 2, 0)) if count else None
    return CorpusDescription(
        name=corpus.name,
        clips=len(clip_ids),
        hours=count / FPS / 3600,
        splits=[_split(corpus, task, split, tally) for task in corpus.subsets for split in SPLITS],
        sources=_sorted(Counter(clip_id.partition("_")[0] for clip_id in clip_ids)),
        performers=len({source_of(clip_id) for clip_id in clip_ids}),
        sample_rates=_sorted(tally.rates),
        channels=_sorted(tally.channels),
        sample_formats=_sorted(tally.formats),
        pose_values=_sorted(tally.poses),
        missing_files=sum(tally.missing[i][0] + (tally.missing[i][1] if i in talking else 0) for i in clip_ids),
        unreadable_files=tally.unreadable,
        expression_std=None if std is None else float(std[EXPRESSION].mean()),
        neck_mean=None if mean is None else [float(value) for value in mean[NECK]],
        neck_std=None if std is None else [float(value) for value in std[NECK]],
        jaw_mean=None if mean is None else [float(value) for value in mean[JAW]],
        jaw_std=None if std is None else [float(value) for value in std[JAW]],
        words={name: float(np.mean(counts)) for name, counts in tally.words.items() if counts},
    )


def _gather(corpus: Corpus, clip_id: str, tally: _Tally) -> None:
    motion_path, audio_path = corpus.motion_path(clip_id), corpus.audio_path(clip_id)
    text_paths = corpus.text_paths(clip_id)
    absent = sum(not path.exists() for path in (motion_path, *text_paths.values()))
    tally.missing[clip_id] = absent, int(not audio_path.exists())
    if motion_path.exists():
        try:
            motion = read_motion(motion_path)
            tally.frames[clip_id] = len(motion.parameters)
            tally.poses[motion.pose_values] += 1
            values = motion.parameters.astype(np.float64)
            tally.total += np.stack([values.sum(axis=0), (values**2).sum(axis=0)])
        except InputError:
            tally.unreadable += 1
    if audio_path.exists():
        try:
            recording = read_recording(audio_path)
            tally.rates[recording.sample_rate] += 1
            tally.channels[recording.samples.shape[1]] += 1
            tally.formats[recording.subtype] += 1
        except InputError:
            tally.unreadable += 1
    for name, path in text_paths.items():
        if path.exists():
            try:
                tally.words[name].append(len(read_text(path).split()))
            except InputError:
                tally.unreadable += 1


def _split(corpus: Corpus, task: Task, split: str, tally: _Tally) -> SplitDescription:
    ids = corpus.subsets[task][split]
    frames = [tally.frames[clip_id] for clip_id in ids if clip_id in tally.frames]
    return SplitDescription(
        task=task,
        split=split,
        clips=len(ids),
        readable=len(frames),
        hours=sum(frames) / FPS / 3600,
        frames_mean=float(np.mean(frames)) if frames else None,
        frames_min=min(frames, default=None),
        frames_max=max(frames, default=None),
        missing_files=sum(tally.missing[i][0] + (tally.missing[i][1] if task == "talking" else 0) for i in ids),
    )


def _sorted(counter: Counter[Any]) -> dict[Any, int]:
    return dict(counter.most_common())


def _counts(counts: dict[Any, int]) -> str:
    shown = [f"{name}: {count}" for name, count in list(counts.items())[:8]]
    return ", ".join(shown) + (f" and {len(counts) - 8} more" if len(counts) > 8 else "") or "-"


def _angles(values: list[float] | None) -> str:
    return "-" if values is None else ", ".join(f"{axis} {value:.3f}" for axis, value in zip(AXES, values, strict=True))
