"""From head-pose states to movements worth a clause: nods, shakes and wags as such, the rest as turns and tilts."""

from itertools import pairwise

import numpy as np

from benchmark.construction.head_pose import PITCH, ROLL, YAW, axis_of
from benchmark.construction.records import HeadPose, Span
from benchmark.construction.wording import pick
from benchmark.mini import phrases

_MOST = 5
"""Movements told of one clip, the strongest."""
_QUICK, _PAUSE = 16, 14
"""Frames a swing of a nod or shake may last, and pause before the next."""
_GESTURE = {
    "turned left": "turn_left", "turned right": "turn_right", "up": "up", "down": "down",
    "tilted left": "tilt_left", "tilted right": "tilt_right",
}  # fmt: skip
_SWING = {PITCH: "nod", YAW: "shake", ROLL: "wag"}


def head_items(head: HeadPose, rng: np.random.Generator) -> list[tuple[float, float, str]]:
    """Clauses of head movements.

    Args:
        head: States and their runs.
        rng: Source of the wording.

    Returns:
        (first frame, last frame, clause) by start; nothing for a head that faces the front throughout.
    """
    runs = [span for span in head.spans if span.name != "front"]
    back_at = {span.start for span in head.spans if span.name == "front"}
    groups = _swings(runs)
    strongest = sorted(groups, key=_weight, reverse=True)[:_MOST]
    items = []
    for group in (group for group in groups if group in strongest):
        first, last = group[0], group[-1]
        text = _swing_words(group, rng) if len(group) > 1 else _hold_words(first, first.end in back_at, rng)
        items.append((float(first.start), float(last.end), text))
    return items


def _weight(group: list[Span]) -> float:
    """How much a movement catches the eye."""
    return max(run.peak for run in group) * float(np.sqrt(group[-1].end - group[0].start))


def _swings(runs: list[Span]) -> list[list[Span]]:
    """Runs grouped where the head goes to and fro about one axis quickly."""
    groups: list[list[Span]] = []
    for run in runs:
        quick = run.end - run.start <= _QUICK
        if groups and quick and _continues(groups[-1], run):
            groups[-1].append(run)
        else:
            groups.append([run])
    return [part for group in groups for part in (_whole(group))]


def _continues(group: list[Span], run: Span) -> bool:
    last = group[-1]
    same = axis_of(run.name) == axis_of(last.name)
    return same and last.end - last.start <= _QUICK and run.start - last.end <= _PAUSE


def _whole(group: list[Span]) -> list[list[Span]]:
    """A group is a nod if it goes down twice, a shake or a wag if it goes both ways; else its runs stand alone."""
    if len(group) > 1:
        if axis_of(group[0].name) == PITCH:
            return [group]
        if any(a.name != b.name for a, b in pairwise(group)):
            return [group]
    return [[run] for run in group]


def _swing_words(group: list[Span], rng: np.random.Generator) -> str:
    axis = axis_of(group[0].name)
    downs = sum(run.name == "down" for run in group)
    cycles = max(downs, 1) if axis == PITCH else max(1, round(len(group) / 2))
    words = pick(phrases.HEAD[_SWING[axis]], rng).format(times=phrases.COUNTS[min(cycles, 5) - 1])
    return f"{words} {_degree(max(run.peak for run in group), rng)}".strip()


def _hold_words(run: Span, comes_back: bool, rng: np.random.Generator) -> str:
    words = pick(phrases.HEAD[_GESTURE[run.name]], rng)
    angle = min(phrases.TENS, key=lambda ten: abs(ten - run.peak))
    back = pick(phrases.BACK, rng) if comes_back else ""
    if 9.0 < run.peak < 32.0 and rng.random() < 0.4:
        return f"{words} by about {phrases.TENS[angle]} degrees {back}".strip()
    return f"{words} {_degree(run.peak, rng)} {back}".strip()


def _degree(angle: float, rng: np.random.Generator) -> str:
    return pick(phrases.DEGREES[0 if angle < 10.0 else 1 if angle < 18.0 else 2], rng)
