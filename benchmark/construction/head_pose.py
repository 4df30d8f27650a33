"""Seven head-pose states a frame, from the neck rotation.

The neck rotation R (FLAME: x to the subject's left, y up, z forward) is taken apart as R = Ry(yaw) Rx(pitch) Rz(roll):
the head turns, then nods, then tilts. Positive yaw turns to the subject's left, positive pitch looks down, positive
roll tilts the crown to the subject's right. A state begins where an angle exceeds its first threshold (turns 8 degrees,
up, down and tilts 7) and ends where it falls below the second (5 and 4.5), so that an angle near a threshold does not
flicker; of several axes the one furthest beyond its own threshold counts, and takes over from another only by a quarter
more. States under three frames are taken for the state before them.

Source: MMHead, section 3 (seven head-pose labels from the neck rotation; names and thresholds are not stated: ours).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmark.construction.config import HeadPoseRules
from benchmark.construction.records import Array, HeadPose, Span

STATES = ("front", "turned left", "turned right", "up", "down", "tilted left", "tilted right")
"""Left and right are the subject's."""
PITCH, YAW, ROLL = 0, 1, 2
_AXIS_OF = {
    "turned left": YAW,
    "turned right": YAW,
    "up": PITCH,
    "down": PITCH,
    "tilted left": ROLL,
    "tilted right": ROLL,
}
# State of each axis by sign: (negative, positive).
_STATE = {PITCH: (3, 4), YAW: (2, 1), ROLL: (5, 6)}


def angles(neck: Array) -> Array:
    """Pitch, yaw and roll.

    Args:
        neck: (T, 3) axis-angle, radians.

    Returns:
        (T, 3) degrees.
    """
    yaw_pitch_roll = Rotation.from_rotvec(neck).as_euler("YXZ", degrees=True)
    return np.asarray(yaw_pitch_roll[:, [1, 0, 2]])


def head_pose(neck: Array, rules: HeadPoseRules) -> HeadPose:
    """States, angles and their runs.

    Args:
        neck: (T, 3) axis-angle, radians.
        rules: Thresholds.

    Returns:
        What the head does; the peak of a run is its state's largest angle, that of ``front`` the largest of any.
    """
    found = angles(neck)
    if rules.relative_to == "rest":
        found = found - np.median(found, axis=0)
    states = _without_short(_states(found, rules), rules.shortest)
    edges = np.flatnonzero(np.diff(states)) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(states)]
    spans = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        name = STATES[states[start]]
        window = np.abs(found[start:end])
        peak = float(window[:, _AXIS_OF[name]].max()) if name in _AXIS_OF else float(window.max())
        spans.append(Span(name, start, end, peak))
    return HeadPose(states, found, tuple(spans))


def axis_of(state: str) -> int:
    """Which of pitch, yaw, roll a state other than ``front`` is about."""
    return _AXIS_OF[state]


def _states(found: Array, rules: HeadPoseRules) -> NDArray[np.int8]:
    """Hysteresis frame by frame, before short runs are taken out."""
    begins = np.array([rules.pitch[0], rules.yaw[0], rules.roll[0]])
    ends = np.array([rules.pitch[1], rules.yaw[1], rules.roll[1]])
    beyond = np.abs(found) / begins  # (T, 3): 1 at the threshold where a state begins
    kept = (np.abs(found) >= ends).tolist()
    named = np.where(
        found >= 0, [_STATE[axis][1] for axis in range(3)], [_STATE[axis][0] for axis in range(3)]
    ).tolist()
    furthest = beyond.argmax(axis=1).tolist()
    shares = beyond.tolist()
    states, now, axis = [], 0, -1
    for share, held, names, far in zip(shares, kept, named, furthest, strict=True):
        if now and (not held[axis] or names[axis] != now):
            now = 0
        if share[far] > 1.0 and (not now or share[far] > rules.switch * max(share[axis], 1e-9)):
            now, axis = names[far], far
        states.append(now)
    return np.array(states, np.int8)


def _without_short(states: NDArray[np.int8], shortest: int) -> NDArray[np.int8]:
    """Runs under ``shortest`` frames become part of the run before them, at the beginning of the one after."""
    edges = np.flatnonzero(np.diff(states)) + 1
    runs = [
        [int(states[start]), len(part)] for start, part in zip(np.r_[0, edges], np.split(states, edges), strict=True)
    ]
    kept: list[list[int]] = []
    waiting = 0
    for state, length in runs:
        if length < shortest:
            if kept:
                kept[-1][1] += length
            else:
                waiting += length
        elif kept and kept[-1][0] == state:
            kept[-1][1] += length
        else:
            kept.append([state, length + waiting])
            waiting = 0
    if not kept:
        return np.zeros(len(states), np.int8)
    return np.repeat(np.array([state for state, _ in kept], np.int8), [length for _, length in kept])
