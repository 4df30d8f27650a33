"""Fréchet distance between the motion embeddings of real and generated clips."""

from dataclasses import dataclass

import numpy as np

from benchmark.errors import Problem
from evaluators.metrics._arrays import AnyArray, Float64, finite
from evaluators.metrics.spec import MMHEAD, MetricRefusedError, MetricSpec

_SMALLEST_PIVOT = 1e-5
"""Cholesky pivots further apart than this are treated as a singular covariance."""


def fid(real: AnyArray, pred: AnyArray) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of embeddings.

    The trace of the root of the product of the covariances S1 and S2 is taken as the sum of the roots of the
    eigenvalues of S1^1/2 S2 S1^1/2, which is symmetric: no complex numbers, no failure when a covariance is singular.

    Args:
        real: (N, d) embeddings of the real motions.
        pred: (M, d) embeddings of the generated motions.

    Returns:
        The distance, at least 0, in squared units of the embedding space.

    Raises:
        MetricRefusedError: N or M is below 2.
        ValueError: Widths differ or a value is not finite.

    Source: Heusel et al. 2017; MMHead, section on metrics.

    >>> import numpy as np
    >>> real = np.random.default_rng(0).normal(size=(500, 4))
    >>> round(fid(real, real), 6), round(fid(real, real + 1.0), 6)  # a shift by 1 in 4 dimensions
    (0.0, 4.0)
    """
    real, pred = _embeddings(real, "real"), _embeddings(pred, "pred")
    if real.shape[1] != pred.shape[1]:
        raise ValueError(f"real has {real.shape[1]} columns but pred has {pred.shape[1]}")
    root = symmetric_root(covariance(real))
    return frechet_from_factor(real.mean(axis=0), root, pred.mean(axis=0), covariance(pred))


def frechet_from_factor(mean1: Float64, factor1: Float64, mean2: Float64, covariance2: Float64) -> float:
    """Fréchet distance of two Gaussians, the first given by a factor F of its covariance F F^T.

    Any factor serves: F^T S2 F has the eigenvalues of S1^1/2 S2 S1^1/2.

    Args:
        mean1: (d,).
        factor1: (d, d), :func:`factor` or :func:`symmetric_root` of the first covariance.
        mean2: (d,).
        covariance2: (d, d).
    """
    eigenvalues = np.asarray(np.linalg.eigvalsh(factor1.T @ covariance2 @ factor1), dtype=np.float64)
    roots = np.sqrt(_without_rounding(eigenvalues)).sum()
    distance = np.sum((mean1 - mean2) ** 2) + np.sum(factor1**2) + np.trace(covariance2) - 2.0 * roots
    return max(float(distance), 0.0)


def factor(matrix: Float64) -> Float64:
    """A factor F with F F^T = ``matrix``: triangular where it is well conditioned, which is many times quicker."""
    try:
        triangle = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return symmetric_root(matrix)
    pivots = np.diagonal(triangle)
    return triangle if pivots.min() > _SMALLEST_PIVOT * pivots.max() else symmetric_root(matrix)


def symmetric_root(matrix: Float64) -> Float64:
    """The symmetric positive root of a symmetric positive semi-definite (d, d) matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: Float64 = (vectors * np.sqrt(_without_rounding(values))) @ vectors.T
    return root


def covariance(embeddings: Float64) -> Float64:
    """Covariance over rows with n - 1 in the denominator: (N, d) to (d, d)."""
    centred = embeddings - embeddings.mean(axis=0)
    product: Float64 = centred.T @ centred / (len(centred) - 1)
    return product


def _without_rounding(eigenvalues: Float64) -> Float64:
    """Zero in place of eigenvalues that are rounding error: their roots would be a hundred million times larger."""
    threshold = len(eigenvalues) * np.finfo(np.float64).eps * max(float(eigenvalues.max()), 0.0)
    return np.where(eigenvalues > threshold, eigenvalues, 0.0)


def _embeddings(array: AnyArray, name: str) -> Float64:
    values = finite(array, name, 2)
    if len(values) < 2:
        raise MetricRefusedError(
            Problem("too few clips for a covariance", f"{name}: {len(values)} clips", expected="at least 2")
        )
    return values


def small_sample_caveat(n: int, d: int) -> str | None:
    """A sentence for results whose FID stands on too few clips, or None when there are more clips than dimensions.

    >>> small_sample_caveat(300, 128) is None
    True
    >>> small_sample_caveat(100, 128)
    'FID from 100 clips in 128 dimensions: the covariance is singular and the value mostly sampling bias'
    """
    if n > d:
        return None
    return f"FID from {n} clips in {d} dimensions: the covariance is singular and the value mostly sampling bias"


@dataclass(frozen=True)
class NoiseFloor:
    """What FID reads between two samples of the same distribution."""

    value: float
    """Mean over splits of the FID between two random halves of the real clips."""
    n: int
    """Clips in each half. The bias falls about as 1/n, so the floor of the whole set is near half of this."""
    splits: int
    """How many random splits were averaged."""
    seed: int
    """Seed of the splits."""


def fid_noise_floor(real: AnyArray, seed: int = 0, splits: int = 10) -> NoiseFloor:
    """FID between random halves of the real embeddings: differences of this size mean nothing.

    Args:
        real: (N, d) embeddings of the real motions.
        seed: Seed of the splits.
        splits: How many splits to average.

    Returns:
        The floor with the size of the halves.

    Raises:
        MetricRefusedError: N is below 4, so that a half has no covariance.
        ValueError: A value is not finite, or no split is asked for.

    >>> import numpy as np
    >>> floor = fid_noise_floor(np.random.default_rng(0).normal(size=(400, 4)))
    >>> floor.n, 0.0 < floor.value < 0.2
    (200, True)
    """
    values = finite(real, "real", 2)
    half = len(values) // 2
    if half < 2:
        raise MetricRefusedError(
            Problem("too few clips for halves", f"real: {len(values)} clips", expected="at least 4")
        )
    if splits < 1:
        raise ValueError(f"splits is {splits}, expected at least 1")
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(values)) for _ in range(splits)]
    distances = [fid(values[order[:half]], values[order[half : 2 * half]]) for order in orders]
    return NoiseFloor(value=float(np.mean(distances)), n=half, splits=splits, seed=seed)


SPEC = MetricSpec(
    key="fid",
    id="fid@1",
    name="Fréchet distance (FID)",
    unit="squared embedding distance",
    direction="lower",
    range=(0.0, None),
    needs=("text_evaluator", "clips>=2"),
    formula="||m1 - m2||^2 + tr(S1) + tr(S2) - 2 tr((S1^1/2 S2 S1^1/2)^1/2), m and S mean and covariance (n - 1) "
    "of the text evaluator's motion embeddings of real and generated clips, float64",
    official="the same formula; predictions are embedded with the head pose at zero while real motions keep "
    "theirs, so a perfect prediction does not reach 0",
    summary="How far the distribution of generated motions is from that of the real ones, in the space of the "
    "retrieval evaluator. Sees missing variety and implausible motion, not whether a motion fits its own condition.",
    caveats=(
        "Biased upwards on small samples, about as d/n: two samples of one 256-d distribution differ by 3.4 at n = "
        "100, 1.1 at 300, 0.33 at 1,000 and 0.04 at 8,000 in one simulation. Only values at the same n compare; "
        "the noise floor (FID of random halves of the truth) is reported beside it.",
        "With n <= d the covariance is singular: the number is still defined, but mostly bias, and the result says so.",
        "Real and generated motions are of the same clips with the same lengths, so a copy of the truth scores "
        "exactly 0, below the noise floor.",
        "Blind to mixing up conditions: right motions for wrong texts score 0.",
        "The interval comes from a bootstrap centred on the estimate, because repeated clips inflate FID: it describes "
        "sampling noise and does not remove the bias.",
        "The scale is this evaluator's: never compare with a FID on other features.",
    ),
    citation=f"Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017; {MMHEAD}",
)
