"""Tracks of any rate at 25 frames a second: expression linear, rotations along the shortest arcs."""

import numpy as np

from benchmark.construction.records import ActionUnits, Array
from benchmark.construction.rotations import slerp
from benchmark.protocol import FPS


def output_times(frames: int, fps: float, times: Array | None = None) -> Array:
    """When the frames of the resampled clip are seen.

    Args:
        frames: Length T of the track.
        fps: Its rate; a frame lasts 1 / fps.
        times: (T,) seconds of its frames, where they are uneven; the last one lasts 1 / fps.

    Returns:
        (S,) seconds from the first frame, S = whole frames of 40 ms that fit the track's duration.
    """
    duration = (times[-1] - times[0] if times is not None else (frames - 1) / fps) + 1.0 / fps
    return np.arange(max(1, int(np.floor(duration * FPS + 1e-6)))) / FPS


def resample(
    expression: Array, rotations: tuple[Array, ...], fps: float, times: Array | None
) -> tuple[Array, tuple[Array, ...]]:
    """Brings a complete track to 25 frames a second.

    Args:
        expression: (T, D) without NaN: interpolated linearly.
        rotations: (T, 3) axis-angle each, without NaN: interpolated by slerp.
        fps: Rate of the track.
        times: (T,) seconds of its frames, or None for an even track.

    Returns:
        (S, D) and (S, 3) each. A track that is at 25 fps already comes back unchanged.

    Source: MMHead, section 3 (all videos at 25 fps).
    """
    if times is None and abs(fps - FPS) < 1e-6:
        return expression, rotations
    seen = times - times[0] if times is not None else np.arange(len(expression)) / fps
    wanted = np.minimum(output_times(len(expression), fps, times), seen[-1])
    return _linear(expression, seen, wanted), tuple(slerp(vectors, seen, wanted) for vectors in rotations)


def resample_units(units: ActionUnits, frames: int) -> Array:
    """Intensities of action units at the frames of a clip.

    Args:
        units: As detected; NaN counts as inactive.
        frames: Length T of the clip at 25 fps.

    Returns:
        (T, n), 0 to 1; the last value is held where the detector ends early.
    """
    known = np.nan_to_num(units.intensity, nan=0.0)
    seen = np.arange(len(known)) / units.fps
    return np.clip(_linear(known, seen, np.minimum(np.arange(frames) / FPS, seen[-1])), 0.0, 1.0)


def _linear(values: Array, times: Array, wanted: Array) -> Array:
    if len(values) == 1:
        return np.repeat(values, len(wanted), axis=0)
    right = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    share = ((wanted - times[right - 1]) / (times[right] - times[right - 1]))[:, None]
    return np.asarray(values[right - 1] * (1.0 - share) + values[right] * share)
