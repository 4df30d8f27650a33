"""Controls: answers whose quality is known in advance, evaluated like submissions to show what a score means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.protocol import FPS, FloatArray
from benchmark.storage import content_hash

SHIFT_SECONDS = 0.2
PREFIX = "control:"

Motions = Sequence[FloatArray]
"""(T, 56) FLAME parameters a clip."""


@dataclass(frozen=True)
class Control:
    """One control: how its motions are made, and what it shows."""

    name: str
    """``control:truth`` and so on."""
    summary: str
    """What it answers with."""
    shows: str
    """What its scores tell."""
    answer: Callable[[Motions, Motions, int], list[FloatArray]]
    """From the truth, the training motions and a seed to one motion a clip."""
    needs_training: bool = False
    """Whether the training motions are used."""


def fit_length(motion: FloatArray, frames: int) -> FloatArray:
    """Cuts a motion to ``frames``, or lengthens it by playing it back and forth, so that nothing jumps.

    >>> fit_length(np.arange(3, dtype=np.float32)[:, None], 6)[:, 0].tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0, 1.0]
    """
    there_and_back = np.concatenate([motion, motion[-2:0:-1]]) if len(motion) > 2 else motion
    return there_and_back[np.arange(frames) % len(there_and_back)]


def _truth(truth: Motions, _train: Motions, _seed: int) -> list[FloatArray]:
    return [motion.copy() for motion in truth]


def _shifted(truth: Motions, _train: Motions, _seed: int) -> list[FloatArray]:
    delay = round(SHIFT_SECONDS * FPS)
    return [motion[np.maximum(np.arange(len(motion)) - delay, 0)] for motion in truth]


def _static(truth: Motions, train: Motions, _seed: int) -> list[FloatArray]:
    mean = np.concatenate(train).mean(axis=0, dtype=np.float64).astype(np.float32)
    return [np.tile(mean, (len(motion), 1)) for motion in truth]


def _random(truth: Motions, train: Motions, seed: int) -> list[FloatArray]:
    chosen = np.random.default_rng(seed).integers(len(train), size=len(truth))
    return [fit_length(train[i], len(motion)) for i, motion in zip(chosen, truth, strict=True)]


def _shuffled(truth: Motions, _train: Motions, seed: int) -> list[FloatArray]:
    order = np.random.default_rng(seed).permutation(len(truth))
    answers = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return [fit_length(truth[answers[i]], len(motion)) for i, motion in enumerate(truth)]


CONTROLS: Mapping[str, Control] = {
    control.name: control
    for control in (
        Control("control:truth", "the real motion of each clip", "the value of every metric at perfection", _truth),
        Control("control:shifted", "the real motion, 0.2 s late", "what losing synchrony costs", _shifted),
        Control("control:static", "the mean training face, unmoving", "what a frozen face scores", _static, True),
        Control("control:random", "a random training motion", "what real but unrelated motion scores", _random, True),
        Control(
            "control:shuffled",
            "the real motions of the split, each given to another clip",
            "what the right distribution with the wrong conditions scores",
            _shuffled,
        ),
    )
}


def find_control(name: str) -> Control:
    """The control of this name.

    Raises:
        InputError: No such control; names the nearest ones.
    """
    if name not in CONTROLS:
        raise InputError(Problem("unknown control", name, mend=nearest_names(name, tuple(CONTROLS))))
    return CONTROLS[name]


def control_seed(name: str, track_seed: int) -> int:
    """Seed of a control's draws on a track."""
    return int(content_hash(name, str(track_seed))[:8], 16)
