"""The frozen set of one track on disk: its clips, the motions of some entrants, and the numbers expected of them."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import InputError, Problem
from benchmark.mini.packs import decode_motion, encode_motion
from benchmark.mini.quantise import from_grid, to_grid
from benchmark.motion_check import Output
from benchmark.protocol import FloatArray
from benchmark.storage import atomic_path, content_hash, write_npz
from evaluators.result import Protocol

FOLDER = Path(__file__).parent / "frozen"
EVERY = 16
"""Every 16th clip of the test split is in the frozen set: 40 of 640, all performers, more than a gallery of 32."""
COARSE = 4
"""Motions are kept on every fourth point of the corpus's grid: a fifth of a millimetre, a third of the bytes."""
TRUTH = "truth"
"""Name of the row of the real motions that stands in every result."""
_LIST = re.compile(r"\[[^\[\]{}]*\]")
"""A list of numbers, which stays on one line."""
_MEND = "take the file from a fresh clone; scripts/freeze_check.py writes a new one"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Entrant(_Record):
    """Whose motions are scored, and where they come from."""

    version: str
    """Version on the card; ``1`` for controls."""
    control: str | None = None
    """Control whose answer is made anew from the truth; None where the motions are packed beside this file."""
    output: Output = "parameters"
    """What is handed to the scorer; ``vertices`` are those of the parameters on the open head."""
    samples: int = 1
    """Motions a clip."""
    sha256: str = ""
    """Hash of the packed motions."""
    protocols: tuple[Protocol, ...] = ("strict",)
    """Protocols it is scored under."""


class Numbers(_Record):
    """Everything that one scoring says."""

    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By metric: value, interval, samples, details, by name; nothing where the metric was refused."""
    per_clip: dict[str, list[list[float]]] = Field(default_factory=dict)
    """By column of the per-clip table: (K, N) numbers."""


Expected = dict[str, dict[Protocol, Numbers]]
"""Numbers by entrant and protocol."""


class Frozen(_Record):
    """The frozen set of one track."""

    schema_version: Literal[1] = 1
    """Version of this record's form."""
    track: str
    """Track id with version."""
    metrics: dict[str, str]
    """Id with version of every metric, by key."""
    head: str
    """SHA-256 of the head model."""
    evaluators: dict[str, str]
    """SHA-256 of the encoders by role."""
    clips: dict[str, int]
    """Frames by clip id, in the order of the split."""
    entrants: dict[str, Entrant]
    """By name."""
    expected: Expected
    """What scoring them gave when they were frozen."""


def path_of(track: str, folder: Path = FOLDER) -> Path:
    """File of a track's frozen set; the packed motions are beside it, with the suffix ``.npz``."""
    return folder / f"{track.replace('/', '-')}.json"


def read_frozen(track: str, folder: Path = FOLDER) -> Frozen:
    """The frozen set of a track.

    Raises:
        InputError: It is missing, no such record, or its motions are not those it names.
    """
    path = path_of(track, folder)
    try:
        frozen = Frozen.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        faults = error.errors(include_url=False) if isinstance(error, ValidationError) else [{"msg": str(error)}]
        where = [f"{path}: {'.'.join(map(str, fault.get('loc', ())))}" for fault in faults]
        raise InputError(
            [
                Problem("no frozen set of the check", place, got=str(fault["msg"]), mend=_MEND)
                for place, fault in zip(where, faults, strict=True)
            ]
        ) from error
    packs = read_packs(path)
    wrong = [
        Problem("not the motions that were frozen", f"{path.with_suffix('.npz')}: {name}", entrant.sha256, found, _MEND)
        for name, entrant in frozen.entrants.items()
        if entrant.control is None and (found := packed_sha256(packs.get(name, ()))) != entrant.sha256
    ]
    if wrong:
        raise InputError(wrong)
    return frozen


def write_frozen(frozen: Frozen, packs: Mapping[str, Sequence[bytes]], folder: Path = FOLDER) -> None:
    """Writes the frozen set of a track and the packed motions beside it."""
    path = path_of(frozen.track, folder)
    arrays = {
        f"{name}/{sample}": np.frombuffer(data, dtype=np.uint8)
        for name, samples in packs.items()
        for sample, data in enumerate(samples)
    }
    write_npz(path.with_suffix(".npz"), arrays)
    text = json.dumps(frozen.model_dump(mode="json"), indent=1, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(_LIST.sub(lambda found: " ".join(found[0].split()), text) + "\n", encoding="utf-8")


def read_packs(path: Path) -> dict[str, tuple[bytes, ...]]:
    """Packed motions of every sample, by entrant.

    Args:
        path: File of the frozen set, or of the motions beside it.

    Raises:
        InputError: The file is missing or damaged.
    """
    file = path.with_suffix(".npz")
    found: dict[str, list[bytes]] = {}
    try:
        with np.load(file, allow_pickle=False) as kept:
            for key in kept.files:
                found.setdefault(key.rpartition("/")[0], []).append(kept[key].tobytes())
    except (OSError, ValueError) as error:
        raise InputError(Problem("packed motions cannot be read", str(file), got=str(error), mend=_MEND)) from error
    return {name: tuple(samples) for name, samples in found.items()}


def packed_sha256(samples: Sequence[bytes]) -> str:
    """Hash of an entrant's packed motions."""
    return content_hash(*samples)


def pack(motions: Sequence[FloatArray]) -> bytes:
    """Motions (T, 56) a clip as few bytes, on a coarse grid."""
    return encode_motion([np.round(to_grid(motion) / COARSE).astype(np.int32) for motion in motions])


def unpack(data: bytes, frames: Sequence[int]) -> list[FloatArray]:
    """Motions (T, 56) a clip from :func:`pack`.

    Raises:
        ValueError: The bytes are not those of clips of these lengths.
    """
    return [from_grid(steps * COARSE) for steps in decode_motion(data, frames)]
