"""What happens in a clip, drawn from its seed: emotions, actions, accents and head gestures on a time line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.mini.actions import ACCENTS, ACTIONS, MOUTH_ACCENTS
from benchmark.mini.actions import WEIGHTS as ACTION_WEIGHTS
from benchmark.mini.emotions import EMOTIONS, WEIGHTS
from benchmark.mini.gestures import GESTURES
from benchmark.protocol import FPS, MAX_FRAMES

SPEECH_STYLES = ("talk", "sing", "read")
_EXTRA_GESTURES = ("turn_left", "turn_right", "tilt_left", "tilt_right", "up", "down", "nod", "shake")


@dataclass(frozen=True)
class Mood:
    """One emotion for a stretch of the clip."""

    emotion: str
    intensity: float
    """0 to 1."""
    start: float
    """First frame."""
    end: float
    """Last frame."""
    mirrored: bool = False
    """Whether a one-sided face (contempt) is on the right."""


@dataclass(frozen=True)
class Event:
    """One action, accent or head gesture for a stretch of the clip."""

    name: str
    intensity: float
    """0 to 1."""
    start: float
    """First frame."""
    end: float
    """Last frame."""
    mirrored: bool = False
    """Whether a sided action is made on the right."""


@dataclass(frozen=True)
class Plan:
    """Everything a performer is asked to do in one clip."""

    frames: int
    """Length T."""
    moods: tuple[Mood, ...]
    """One to three emotions, in order."""
    actions: tuple[Event, ...]
    """Actions, in order."""
    accents: tuple[Event, ...] = ()
    """Single action units, in order."""
    gestures: tuple[Event, ...] = ()
    """Head gestures beside those that belong to actions, in order."""
    style: str = ""
    """``talk``, ``sing``, ``read``, or empty without speech."""
    studio: bool = False
    """Whether it is a studio take of one thing, whose action is annotated by a fixed sentence."""


def draw_moods(frames: int, rng: np.random.Generator) -> tuple[Mood, ...]:
    """One emotion, or in half of the longer clips two or three, one after the other."""
    count = 1 if frames < 70 or rng.random() < 0.5 else 3 if frames >= 120 and rng.random() < 0.3 else 2
    names = rng.choice(len(EMOTIONS), count, replace=False, p=np.array(WEIGHTS))
    changes = (np.arange(1, count) + rng.uniform(-0.3, 0.3, count - 1)) / count
    edges = [-40.0, *(frames * changes).tolist(), frames + 40.0]
    return tuple(
        Mood(EMOTIONS[int(name)], float(rng.uniform(0.3, 1.0)), edges[i], edges[i + 1], bool(rng.random() < 0.5))
        for i, name in enumerate(names)
    )


def text_plan(rng: np.random.Generator, tempo: float = 1.0) -> Plan:
    """A clip without speech: one to four actions in sequence, or only an expression.

    Args:
        rng: Source of every choice.
        tempo: How quickly the performer acts, about 1.
    """
    if rng.random() < 0.07:
        return _expression_plan(rng)
    frames = int(np.clip(rng.gamma(7.0, 14.5), 44, MAX_FRAMES))
    count = max(1, min(4, round(frames / FPS / rng.uniform(1.3, 2.6))))
    names = _draw_names(tuple(ACTIONS), count, rng)
    slots = rng.dirichlet(np.full(count, 6.0)) * (frames - 6)
    actions, begin = [], 3.0
    for name, slot in zip(names, slots, strict=True):
        low, high = ACTIONS[name].seconds
        length = min(max(slot * rng.uniform(0.75, 1.1), low * 0.7 * FPS), high * FPS) / tempo
        start = begin + max(0.0, slot - length) * rng.random()
        start = max(0.0, min(start, frames - length))
        actions.append(_event(name, start, start + length, rng))
        begin += slot
    plan = Plan(frames, draw_moods(frames, rng), _in_time(actions))
    return _with_extras(plan, rng, tempo, accents=int(rng.integers(0, 3)), gesture_chance=0.8)


def speech_plan(frames: int, style: str, moods: tuple[Mood, ...], rng: np.random.Generator, tempo: float = 1.0) -> Plan:
    """A clip with speech: up to three actions that leave the mouth free, accents, and head gestures.

    Args:
        frames: Length T.
        style: ``talk``, ``sing`` or ``read``.
        moods: Emotions, in order.
        rng: Source of every other choice.
        tempo: How quickly the performer acts, about 1.
    """
    free = tuple(name for name, action in ACTIONS.items() if action.while_speaking)
    count = int(min(rng.choice(4, p=(0.15, 0.35, 0.32, 0.18)), frames // 35))
    actions = []
    for name in _draw_names(free, count, rng):
        length = min(rng.uniform(*ACTIONS[name].seconds) * FPS / tempo, frames * 0.8)
        start = rng.uniform(0.0, frames - length)
        actions.append(_event(name, start, start + length, rng))
    studio = not actions and style != "read" and bool(rng.random() < 0.7)
    plan = Plan(frames, moods, _in_time(actions), style=style, studio=studio)
    return _with_extras(plan, rng, tempo, accents=int(rng.integers(1, 5)), gesture_chance=0.85)


def _expression_plan(rng: np.random.Generator) -> Plan:
    """A studio take: a single strong expression that comes and goes, the head almost still."""
    frames = int(rng.integers(44, 110))
    emotion = EMOTIONS[1 + int(rng.integers(len(EMOTIONS) - 1))]
    start, end = rng.uniform(0, 0.2) * frames, rng.uniform(0.8, 1.0) * frames
    mood = Mood(emotion, float(rng.uniform(0.6, 1.0)), start, end, bool(rng.random() < 0.5))
    plan = Plan(frames, (mood,), (), studio=True)
    return _with_extras(plan, rng, 1.0, accents=int(rng.integers(1, 4)), gesture_chance=0.2)


def _draw_names(names: tuple[str, ...], count: int, rng: np.random.Generator) -> list[str]:
    weights = np.array([ACTION_WEIGHTS[name] for name in names])
    return [names[int(i)] for i in rng.choice(len(names), count, replace=False, p=weights / weights.sum())]


def _event(name: str, start: float, end: float, rng: np.random.Generator) -> Event:
    mirrored = ACTIONS[name].sided and bool(rng.random() < 0.5)
    return Event(name, float(rng.uniform(0.35, 1.0)), float(start), float(end), mirrored)


def _with_extras(plan: Plan, rng: np.random.Generator, tempo: float, accents: int, gesture_chance: float) -> Plan:
    """Adds accents and head gestures; gestures keep clear of those that the actions bring along."""
    names = [name for name in ACCENTS if not (plan.style and name in MOUTH_ACCENTS)]
    small = []
    for index in rng.choice(len(names), int(accents), replace=False):
        length = min(rng.uniform(0.5, 1.6) * FPS / tempo, plan.frames * 0.8)
        start = rng.uniform(0.0, plan.frames - length)
        small.append(Event(names[int(index)], float(rng.uniform(0.5, 1.0)), start, start + length))
    taken = [(event.start, event.end) for event in plan.actions if ACTIONS[event.name].head]
    gestures: list[Event] = []
    while rng.random() < gesture_chance and len(gestures) < 3:
        name = _EXTRA_GESTURES[int(rng.integers(len(_EXTRA_GESTURES)))]
        length = min(rng.uniform(*GESTURES[name].seconds) * FPS / tempo, plan.frames * 0.9)
        start = rng.uniform(0.0, plan.frames - length)
        if all(start > end - 4 or start + length < begin + 4 for begin, end in taken):
            gestures.append(Event(name, float(rng.uniform(0.1, 1.0)), start, start + length))
            taken.append((start, start + length))
    return replace(plan, accents=_in_time(small), gestures=_in_time(gestures))


def _in_time(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: event.start))
