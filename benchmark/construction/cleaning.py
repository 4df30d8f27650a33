"""Outliers of tracked parameters, found by box plot and replaced from their neighbours.

The box plot is drawn over each parameter's distance from its own running course (a running median, a second one of
three frames, and a moving average: Tukey's smoother), not over its values: over values it would take every blink and
every smile of a calm clip for an outlier.

Source: MMHead, section 3 (outliers by box plot, replaced from neighbouring frames); Tukey, "Exploratory data analysis"
(1977), for fences and smoother.
"""

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.config import Outliers
from benchmark.construction.records import Array

Mask = NDArray[np.bool_]


def course(values: Array, window: int) -> Array:
    """The running course of each column.

    Args:
        values: (T, D) without NaN.
        window: Frames of the running median, odd.

    Returns:
        (T, D).
    """
    rough = _running_median(_running_median(values, window), 3)
    padded = np.concatenate([rough[:1], rough, rough[-1:]])
    return np.asarray(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:])


def find_outliers(values: Array, settings: Outliers) -> Mask:
    """Frames in which a parameter is far from its running course.

    Args:
        values: (T, D); NaN counts as an outlier.
        settings: Window, whiskers and smallest size.

    Returns:
        (T, D) True at outliers. Clips of fewer frames than the window have none beside NaN.
    """
    found = ~np.isfinite(values)
    if len(values) <= settings.window or found.all(axis=0).any():
        return found
    filled = replace(values, found)
    low, high = _quantiles(filled, 0.1, 0.9)
    smallest = settings.smallest * (high - low)
    for _ in range(settings.passes):
        distance = filled - course(filled, settings.window)
        lower, upper = _quantiles(distance, 0.25, 0.75)
        reach = settings.whisker * (upper - lower)
        outside = (distance < np.minimum(lower - reach, -smallest)) | (distance > np.maximum(upper + reach, smallest))
        # A hair beyond zero width: a constant parameter has no outliers.
        outside &= np.abs(distance) > 1e-9
        found |= outside
        filled = replace(values, found)
    return found


def replace(values: Array, outliers: Mask) -> Array:
    """Values with outliers drawn as straight lines between their neighbours in time.

    Args:
        values: (T, D).
        outliers: (T, D) True where a value is to be replaced. A column of nothing else becomes zero.

    Returns:
        (T, D) new array.
    """
    filled = values.copy()
    if not outliers.any():
        return filled
    columns = np.flatnonzero(outliers.any(axis=0))
    bad = outliers[:, columns]
    frames = np.arange(len(values))[:, None]
    before = np.maximum.accumulate(np.where(bad, -1, frames), axis=0)
    after = np.minimum.accumulate(np.where(bad, len(values), frames)[::-1], axis=0)[::-1]
    # At the ends the only neighbour is held; where there is none at all, nothing is known.
    first = np.where(before < 0, after, before) % len(values)
    last = np.where(after >= len(values), first, after)
    chosen = values[:, columns]
    start, end = np.take_along_axis(chosen, first, axis=0), np.take_along_axis(chosen, last, axis=0)
    drawn = start + (end - start) * (frames - first) / np.maximum(last - first, 1)
    drawn = np.where(bad.all(axis=0), 0.0, drawn)
    filled[:, columns] = np.where(bad, drawn, chosen)
    return filled


def _running_median(values: Array, window: int) -> Array:
    """Medians by compare and exchange of shifted copies: many times faster than sorting every window."""
    half = window // 2
    rows = np.abs(np.arange(-half, len(values) + half))  # mirrored at both ends
    rows = np.where(rows >= len(values), 2 * (len(values) - 1) - rows, rows)
    padded = values[rows]
    shifted = [padded[start : start + len(values)] for start in range(window)]
    for largest in range(window - 1, half - 1, -1):
        for i in range(largest):
            low, high = shifted[i], shifted[i + 1]
            shifted[i], shifted[i + 1] = np.minimum(low, high), np.maximum(low, high)
    return shifted[half]


def _quantiles(values: Array, *shares: float) -> list[Array]:
    """Quantiles of each column; a good deal faster than numpy's for a few dozen columns."""
    ordered, last = np.sort(values, axis=0), len(values) - 1
    found = []
    for share in shares:
        low = int(share * last)
        rest = share * last - low
        found.append(ordered[low] * (1.0 - rest) + ordered[min(low + 1, last)] * rest)
    return found
