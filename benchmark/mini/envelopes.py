"""Curves in time that muscles and the head follow: bells with a hold, oscillations, slow drift."""

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


def ramp(x: Curve) -> Curve:
    """Minimum-jerk rise from 0 (x <= 0) to 1 (x >= 1)."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x**3 * (10.0 - 15.0 * x + 6.0 * x**2))


def bell(frames: int, start: float, end: float, attack: float = 0.25, release: float = 0.3) -> Curve:
    """A rise, a hold and a fall between two frames.

    Args:
        frames: Length T of the clip.
        start: Frame where the rise begins; may lie outside the clip.
        end: Frame where the fall ends.
        attack: Share of the interval taken by the rise.
        release: Share of the interval taken by the fall.

    Returns:
        (T,) values in [0, 1].
    """
    time = np.arange(frames, dtype=np.float64)
    span = max(end - start, 1.0)
    rise = ramp((time - start) / max(attack * span, 1.0))
    fall = ramp((end - time) / max(release * span, 1.0))
    return np.asarray(np.minimum(rise, fall))


def waves(frames: int, start: float, end: float, cycles: float) -> Curve:
    """``cycles`` sine periods between two frames under an envelope with short flanks; (T,) values in [-1, 1]."""
    time = np.arange(frames, dtype=np.float64)
    phase = 2.0 * np.pi * cycles * (time - start) / max(end - start, 1.0)
    return np.asarray(np.sin(phase) * bell(frames, start, end, 0.12, 0.12))


def pulses(frames: int, start: float, end: float, cycles: float) -> Curve:
    """``cycles`` bumps from 0 to 1 and back between two frames; (T,)."""
    time = np.arange(frames, dtype=np.float64)
    phase = 2.0 * np.pi * cycles * (time - start) / max(end - start, 1.0)
    return np.asarray(0.5 * (1.0 - np.cos(phase)) * ((time >= start) & (time <= end)))


def drift(frames: int, width: int, period: float, rng: np.random.Generator) -> Curve:
    """Smooth random curves of unit deviation that change over about ``period`` frames; (T, width)."""
    knots = rng.standard_normal((int(frames / period) + 4, width))
    position = np.arange(frames, dtype=np.float64) / period
    index = position.astype(np.int64)
    x = (position - index)[:, None]
    weights = ((1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, -3 * x**3 + 3 * x**2 + 3 * x + 1, x**3)  # cubic B-spline times 6
    smooth = sum(weight * knots[index + offset] for offset, weight in enumerate(weights))
    return np.asarray(smooth / 6.0 * 1.45)  # a B-spline of unit noise has deviation 0.69
