"""A made-up face tracker: what a camera and its software would give of a performance, with their faults.

The camera films at 25 or 30 frames a second. Tracked parameters shake a little, single values and whole frames jump,
and now and then the face is lost for a few frames. Action units are read from the muscles with an error of their own.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from benchmark.audio import Recording
from benchmark.construction.arkit import units_of
from benchmark.construction.records import EXPRESSING, ActionUnits, EmotionSpan, RawClip
from benchmark.mini.open_head import channel_matrix
from benchmark.mini.performer import Performance
from benchmark.mini.plan import Mood, Plan
from benchmark.mini.speech import Speech
from benchmark.protocol import FPS, SAMPLE_RATE

Array = NDArray[np.float64]
_SHAKE = np.array([0.08] * 50 + [0.003] * 3 + [0.004] * 3)
"""Deviation of the tracker's noise: expression in its units, neck and jaw in radians."""
_SPIKE = np.array([4.5] * 50 + [0.25] * 6)
"""Typical size of a value that jumps."""
_SPIKES, _JUMPS, _LOST = 0.0015, 0.004, 0.12
"""Chance that a value jumps, that a whole frame jumps, and that a clip has a gap."""
_LONGEST_GAP = 5
_UNIT_NOISE = 0.03


def observe(
    name: str, plan: Plan, played: Performance, speech: Speech | None, camera: float, rng: np.random.Generator
) -> RawClip:
    """The raw clip of a performance.

    Args:
        name: Of the clip.
        plan: What was asked for: it gives the labels, without their order.
        played: What was done, 25 frames a second.
        speech: What is heard.
        camera: Frames a second.
        rng: Source of the faults.

    Returns:
        Track with noise, outliers and gaps; action units; labels; sound.
    """
    channels, neck, jaw = (_filmed(part, camera) for part in (played.activations, played.neck, played.jaw))
    channels = np.clip(channels, 0.0, None)
    track = _faulty(np.concatenate([channels @ channel_matrix(), neck, jaw], axis=1), rng)
    units = units_of(channels, jaw[:, 0], camera)
    seen = units.intensity + _UNIT_NOISE * rng.standard_normal(units.intensity.shape)
    actions = [event.name for event in plan.actions]
    labels = [EXPRESSING] if plan.studio and not plan.style else sorted({*actions, *filter(None, [plan.style])})
    return RawClip(
        id=name,
        expression=track[:, :50],
        neck=track[:, 50:53],
        jaw=track[:, 53:],
        fps=camera,
        audio=Recording(speech.audio[:, None], SAMPLE_RATE, "FLOAT") if speech is not None else None,
        actions=tuple(labels),
        emotions=emotion_spans(plan.moods, plan.frames),
        units=ActionUnits(units.names, np.clip(seen, 0.0, 1.0), camera),
        setting="studio" if plan.studio else "wild",
    )


def emotion_spans(moods: Sequence[Mood], frames: int) -> tuple[EmotionSpan, ...]:
    """Moods as emotion labels in seconds from the first frame."""
    return tuple(
        EmotionSpan(mood.emotion, max(mood.start, 0.0) / FPS, min(mood.end, float(frames)) / FPS, mood.intensity)
        for mood in moods
    )


def _filmed(values: Array, camera: float) -> Array:
    """Courses at 25 frames a second as a camera of another rate samples them; (S, D)."""
    if camera == FPS:
        return values
    times = np.arange(int(np.ceil(len(values) * camera / FPS - 1e-9))) / camera
    spline = CubicSpline(np.arange(len(values)) / FPS, values, axis=0)
    return np.asarray(spline(np.minimum(times, (len(values) - 1) / FPS)))


def _faulty(track: Array, rng: np.random.Generator) -> Array:
    """A track with noise, values and frames that jump, and perhaps a gap; (T, 56)."""
    faulty = track + _SHAKE * rng.standard_normal(track.shape)
    jumps = _SPIKE * rng.choice((-1.0, 1.0), track.shape) * rng.uniform(0.7, 1.6, track.shape)
    wild = rng.random(len(track)) < _JUMPS
    hit = (rng.random(track.shape) < _SPIKES) | (wild[:, None] & (rng.random(track.shape) < 0.5))
    faulty = np.where(hit, faulty + jumps, faulty)
    if rng.random() < _LOST and len(track) > 4 * _LONGEST_GAP:
        length = int(rng.integers(1, _LONGEST_GAP + 1))
        start = int(rng.integers(1, len(track) - length))
        faulty[start : start + length] = np.nan
    return faulty
