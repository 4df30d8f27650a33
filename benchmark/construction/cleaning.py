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
_WHOLE, _STAIR = 0.85, 0.67
"""Share of a run's height that is a whole jump; share of the wanted jump that is enough opposite one."""


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
        found |= _abrupt(distance, outside, settings)
        filled = replace(values, found)
    return found


def _abrupt(distance: Array, outside: Mask, settings: Outliers) -> Mask:
    """The runs of ``outside`` that come and go at once; a blink comes and goes in several frames.

    A run is kept if it is entered and left by a jump of most of its height, or by a whole one on one side and a good
    part of one on the other, for two faults in a row make a stair.
    """
    frames, columns = distance.shape
    # Column by column with a still frame at each end, so that runs end where columns do.
    inside = np.zeros((columns, frames + 2), np.int8)
    inside[:, 1:-1] = outside.T
    line = np.concatenate([distance[:1], distance, distance[-1:]]).T.ravel()
    edges = np.diff(inside.ravel())
    starts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    if not len(starts):
        return outside
    lengths = ends - starts
    runs = np.stack([starts, ends], axis=1).ravel()
    height = np.maximum.reduceat(np.abs(line), runs)[::2]
    sign = np.sign(np.add.reduceat(line, runs)[::2])
    first = np.r_[0, np.cumsum(lengths + 1)[:-1]]
    at = np.arange(first[-1] + lengths[-1] + 1) + np.repeat(starts - first, lengths + 1)
    steps = (line[at] - line[at - 1]) * np.repeat(sign, lengths + 1)  # into each frame of a run, and out of its last
    enters, leaves = np.maximum.reduceat(steps, first), -np.minimum.reduceat(steps, first)
    at_start, at_end = starts % (frames + 2) == 1, ends % (frames + 2) == frames + 1
    sides = np.stack([np.where(at_start, 1.0, enters / height), np.where(at_end, 1.0, leaves / height)])
    slow, fast = sides.min(axis=0), sides.max(axis=0)
    sudden = (slow >= settings.jump) | ((slow >= _STAIR * settings.jump) & (fast >= _WHOLE))
    turns = np.zeros(inside.size + 1, np.int8)
    turns[starts[sudden]] += 1
    turns[ends[sudden]] -= 1
    return np.asarray(np.cumsum(turns)[:-1].reshape(columns, frames + 2)[:, 1:-1].T > 0)


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
