"""The bundle: a folder made by copying conditions, and all a generator's process is given. Truth is never put in."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.errors import InputError, Problem
from benchmark.protocol import PARAMETERS, Condition, FloatArray, Texts, TrainingClip
from benchmark.storage import content_hash

_NO_TEXTS = Texts("", "", "", "", "")


@dataclass(frozen=True)
class Bundle:
    """What the parent remembers of a bundle it wrote."""

    folder: Path
    """Where it lies."""
    frames: dict[str, int]
    """Clip ids with their lengths, in the order given."""
    sha256: str
    """Content hash of everything in it."""


def write_bundle(
    folder: Path,
    conditions: Iterable[Condition],
    inputs: Sequence[str] = ("text", "audio"),
    training_clips: Iterable[TrainingClip] | None = None,
) -> Bundle:
    """Copies conditions, and training clips if given, into an empty folder.

    Args:
        folder: Folder to make.
        conditions: Consumed one by one, so that a generator keeps memory low; their order is kept.
        inputs: What the submission uses; texts or audio that it does not use are withheld.
        training_clips: Training clips for submissions that need them.

    Raises:
        InputError: No conditions, two with the same id, or a submission that uses audio alone where there is none.
    """
    folder.mkdir(parents=True)
    (folder / "audio").mkdir()
    entries: list[dict[str, object]] = []
    frames: dict[str, int] = {}
    hashes: list[str] = []
    problems: list[Problem] = []
    for condition in (_withhold(condition, inputs) for condition in conditions):
        if condition.clip_id in frames:
            problems.append(Problem("two conditions have the same clip id", condition.clip_id))
        if condition.audio is None and "text" not in inputs:
            mend = "leave this track out of the card, or use text"
            problems.append(
                Problem("the submission uses audio alone, this clip has none", condition.clip_id, mend=mend)
            )
        if condition.audio is not None:
            np.save(folder / "audio" / f"{len(entries)}.npy", condition.audio.astype(np.float32), allow_pickle=False)
        entry = {**asdict(replace(condition, audio=None)), "audio": condition.audio is not None}
        hashes += [json.dumps(entry, sort_keys=True), content_hash(condition.audio) if entry["audio"] else ""]  # type: ignore[arg-type]
        entries.append(entry)
        frames[condition.clip_id] = condition.frames
    if not entries:
        problems.append(Problem("there is nothing to generate", "conditions", "at least one clip", "none"))
    if problems:
        raise InputError(problems)
    (folder / "conditions.json").write_text(json.dumps(entries), encoding="utf-8")
    training = _write_training(folder, training_clips) if training_clips is not None else ""
    return Bundle(folder, frames, content_hash(hashes, training))


def read_conditions(folder: Path) -> "Conditions":
    """The conditions of a bundle; audio is loaded when a condition is asked for."""
    return Conditions(folder, json.loads((folder / "conditions.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Conditions:
    """Conditions by position."""

    folder: Path
    """The bundle."""
    entries: list[dict[str, object]]
    """What ``conditions.json`` holds."""

    def __getitem__(self, position: int) -> Condition:
        entry = self.entries[position]
        audio: FloatArray | None = None
        if entry["audio"]:
            audio = np.load(self.folder / "audio" / f"{position}.npy", allow_pickle=False)
        return Condition(**{**entry, "texts": Texts(**entry["texts"]), "audio": audio})  # type: ignore[arg-type]


def read_training(folder: Path) -> list[TrainingClip]:
    """The training clips of a bundle; their motions are views of one array."""
    entries = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    motions = np.load(folder / "training.npy", allow_pickle=False)  # (sum of T, 56)
    ends = np.cumsum([entry["frames"] for entry in entries])
    return [
        TrainingClip(entry["clip_id"], Texts(**entry["texts"]), motions[end - entry["frames"] : end])
        for entry, end in zip(entries, ends, strict=True)
    ]


def _withhold(condition: Condition, inputs: Sequence[str]) -> Condition:
    texts = condition.texts if "text" in inputs else _NO_TEXTS
    return replace(condition, texts=texts, audio=condition.audio if "audio" in inputs else None)


def _write_training(folder: Path, clips: Iterable[TrainingClip]) -> str:
    kept = list(clips)
    entries = [{"clip_id": c.clip_id, "texts": asdict(c.texts), "frames": len(c.parameters)} for c in kept]
    motions = np.concatenate([np.zeros((0, PARAMETERS), np.float32), *(c.parameters for c in kept)]).astype(np.float32)
    np.save(folder / "training.npy", motions, allow_pickle=False)
    text = json.dumps(entries, sort_keys=True)
    (folder / "training.json").write_text(text, encoding="utf-8")
    return content_hash(text, motions)
