"""Tracks: what a score is a score of. A frozen track is never edited; a change is a new version."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.storage import content_hash

if TYPE_CHECKING:
    from benchmark.corpus import Corpus

Task = Literal["talking", "text2motion"]
TASKS: tuple[Task, ...] = ("talking", "text2motion")
SPLITS_FOLDER = Path(__file__).parent / "splits"

_TEXT_METRICS = ("text_r_precision_1", "text_r_precision_2", "text_r_precision_3", "text_match")
_AUDIO_METRICS = ("audio_r_precision_1", "audio_r_precision_2", "audio_r_precision_3", "audio_match")
_MOTION_METRICS = ("fid", "diversity", "multimodality", "lve_mm", "fve_mm")
METRICS_OF_TASK: dict[Task, tuple[str, ...]] = {
    "talking": _TEXT_METRICS + _AUDIO_METRICS + _MOTION_METRICS,
    "text2motion": _TEXT_METRICS + _MOTION_METRICS,
}


@dataclass(frozen=True)
class Track:
    """A benchmark one can be ranked on: which clips, what a generator is given, which numbers come out."""

    id: str
    """``corpus/task@version``, e.g. ``mini/talking@1``; ``@local`` for a corpus of the user's own."""
    task: Task
    """``talking`` is the paper's Benchmark I, ``text2motion`` its Benchmark II."""
    title: str
    """One line for lists."""
    corpus: str
    """``mini``, or the folder of the user's corpus."""
    gallery: int = 32
    """Candidates a query is ranked among in R-Precision."""
    samples: int = 5
    """Motions a stochastic submission makes a clip, unless the user asks for another number."""
    seed: int = 20241028
    """Root of every seed of this track: generation, bootstrap, controls."""

    @property
    def has_audio(self) -> bool:
        """Whether generators are given speech."""
        return self.task == "talking"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of the metrics reported, in board order."""
        return METRICS_OF_TASK[self.task]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a generator is given."""
        return ("text", "audio") if self.has_audio else ("text",)


FROZEN_TRACKS: dict[str, Track] = {
    track.id: track
    for track in (
        Track("mini/talking@1", "talking", "Speech and text to a talking head, embedded corpus (Benchmark I)", "mini"),
        Track("mini/text2motion@1", "text2motion", "Text to facial motion, embedded corpus (Benchmark II)", "mini"),
    )
}


def load_track(name: str) -> Track:
    """The frozen track of this id; without ``@version`` the newest one.

    Raises:
        InputError: No such track; names the nearest ones.
    """
    versions = [track for id_, track in FROZEN_TRACKS.items() if name in (id_, id_.partition("@")[0])]
    if not versions:
        raise InputError(
            Problem("unknown track", name, got=name, mend=nearest_names(name, tuple(FROZEN_TRACKS))),
        )
    return versions[-1]


def tracks_of_corpus(corpus: "Corpus", names: Iterable[str] = ()) -> list[Track]:
    """The tracks a user's corpus offers: one a task whose subset file is there.

    Args:
        corpus: The user's corpus.
        names: Tasks or track ids to keep, e.g. ``talking``; all of the corpus's tasks when empty.

    Raises:
        InputError: A name that is no task of this corpus.
    """
    offered: dict[Task, Track] = {
        task: replace(
            load_track(f"mini/{task}"),
            id=f"{re.sub(r'[^A-Za-z0-9_.-]', '_', corpus.name)}/{task}@local",
            title=f"{corpus.name}, {task} subset",
            corpus=str(corpus.path),
        )
        for task in TASKS
        if task in corpus.subsets
    }
    wanted = list(names) or list(offered)
    by_name = {alias: track for task, track in offered.items() for alias in (task, track.id, track.id.split("@")[0])}
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise InputError(
            [Problem("the corpus has no such task", name, expected=" or ".join(offered), got=name) for name in unknown]
        )
    return list(dict.fromkeys(by_name[name] for name in wanted))


def split_ids(track: Track, split: str, corpus: "Corpus") -> tuple[str, ...]:
    """Clip ids of one split, in frozen order: from the project's text files, or from the user's subset file.

    Raises:
        InputError: No such split, or it is empty.
    """
    frozen = SPLITS_FOLDER / track.id.replace("/", "-") / f"{split}.txt"
    known: dict[str, tuple[str, ...]] = dict(corpus.subsets.get(track.task, {}))
    if track.id in FROZEN_TRACKS:
        ids = tuple(frozen.read_text(encoding="utf-8").split()) if frozen.is_file() else ()
    else:
        ids = known.get(split, ())
    if not ids:
        counts = ", ".join(f"{name} ({len(clips)} clips)" for name, clips in known.items())
        raise InputError(
            Problem("the split holds no clips", f"{track.id}, split {split}", expected=counts or "a split", got=split)
        )
    return ids


def split_sha256(ids: Iterable[str]) -> str:
    """Hash of an ordered list of clip ids: the name a result gives to its split."""
    return content_hash(list(ids))
