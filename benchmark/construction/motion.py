"""The motion of a raw clip, mended, at 25 frames a second, and smooth; with an account of how far it moved."""

from dataclasses import dataclass

import numpy as np

from benchmark.construction.cleaning import Mask, find_outliers, replace
from benchmark.construction.config import Outliers, Smoothing
from benchmark.construction.records import Array, RawClip
from benchmark.construction.resample import resample
from benchmark.construction.rotations import angles_between, from_tangent, to_tangent
from benchmark.construction.smoothing import choose_strengths, smooth

Three = tuple[float, float, float]


@dataclass(frozen=True)
class Mend:
    """A track without outliers, at its own rate."""

    parts: tuple[Array, Array, Array]
    """Expression (T, 50), neck and jaw (T, 3) axis-angle."""
    masks: tuple[Mask, Mask, Mask]
    """What was replaced, in the same shapes; a rotation is replaced whole."""
    untracked: int
    """Values without a number among them."""

    @property
    def outliers(self) -> tuple[int, int, int]:
        """Replaced values of each part, those without a number included."""
        expression, neck, jaw = (int(mask.sum()) for mask in self.masks)
        return expression, neck, jaw

    @property
    def share(self) -> float:
        """Replaced share of all values."""
        return sum(self.outliers) / sum(mask.size for mask in self.masks)


@dataclass(frozen=True)
class Smoothed:
    """A finished motion and what smoothing did to it."""

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
    parts, masks = [raw.expression], [find_outliers(raw.expression, settings)]
    parts[0] = replace(raw.expression, masks[0])
    for vectors in (raw.neck, raw.jaw):
        reference, around = to_tangent(vectors)
        bad = np.asarray(find_outliers(around, settings).any(axis=1))
        mask = np.repeat(bad[:, None], 3, axis=1)
        parts.append(from_tangent(reference, replace(around, mask)) if bad.any() else vectors)
        masks.append(mask)
    unknown = sum(int((~np.isfinite(part)).sum()) for part in (raw.expression, raw.neck, raw.jaw))
    return Mend((parts[0], parts[1], parts[2]), (masks[0], masks[1], masks[2]), unknown)


def finish(raw: RawClip, mended: Mend, settings: Smoothing) -> Smoothed:
    """Resamples a mended track to 25 frames a second and smooths it.

    Args:
        raw: The clip as it came.
        mended: The same without outliers.
        settings: Of the smoothing.

    Returns:
        The motion.
    """
    expression, (neck, jaw) = resample(mended.parts[0], mended.parts[1:], raw.fps, raw.times)
    weights = _weights(mended.masks, raw)
    smooth_expression, strengths = _smoothed(expression, weights[0], settings, pooled=False)
    turned: list[Array] = []
    chosen = [float(np.median(strengths))]
    for vectors, weight in ((neck, weights[1]), (jaw, weights[2])):
        reference, around = to_tangent(vectors)
        flat, strengths = _smoothed(around, weight, settings, pooled=True)
        turned.append(from_tangent(reference, flat))
        chosen.append(float(strengths[0]))
    parameters = np.concatenate([smooth_expression, *turned], axis=1)
    before = _as_it_came(raw)
    changes = [
        np.abs(smooth_expression - before[0]),
        np.degrees(angles_between(before[1], turned[0])),
        np.degrees(angles_between(before[2], turned[1])),
    ]
    rms = [float(np.sqrt((change**2).mean())) for change in changes]
    largest = [float(change.max()) for change in changes]
    return Smoothed(
        parameters,
        (chosen[0], chosen[1], chosen[2]),
        (rms[0], rms[1], rms[2]),
        (largest[0], largest[1], largest[2]),
    )


def _smoothed(values: Array, weights: Array, settings: Smoothing, *, pooled: bool) -> tuple[Array, Array]:
    strengths = choose_strengths(values, settings, pooled)
    return smooth(values, weights, strengths, settings.velocity), strengths


def _weights(masks: tuple[Mask, Mask, Mask], raw: RawClip) -> tuple[Array, Array, Array]:
    """Weights of the resampled values: the share of each that comes from measured frames."""
    measured = tuple((~mask).astype(np.float64) for mask in masks)
    together, _ = resample(np.concatenate(measured, axis=1), (), raw.fps, raw.times)
    return together[:, :-6], together[:, -6:-3], together[:, -3:]


def _as_it_came(raw: RawClip) -> tuple[Array, Array, Array]:
    """The raw track resampled, gaps bridged but outliers left as they are: what changes are counted from."""
    parts = [replace(part, ~np.isfinite(part)) for part in (raw.expression, raw.neck, raw.jaw)]
    expression, (neck, jaw) = resample(parts[0], (parts[1], parts[2]), raw.fps, raw.times)
    return expression, neck, jaw
