"""A performer plays a plan: muscle activations, neck and jaw, 25 frames a second."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.mini import gestures
from benchmark.mini.actions import ACCENTS, ACTIONS, Part
from benchmark.mini.channels import CHANNELS
from benchmark.mini.emotions import FACES
from benchmark.mini.envelopes import bell, drift, pulses, ramp
from benchmark.mini.performers import Performer
from benchmark.mini.plan import Event, Mood, Plan
from benchmark.mini.speech import Speech
from benchmark.mini.visemes import INDEX, is_vowel, mouth, vector
from benchmark.protocol import FPS

Array = NDArray[np.float64]
_SWAPPED = [
    INDEX[
        name[:-4] + "Right" if name.endswith("Left") else name[:-5] + "Left" if name.endswith("Right") else name
    ]
    for name in CHANNELS
]  # fmt: skip
_MOUTH = np.array([name.startswith(("mouth", "lip", "cheekPuff", "cheekSuck", "jaw", "tongue")) for name in CHANNELS])
_NEVER_IDLE = np.array([name.startswith(("eyeBlink", "tongue", "mouthClose", "lipBite")) for name in CHANNELS])
_IDLE_NOISE = np.where(_NEVER_IDLE, 0.0, 0.025)
_BLINK = np.array([0.25, 0.8, 1.0, 0.75, 0.4, 0.15])
JAW_LIMIT = 0.39


@dataclass(frozen=True)
class Performance:
    """What one clip shows."""

    activations: Array
    """(T, 64) in the order of CHANNELS, 0 to about 1."""
    neck: Array
    """(T, 3) axis-angle, radians."""
    jaw: Array
    """(T, 3) axis-angle, radians."""


def perform(plan: Plan, who: Performer, speech: Speech | None, rng: np.random.Generator) -> Performance:
    """Plays ``plan``.

    Args:
        plan: What happens when.
        who: Who does it.
        speech: The utterance, its time counted from the first frame; None without speech.
        rng: Source of the idle noise.

    Returns:
        Activations, neck and jaw over time.
    """
    face, face_jaw = _moods(plan, who)
    acted, acted_jaw = _actions(plan, who)
    face, jaw = face + acted, acted_jaw
    jaw[:, 0] += face_jaw
    if speech is not None:
        spoken, opening, talking = _speech(plan, who, speech, rng)
        face[:, _MOUTH] *= 1.0 - 0.5 * talking[:, None]
        face += spoken
        jaw[:, 0] = jaw[:, 0] * (1.0 - 0.7 * talking) + opening
    face = face + who.rest + drift(plan.frames, len(CHANNELS), 9.0, rng) * _IDLE_NOISE
    lids = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
    face[:, lids] = np.maximum(face[:, lids], _blinks(plan.frames, who.blinks, rng)[:, None])
    jaw += drift(plan.frames, 3, 10.0, rng) * np.array([0.004, 0.008, 0.008])
    jaw[:, 1:] += who.jaw_lean * jaw[:, :1]
    jaw[:, 0] = np.clip(_below(jaw[:, 0], JAW_LIMIT), 0.0, None)
    return Performance(np.clip(_below(face * who.sides, 1.1), 0.0, None), _neck(plan, who, speech, rng), jaw)


def mirrored(activations: Array) -> Array:
    """The same with left and right exchanged; (..., 64)."""
    return activations[..., _SWAPPED]


def _below(values: Array, limit: float) -> Array:
    """Values bent smoothly under a limit, unchanged below four fifths of it."""
    knee = 0.8 * limit
    return np.where(values > knee, knee + (limit - knee) * np.tanh((values - knee) / (limit - knee)), values)


def mood_weight(mood: Mood, frames: int) -> Array:
    """(T,) how much of a mood shows: moods take half a second to come and go."""
    time = np.arange(frames, dtype=np.float64)
    return np.minimum(ramp((time - mood.start + 8.0) / 16.0), ramp((mood.end + 8.0 - time) / 16.0)) * mood.intensity


def _moods(plan: Plan, who: Performer) -> tuple[Array, Array]:
    face, jaw = np.zeros((plan.frames, len(CHANNELS))), np.zeros(plan.frames)
    for mood in plan.moods:
        emotion = FACES[mood.emotion]
        target = vector(emotion.face)
        weight = mood_weight(mood, plan.frames) * who.amplitude
        face += weight[:, None] * (mirrored(target) if mood.mirrored else target)
        jaw += weight * emotion.jaw
    return face, jaw


def _actions(plan: Plan, who: Performer) -> tuple[Array, Array]:
    face, jaw = np.zeros((plan.frames, len(CHANNELS))), np.zeros((plan.frames, 3))
    for event in plan.actions:
        size = (0.3 + 0.7 * event.intensity) * who.amplitude
        for part in ACTIONS[event.name].parts:
            curve = size * _part_curve(part, event, plan.frames)
            target = vector(part.face)
            face += curve[:, None] * (mirrored(target) if event.mirrored else target)
            jaw[:, 0] += curve * part.jaw
            if part.jaw_side:
                phase = np.pi * part.rate * (np.arange(plan.frames) - event.start) / FPS
                jaw[:, 1] += curve * part.jaw_side * np.sin(phase) * (-1.0 if event.mirrored else 1.0)
    for event in plan.accents:
        curve = bell(plan.frames, event.start, event.end, 0.3, 0.35) * event.intensity * who.amplitude
        face += curve[:, None] * vector(ACCENTS[event.name])
    return face + (_reading_eyes(plan.frames) if plan.style == "read" else 0.0), jaw


def _reading_eyes(frames: int) -> Array:
    """Eyes that look down and follow line after line; (T, 64)."""
    along = 2.0 * ((np.arange(frames) / (1.8 * FPS)) % 1.0) - 1.0  # from the reader's left to the right
    eyes = np.tile(vector({"eyeLookDown": 0.55}), (frames, 1))
    eyes += 0.35 * np.maximum(-along, 0.0)[:, None] * vector({"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0})
    return np.asarray(
        eyes + 0.35 * np.maximum(along, 0.0)[:, None] * vector({"eyeLookOutRight": 1.0, "eyeLookInLeft": 1.0})
    )


def _part_curve(part: Part, event: Event, frames: int) -> Array:
    span = event.end - event.start
    start, end = event.start + part.start * span, event.start + part.end * span
    envelope = bell(frames, start, end, part.attack, 0.3)
    if not part.rate:
        return envelope
    cycles = max(1.0, float(round(part.rate * (end - start) / FPS)))
    return pulses(frames, start, end, cycles) * np.sqrt(envelope)


def _speech(plan: Plan, who: Performer, speech: Speech, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Mouth channels, jaw opening, and how much the mouth is busy with speaking (T,)."""
    late = rng.normal(0.0, 0.008, len(speech.phonemes))
    phonemes = [
        (start + shift, end + shift, name) for (start, end, name), shift in zip(speech.phonemes, late, strict=True)
    ]
    looseness = 1.9 if plan.style == "sing" else 1.15 if who.articulation < 0.9 else 1.0
    lips, opening = mouth(phonemes, plan.frames, lead=0.02, looseness=looseness)
    size = np.full(plan.frames, who.articulation * (1.2 if plan.style == "sing" else 1.0))
    for mood in plan.moods:
        size *= 1.0 + (FACES[mood.emotion].articulation - 1.0) * mood_weight(mood, plan.frames)
    first, last = speech.phonemes[0][0] * FPS, speech.phonemes[-1][1] * FPS
    talking = bell(plan.frames, first - 6.0, last + 6.0, 8.0 / (last - first + 12.0), 8.0 / (last - first + 12.0))
    return lips * size[:, None] ** 0.6, opening * size, talking


def _blinks(frames: int, rate: float, rng: np.random.Generator) -> Array:
    closed = np.zeros(frames + len(_BLINK))
    frame = rng.exponential(FPS / rate)
    while frame < frames:
        at = int(frame)
        closed[at : at + len(_BLINK)] = np.maximum(closed[at : at + len(_BLINK)], _BLINK)
        frame += 15.0 + rng.exponential(FPS / rate)
    return closed[:frames]


def head_events(plan: Plan) -> tuple[Event, ...]:
    """All head gestures of a plan in order of time: its own and those its actions bring along."""
    found = list(plan.gestures)
    for event in plan.actions:
        span = event.end - event.start
        for head in ACTIONS[event.name].head:
            name = head.gesture
            if event.mirrored:
                name = name.replace("_left", "_right")
            start, end = event.start + head.start * span, event.start + head.end * span
            found.append(Event(name, head.intensity * event.intensity, start, end))
    return tuple(sorted(found, key=lambda event: (event.start, event.name)))


def _neck(plan: Plan, who: Performer, speech: Speech | None, rng: np.random.Generator) -> Array:
    liveliness = who.head_motion * (1.4 if plan.style == "talk" else 1.0)
    neck = drift(plan.frames, 3, 14.0, rng) * liveliness * np.array([0.012, 0.014, 0.01])
    neck += who.posture + rng.normal(0.0, 0.015, 3)
    for event in head_events(plan):
        neck += gestures.curve(event.name, plan.frames, event.start, event.end, event.intensity)
    for mood in plan.moods:
        neck[:, gestures.PITCH] += FACES[mood.emotion].pitch * mood_weight(mood, plan.frames)
    if plan.style == "sing":
        time = np.arange(plan.frames) / FPS
        sway = np.sin(2.0 * np.pi * (0.35 * who.tempo * time + rng.random()))
        neck[:, gestures.ROLL] += 0.07 * who.head_motion * sway
    elif plan.style == "read":
        neck[:, gestures.PITCH] += 0.1
    if speech is not None:
        neck[:, gestures.PITCH] += _beats(plan.frames, who, speech)
    return gestures.limited(neck)


def _beats(frames: int, who: Performer, speech: Speech) -> Array:
    """Small dips of the head on stressed vowels."""
    beats = np.zeros(frames)
    for start, end, phoneme in speech.phonemes:
        if phoneme.startswith("'") and is_vowel(phoneme):
            beats += bell(frames, start * FPS - 3.0, end * FPS + 5.0, 0.45, 0.5)
    return 0.03 * who.beats * np.minimum(beats, 1.2)
