"""ARKit's 52 blend shapes as parameters of the open head, and the action units behind muscle channels.

Expression. Each ARKit coefficient drives the channel of the same name (``benchmark.mini.channels``; capture apps write
the first letter large); a few drive two or have another name, see ``ARKIT``. Expression is activations times
``channel_matrix()``. Coefficients the open head has no channel for are left out, and channels ARKit does not know
stay at rest.

Jaw. ``jawOpen`` turns the jaw about x, 0.38 rad when fully open: the widest jaw of real FLAME tracks is about 0.4.
``jawLeft``, ``jawRight`` and ``jawForward`` shift the jaw and are channels, no rotation.

Neck. ``HeadPitch``, ``HeadYaw``, ``HeadRoll`` (radians) become the neck rotation, yaw first, then pitch, then roll.
ARKit's face axes are FLAME's: x to the subject's left, y up, z forward, so positive angles look down, turn to the
subject's left and tilt to the subject's right. Apps that export other signs need them turned before. Eye angles are
left out: the gaze is in the ``eyeLook`` shapes.

The map is for the open head alone: its expression axes are not FLAME's.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmark.construction.records import ActionUnits, Array
from benchmark.errors import InputError, Problem
from benchmark.mini.channels import CHANNELS
from benchmark.mini.open_head import channel_matrix

JAW_OPEN = 0.38
"""Radians of jaw rotation at jawOpen = 1."""
ARKIT: dict[str, dict[str, float]] = {
    "browInnerUp": {"browInnerUpLeft": 1.0, "browInnerUpRight": 1.0},
    "cheekPuff": {"cheekPuffLeft": 1.0, "cheekPuffRight": 1.0},
    "tongueOut": {"tongueShow": 1.0},
}
"""ARKit coefficients that are not simply the channel of their name."""
_HEAD = ("headyaw", "headpitch", "headroll")
UNITS: dict[str, str] = {
    "browInnerUp": "1", "browOuterUp": "2", "browDown": "4", "eyeWide": "5", "cheekSquint": "6", "eyeSquint": "7",
    "noseSneer": "9", "mouthUpperUp": "10", "nasolabialDeepen": "11", "mouthSmile": "12", "mouthSharpPull": "13",
    "mouthDimple": "14", "mouthFrown": "15", "mouthLowerDown": "16", "chinRaise": "17", "mouthPucker": "18",
    "tongueShow": "19", "mouthStretch": "20", "mouthFunnel": "22", "lipTighten": "23", "mouthPress": "24",
    "mouthRollLower": "28", "jawForward": "29", "lipBite": "32", "cheekPuff": "34", "cheekSuck": "35",
    "nostrilDilate": "38", "nostrilCompress": "39", "eyeBlink": "45", "eyeLookUp": "63", "eyeLookDown": "64",
}  # fmt: skip
"""Facial action coding system number of each channel, sides apart."""
_LIPS_PART, _JAW_DROP, _MOUTH_STRETCH = 0.02, 0.08, 0.26
"""Radians of jaw opening where units 25, 26 and 27 begin to show."""
_GAZE = (("Left", "Right"), ("Right", "Left"))
"""Eye that looks out and eye that looks in, for a gaze to the left (unit 61) and to the right (62)."""


@cache
def _matrix(names: tuple[str, ...]) -> Array:
    """(n, 64): activations = coefficients @ matrix."""
    index = {name.lower(): number for number, name in enumerate(CHANNELS)}
    special = {name.lower(): targets for name, targets in ARKIT.items()}
    matrix = np.zeros((len(names), len(CHANNELS)))
    for row, name in enumerate(names):
        for target, weight in special.get(name.lower(), {name: 1.0}).items():
            if target.lower() in index:
                matrix[row, index[target.lower()]] = weight
    return matrix


def activations(names: tuple[str, ...], coefficients: Array) -> Array:
    """Muscle channels of the open head.

    Args:
        names: Of the coefficients, in any case.
        coefficients: (T, n), 0 to 1.

    Returns:
        (T, 64) in the order of ``CHANNELS``.
    """
    return np.asarray(np.clip(coefficients, 0.0, None) @ _matrix(names))


def parameters(names: tuple[str, ...], coefficients: Array) -> Array:
    """The motion of the open head.

    Args:
        names: Of the coefficients: ARKit's, and the head angles if there are any, in any case.
        coefficients: (T, n).

    Returns:
        (T, 56): 50 expression, 3 neck, 3 jaw.
    """
    lower = [name.lower() for name in names]
    jaw = np.zeros((len(coefficients), 3))
    if "jawopen" in lower:
        jaw[:, 0] = JAW_OPEN * np.clip(coefficients[:, lower.index("jawopen")], 0.0, 1.0)
    neck = np.zeros_like(jaw)
    if all(name in lower for name in _HEAD):
        turned = coefficients[:, [lower.index(name) for name in _HEAD]]
        neck = Rotation.from_euler("YXZ", turned).as_rotvec()
    return np.concatenate([activations(names, coefficients) @ channel_matrix(), neck, jaw], axis=1)


def units_of(channels: Array, jaw_opening: Array, fps: float) -> ActionUnits:
    """The action units behind muscle channels, one-sided where left and right differ.

    Args:
        channels: (T, 64) activations, in the order of ``CHANNELS``.
        jaw_opening: (T,) radians.
        fps: Rate of both.

    Returns:
        Intensities from 0 to 1.
    """
    index = {name: number for number, name in enumerate(CHANNELS)}
    names: list[str] = []
    columns: list[Array] = []
    for base, number in UNITS.items():
        if base in index:
            names.append(f"AU{number}")
            columns.append(channels[:, index[base]])
            continue
        for side in ("Left", "Right"):
            names.append(f"AU{side[0]}{number}")
            columns.append(channels[:, index[base + side]])
    for number, begin, full in (
        ("25", _LIPS_PART, 0.12), ("26", _JAW_DROP, 0.28), ("27", _MOUTH_STRETCH, 0.38),
    ):  # fmt: skip
        names.append(f"AU{number}")
        columns.append((jaw_opening - begin) / (full - begin))
    left, right = (channels[:, [index[f"eyeLookOut{a}"], index[f"eyeLookIn{b}"]]].mean(axis=1) for a, b in _GAZE)
    return ActionUnits((*names, "AU61", "AU62"), np.clip(np.stack([*columns, left, right], axis=1), 0.0, 1.0), fps)


def read_arkit(path: Path) -> tuple[tuple[str, ...], Array]:
    """Reads a capture as apps such as Live Link Face export it.

    Args:
        path: A table of one row a frame: a time code, a count, and coefficients by name.

    Returns:
        Names and (T, n) values of all columns that hold ARKit coefficients or head angles; NaN where a cell is empty.

    Raises:
        InputError: No such table, or under ten known columns.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    header = [name.strip() for name in rows[0]] if rows else []
    known = {name.lower() for name in (*CHANNELS, *ARKIT, *_HEAD, "jawOpen")}
    chosen = [number for number, name in enumerate(header) if name.lower() in known]
    if len(chosen) < 10 or len(rows) < 2:
        expected = "ARKit coefficients by name, one row a frame"
        raise InputError(Problem("no ARKit capture", str(path), expected, ", ".join(header[:6]) or "an empty file"))
    try:
        cells = [
            [float(row[number]) if row[number].strip() else np.nan for number in chosen] for row in rows[1:] if row
        ]
    except (ValueError, IndexError) as error:
        raise InputError(Problem("cells are no numbers", str(path), "numbers", str(error)[:80])) from error
    return tuple(header[number] for number in chosen), np.array(cells)
