"""The 24 performers: voice, liveliness, asymmetry, resting face and habits, drawn from the corpus seed."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmark.mini.channels import CHANNELS

ROOT_SEED = 20240727
"""The one seed of the corpus."""
COUNT = 24
"""Performers."""
_VARIANTS = (
    "f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5", "Alicia", "m6", "Andrea",
    "m7", "belinda", "m8", "linda", "Alex", "steph", "Gene", "aunty", "Michael", "Annie", "ed",
)  # fmt: skip
_ACCENTS = ("en-us", "en-gb-x-rp", "en-us-nyc", "en-gb-scotland", "en-us", "en-gb-x-gbclan")


@dataclass(frozen=True)
class Performer:
    """One invented person."""

    name: str
    """``p00`` to ``p23``."""
    voice: str
    """espeak-ng voice with variant."""
    pitch: int
    """Base pitch, 0 to 99."""
    rate: int
    """Words a minute when neutral."""
    amplitude: float
    """How large faces are made, about 1."""
    articulation: float
    """How far the mouth opens in speech, about 1."""
    tempo: float
    """How quickly gestures are made, about 1."""
    sides: NDArray[np.float64]
    """(64,) factors that make one side of the face a little stronger."""
    rest: NDArray[np.float64]
    """(64,) activations of the face at rest."""
    jaw_lean: NDArray[np.float64]
    """(2,) yaw and roll of the jaw a radian of opening."""
    posture: NDArray[np.float64]
    """(3,) radians: how the head is held at rest."""
    blinks: float
    """Blinks a second."""
    head_motion: float
    """Liveliness of the head while it makes no gesture, about 1."""
    beats: float
    """How much the head accents stressed syllables, 0 to 1."""
    camera: float
    """Frames a second the performer is filmed at."""


def generator(*key: int) -> np.random.Generator:
    """The random generator of one part of the corpus, independent of every other and of the order of use."""
    return np.random.default_rng(np.random.SeedSequence(ROOT_SEED, spawn_key=key))


@cache
def performer(index: int) -> Performer:
    """Performer ``index``, 0 to 23."""
    rng = generator(0, index)
    lean = rng.normal(0.0, 0.07)
    sides = np.ones(len(CHANNELS))
    sides[[name.endswith("Left") for name in CHANNELS]] += lean
    sides[[name.endswith("Right") for name in CHANNELS]] -= lean
    rest = np.where(rng.random(len(CHANNELS)) < 0.2, rng.uniform(0.0, 0.1, len(CHANNELS)), 0.0)
    rest[[name.startswith(("eyeBlink", "jaw", "tongue", "mouthClose")) for name in CHANNELS]] = 0.0
    feminine = _VARIANTS[index][0] in "fAbls" and _VARIANTS[index] != "Alex"
    return Performer(
        name=f"p{index:02d}",
        voice=f"{_ACCENTS[int(rng.integers(len(_ACCENTS)))]}+{_VARIANTS[index]}",
        pitch=int(rng.integers(45, 70) if feminine else rng.integers(28, 55)),
        rate=int(rng.integers(150, 200)),
        amplitude=float(rng.uniform(0.8, 1.15)),
        articulation=float(rng.uniform(0.75, 1.25)),
        tempo=float(rng.uniform(0.85, 1.2)),
        sides=sides,
        rest=rest,
        posture=rng.normal(0.0, 0.02, 3),
        blinks=float(rng.uniform(0.15, 0.45)),
        head_motion=float(rng.uniform(0.6, 1.4)),
        beats=float(rng.uniform(0.2, 1.0)),
        jaw_lean=rng.normal(0.0, 0.06, 2),
        camera=float(rng.choice((25, 30))),
    )
