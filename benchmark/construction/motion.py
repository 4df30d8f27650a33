"""The motion of a raw clip, mended, at 25 frames a second, and smooth; with an account of how far it moved.

Expression, and neck and jaw as vectors around their own middle (see ``rotations``), go through it side by side.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from benchmark.construction.cleaning import Mask, find_outliers, replace
from benchmark.construction.config import Outliers, Smoothing
from benchmark.construction.records import Array, RawClip
from benchmark.construction.resample import resample
from benchmark.construction.rotations import angles_between, from_tangent, to_tangent
from benchmark.construction.smoothing import choose_strengths, smooth
from benchmark.protocol import EXPRESSION, JAW, NECK

Three = tuple[float, float, float]
_PARTS = (EXPRESSION, NECK, JAW)


@dataclass(frozen=True)
class Mend:
    """A track without outliers, at its own rate."""

    expression: Array
    """(T, 50)."""
    neck: Array
    """(T, 3) axis-angle, radians."""
    jaw: Array
    """(T, 3) axis-angle, radians."""
    mask: Mask
    """(T, 56) what was replaced; a rotation is replaced whole."""
    untracked: int
    """Values of the raw track without a number."""

    @property
    def outliers(self) -> tuple[int, int, int]:
        """Replaced values of expression, neck and jaw, those without a number included."""
        expression, neck, jaw = (int(self.mask[:, part].sum()) for part in _PARTS)
        return expression, neck, jaw

    @property
    def share(self) -> float:
        """Replaced share of all values."""
        return float(self.mask.mean())


@dataclass(frozen=True)
class Smoothed:
    """A finished motion and what was done to it."""

    parameters: Array
    """(T, 56)."""
    strengths: Three
    """Median over the parameters of expression; neck; jaw."""
    rms: Three
    """Root mean square change from the raw track, resampled: expression in its units, neck and jaw in degrees."""
    largest: Three
    """Largest change of a frame, likewise."""


def mend(raw: RawClip, settings: Outliers) -> Mend:
    """Finds outliers and replaces them, at the track's own rate: resampled first, one wild frame would be two.

    Args:
        raw: The clip.
        settings: Of the box plot.

    Returns:
        The mended track.
    """
    values, references = _flat(raw.expression, raw.neck, raw.jaw)
    mask = find_outliers(values, settings)
    for part in (NECK, JAW):
        mask[:, part] = mask[:, part].any(axis=1, keepdims=True)
    untracked = int((~np.isfinite(values)).sum())
    if not mask.any():
        return Mend(raw.expression, raw.neck, raw.jaw, mask, untracked)
    values = replace(values, mask)
    neck, jaw = from_tangent(references[0], values[:, NECK]), from_tangent(references[1], values[:, JAW])
    return Mend(values[:, EXPRESSION], neck, jaw, mask, untracked)


def finish(raw: RawClip, mended: Mend, settings: Smoothing) -> Smoothed:
    """Resamples a mended track to 25 frames a second and smooths it.

    Args:
        raw: The clip as it came.
        mended: The same without outliers.
        settings: Of the smoothing.

    Returns:
        The motion.
    """
    expression, (neck, jaw) = resample(mended.expression, (mended.neck, mended.jaw), raw.fps, raw.times)
    weights, _ = resample((~mended.mask).astype(np.float64), (), raw.fps, raw.times)
    values, references = _flat(expression, neck, jaw)
    strengths = np.concatenate([choose_strengths(values[:, p], settings, pooled=p is not EXPRESSION) for p in _PARTS])
    values = smooth(values, weights, strengths, settings.velocity)
    smooth_neck, smooth_jaw = from_tangent(references[0], values[:, NECK]), from_tangent(references[1], values[:, JAW])
    before = _as_it_came(raw)
    changes = (
        np.abs(values[:, EXPRESSION] - before[0]),
        np.degrees(angles_between(before[1], smooth_neck)),
        np.degrees(angles_between(before[2], smooth_jaw)),
    )
    rms, largest = [np.sqrt((change**2).mean()) for change in changes], [change.max() for change in changes]
    return Smoothed(
        np.concatenate([values[:, EXPRESSION], smooth_neck, smooth_jaw], axis=1),
        _three([np.median(strengths[part]) for part in _PARTS]),
        _three(rms),
        _three(largest),
    )


def _flat(expression: Array, neck: Array, jaw: Array) -> tuple[Array, tuple[Rotation, Rotation]]:
    """(T, 56) with the rotations around their middles, and the middles."""
    neck_middle, around_neck = to_tangent(neck)
    jaw_middle, around_jaw = to_tangent(jaw)
    return np.concatenate([expression, around_neck, around_jaw], axis=1), (neck_middle, jaw_middle)


def _as_it_came(raw: RawClip) -> tuple[Array, Array, Array]:
    """The raw track resampled, gaps bridged but outliers left as they are: what changes are counted from."""
    parts = [replace(part, ~np.isfinite(part)) for part in (raw.expression, raw.neck, raw.jaw)]
    expression, (neck, jaw) = resample(parts[0], (parts[1], parts[2]), raw.fps, raw.times)
    return expression, neck, jaw


def _three(values: list[np.floating]) -> Three:
    first, second, third = (float(value) for value in values)
    return first, second, third
