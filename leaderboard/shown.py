"""The clips one can watch: a frozen choice a track, and the motions of one sample of it kept beside each result."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.corpus import source_of
from benchmark.errors import InputError, Problem
from benchmark.motion_check import Output
from benchmark.npz import NpzReader
from benchmark.predictions import RECORD_NAME, read_record
from benchmark.protocol import FloatArray
from benchmark.storage import atomic_path, content_hash, sha256_file, write_json

CHOICE = Path(__file__).parent / "shown" / "clips.json"
PICTURES = CHOICE.parent
"""Folder of one folder a track with a still of each clip."""
COUNT = 12
"""Clips a track."""
ARRAYS, RECORD = "shown.npz", "shown.json"
VERTEX_STEP_METRES = 2e-5
_SCALE = "scale"
Steps = NDArray[np.int16]


@dataclass(frozen=True)
class Shown:
    """One sample of the shown clips of one submission on one track, quantised."""

    output: Output
    """What the motions are."""
    scale: FloatArray
    """(56,) of parameters, (1,) of vertices: what a step is worth."""
    steps: Mapping[str, Steps]
    """By clip id: (T, 56), or (T, n_region, 3)."""

    def motion(self, clip_id: str) -> FloatArray:
        """(T, 56) parameters or (T, n_region, 3) vertices in metres, float32."""
        motion: FloatArray = self.steps[clip_id].astype(np.float32) * self.scale
        return motion


@cache
def _choice() -> dict[str, list[str]]:
    tracks: dict[str, list[str]] = json.loads(CHOICE.read_text(encoding="utf-8"))["tracks"]
    return tracks


def shown_clips(track: str) -> tuple[str, ...]:
    """Ids of the clips shown of a track, in the order shown; none for a track without a choice."""
    return tuple(_choice().get(track, ()))


def choose(frames: Mapping[str, int], texts: Mapping[str, str], count: int = COUNT) -> list[str]:
    """Clips that differ in length, performer and action; blind to any score and to how a motion looks.

    The clips are cut by length into as many equally large groups; of each, the shortest first, one clip is taken:
    of a performer not taken yet where there is one, and with the rarest words that no text before it had.

    Args:
        frames: Length of every clip of the split.
        texts: The action text of every clip.
        count: How many to choose.

    Returns:
        Their ids, by length.
    """
    spread = sorted(frames, key=lambda clip: (frames[clip], clip))
    words = {clip: set(texts[clip].lower().replace(",", " ").replace(".", " ").split()) for clip in spread}
    common = Counter(word for clip in spread for word in words[clip])
    chosen: list[str] = []
    for group in np.array_split(np.array(spread), count):
        known = set().union(*(words[clip] for clip in chosen))
        taken = {source_of(clip) for clip in chosen}

        def merit(clip: str, known: set[str] = known, taken: set[str] = taken) -> tuple[bool, float, str]:
            news = sum(math.log(len(spread) / common[word]) for word in words[clip] - known)
            return source_of(clip) not in taken, round(news, 6), clip

        chosen.append(max((str(clip) for clip in group), key=merit))
    return chosen


def extract(predictions: Path, out: Path) -> Path:
    """Keeps the first sample of the shown clips, quantised; a clip without a valid motion is left out.

    Args:
        predictions: A run's folder with ``0.npz`` and ``predictions.json``.
        out: The result's folder, which gets ``shown.npz`` and ``shown.json``.

    Returns:
        The path of ``shown.npz``.

    Raises:
        InputError: No such run, or its track has no choice of shown clips.
    """
    record = read_record(predictions / RECORD_NAME)
    clips = shown_clips(record.track)
    if not clips:
        raise InputError(Problem("no clips are chosen to be shown", record.track, ", ".join(_choice())))
    with NpzReader(predictions / "0.npz") as reader:
        valid = [c for c in clips if c in reader.headers and record.status.get(c, ["ok"])[0] == "ok"]
        motions = {c: reader.load(c) for c in valid}
    scale, steps = quantise(motions, record.output)
    path = out / ARRAYS
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        changes: dict[str, Any] = {clip: np.diff(steps[clip], axis=0, prepend=np.int16(0)) for clip in steps}
        np.savez_compressed(file, allow_pickle=False, **{_SCALE: scale}, **changes)
    about = {"name": record.name, "track": record.track, "output": record.output, "sample": 0}
    hashes = {"sha256": sha256_file(path), "predictions": sha256_file(predictions / "0.npz")}
    write_json(out / RECORD, {"schema_version": 1, **about, "clips": content_hash(clips), **hashes})
    return path


def quantise(motions: Mapping[str, FloatArray], output: Output) -> tuple[FloatArray, dict[str, Steps]]:
    """Motions as 16-bit steps: vertices in 0.02 mm, parameters in a scale of their own each."""
    if output == "vertices" or not motions:
        scale = np.array([VERTEX_STEP_METRES], np.float32)
    else:
        largest = np.max([np.abs(motion).max(axis=0) for motion in motions.values()], axis=0)
        scale = (np.maximum(largest, 1e-9) / np.iinfo(np.int16).max).astype(np.float32)
    steps = {c: np.clip(np.round(m / scale), -32767, 32767).astype(np.int16) for c, m in motions.items()}
    return scale, steps


def read_shown(folder: Path) -> Shown | None:
    """The shown motions beside a result; None where none were kept.

    Raises:
        InputError: They are not those they were, or are of another choice of clips.
    """
    path = folder / ARRAYS
    if not (path.is_file() and (folder / RECORD).is_file()):
        return None
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    clips = shown_clips(record["track"])
    mend = "scripts/freeze_shown.py makes it anew from the run"
    if (got := sha256_file(path)) != record["sha256"]:
        raise InputError(Problem("changed since it was kept", str(path), record["sha256"], got, mend))
    if content_hash(clips) != record["clips"]:
        raise InputError(Problem("of another choice of clips", str(path), f"that of {CHOICE.name}", mend=mend))
    with np.load(path, allow_pickle=False) as file:
        steps = {c: np.cumsum(file[c], axis=0, dtype=np.int16) for c in clips if c in file.files}
        return Shown(record["output"], file[_SCALE], steps)
