"""Head gestures: which way the neck turns, how it moves in time, and the seven head-pose states that name it.

Neck as in FLAME, axis-angle: x pitch (positive looks down), y yaw (positive turns to the subject's left), z roll
(positive tilts the crown to the subject's right).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.mini.envelopes import bell, pulses, waves

PITCH, YAW, ROLL = 0, 1, 2
_LIMIT_START, _LIMIT = 0.38, 0.56


@dataclass(frozen=True)
class Gesture:
    """One kind of head movement."""

    axis: int
    """Neck axis: 0 pitch, 1 yaw, 2 roll."""
    sign: int
    """Direction along the axis at full size."""
    kind: str
    """``hold`` there and back, ``nod`` bumps one way, ``swing`` to and fro, ``scan`` one side and then the other."""
    size: tuple[float, float]
    """Radians at intensity 0 and 1."""
    seconds: tuple[float, float]
    """Shortest and longest duration."""


GESTURES: dict[str, Gesture] = {
    "nod": Gesture(PITCH, 1, "nod", (0.08, 0.26), (0.8, 2.2)),
    "shake": Gesture(YAW, 1, "swing", (0.08, 0.28), (0.9, 2.4)),
    "wag": Gesture(ROLL, 1, "swing", (0.07, 0.24), (1.2, 2.8)),
    "scan_left": Gesture(YAW, 1, "scan", (0.16, 0.42), (1.8, 3.6)),
    "scan_right": Gesture(YAW, -1, "scan", (0.16, 0.42), (1.8, 3.6)),
    "turn_left": Gesture(YAW, 1, "hold", (0.1, 0.46), (1.0, 3.0)),
    "turn_right": Gesture(YAW, -1, "hold", (0.1, 0.46), (1.0, 3.0)),
    "tilt_left": Gesture(ROLL, -1, "hold", (0.08, 0.34), (1.0, 3.0)),
    "tilt_right": Gesture(ROLL, 1, "hold", (0.08, 0.34), (1.0, 3.0)),
    "up": Gesture(PITCH, -1, "hold", (0.08, 0.34), (1.0, 2.8)),
    "down": Gesture(PITCH, 1, "hold", (0.08, 0.38), (1.0, 2.8)),
}
MIRROR = {"left": "right", "right": "left"}


def _cycles(kind: str, seconds: float) -> float:
    """Whole bumps or swings that fit a duration at a natural pace."""
    return max(1.0, float(round(seconds * (1.5 if kind == "nod" else 1.3))))


def curve(name: str, frames: int, start: float, end: float, intensity: float) -> NDArray[np.float64]:
    """Neck rotation of one gesture.

    Args:
        name: Key of :data:`GESTURES`.
        frames: Length T of the clip.
        start: First frame.
        end: Last frame.
        intensity: 0 to 1.

    Returns:
        (T, 3) radians.
    """
    gesture = GESTURES[name]
    cycles = _cycles(gesture.kind, (end - start) / 25.0)
    middle = (start + end) / 2.0
    shapes: dict[str, Callable[[], NDArray[np.float64]]] = {
        "hold": lambda: bell(frames, start, end),
        "nod": lambda: pulses(frames, start, end, cycles),
        "swing": lambda: waves(frames, start, end, cycles),
        "scan": lambda: bell(frames, start, middle + 3.0) - bell(frames, middle - 3.0, end),
    }
    low, high = gesture.size
    neck = np.zeros((frames, 3))
    neck[:, gesture.axis] = gesture.sign * (low + (high - low) * intensity) * shapes[gesture.kind]()
    return neck


def limited(neck: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation with its angle bent smoothly below 0.56 rad: as far as a head in a portrait turns."""
    angle = np.linalg.norm(neck, axis=1, keepdims=True)
    room = _LIMIT - _LIMIT_START
    bent = _LIMIT_START + room * np.tanh((angle - _LIMIT_START) / room)
    return np.where(angle > _LIMIT_START, neck * bent / np.maximum(angle, 1e-9), neck)
