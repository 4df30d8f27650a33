"""Smoothing of a whole clip by penalised least squares: stay near the data, move evenly, accelerate little.

Each parameter x minimises
    sum_t w_t (x_t - y_t)^2  +  s * (v * sum_t (x_t+1 - x_t)^2  +  sum_t (x_t+1 - 2 x_t + x_t-1)^2)
with w_t = 0 where y_t was an outlier, so that the smooth course bridges the gap. All parameters are solved as one
banded system. The strength s is found for each parameter of the expression, and for each rotation, by generalised
cross-validation: a clean track hardly moves, a shaky one does.

Source: MMHead, section 3 (per-video optimisation with smoothness terms; weights are not stated, the choice of s is
ours); Craven & Wahba (1979) for the cross-validation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.linalg import solveh_banded

from benchmark.construction.config import Smoothing
from benchmark.construction.records import Array

_LEAST_WEIGHT = 1e-6
"""Keeps the system definite however many frames were mended."""
_WEAKEST, _STEPS = 0.01, 13


def smooth(values: Array, weights: Array, strengths: Array, velocity: float) -> Array:
    """The minimiser.

    Args:
        values: (T, D), T >= 3.
        weights: (T, D) of the data, 0 to 1.
        strengths: (D,) factors s.
        velocity: Weight v.

    Returns:
        (T, D).
    """
    frames, columns = values.shape
    ones = np.ones(frames)
    first = np.stack([np.r_[ones[:-1], 0.0] + np.r_[0.0, ones[:-1]], np.r_[0.0, -ones[:-1]]])
    second = np.stack([_second_diagonal(frames), _second_off(frames), np.r_[0.0, 0.0, ones[:-2]]])
    bands = np.empty((3, columns, frames))  # upper form: row 2 is the diagonal
    bands[2] = np.maximum(weights.T, _LEAST_WEIGHT) + strengths[:, None] * (velocity * first[0] + second[0])
    bands[1] = strengths[:, None] * (velocity * first[1] + second[1])
    bands[0] = strengths[:, None] * second[2]
    right = (np.maximum(weights, _LEAST_WEIGHT) * values).T.ravel()
    solved = solveh_banded(bands.reshape(3, -1), right, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return np.ascontiguousarray(solved.reshape(columns, frames).T)


def choose_strengths(values: Array, settings: Smoothing, pooled: bool) -> Array:
    """Strengths by generalised cross-validation.

    Args:
        values: (T, D) with outliers replaced.
        settings: Velocity weight, and a fixed strength or ``auto``.
        pooled: One strength for all columns, as the components of a rotation need.

    Returns:
        (D,).
    """
    columns = values.shape[1]
    if settings.strength != "auto":
        return np.full(columns, float(settings.strength))
    grid = np.geomspace(min(_WEAKEST, settings.strongest), settings.strongest, _STEPS)
    frequency = 2.0 - 2.0 * np.cos(np.pi * np.arange(len(values)) / len(values))
    passed = 1.0 / (1.0 + grid[:, None] * (settings.velocity * frequency + frequency**2))  # (S, T)
    power = dct(values - values.mean(axis=0), axis=0, norm="ortho") ** 2
    left = (1.0 - passed) ** 2 @ power  # (S, D)
    if pooled:
        left = left.sum(axis=1, keepdims=True)
    score = left / (len(values) - passed.sum(axis=1))[:, None] ** 2
    return np.broadcast_to(grid[np.argmin(score, axis=0)], (columns,)).copy()


def _second_diagonal(frames: int) -> NDArray[np.float64]:
    """Diagonal of D'D of second differences."""
    line = np.zeros(frames)
    line[:-2] += 1.0
    line[1:-1] += 4.0
    line[2:] += 1.0
    return line


def _second_off(frames: int) -> NDArray[np.float64]:
    """First off-diagonal of D'D of second differences, shifted as the banded form wants it."""
    line = np.zeros(frames)
    line[1:-1] -= 2.0
    line[2:] -= 2.0
    return line
