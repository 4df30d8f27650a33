"""How sure a number is: intervals by resampling performers, and paired comparison of two systems.

Clips of one performer or source video resemble each other, so what is resampled is the cluster, not the clip. Each
interval answers: how far would this number move, had the same protocol met other performers of the same kind? It says
nothing about training seeds. Per-clip numbers that depend on other clips, the expected R-precision, are taken as given:
the gallery they were computed against stays the whole set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluators.metrics._arrays import AnyArray, Float64, finite, paired
from evaluators.metrics.distances import euclidean
from evaluators.metrics.fid import factor, fid, frechet_from_factor

LEVEL = 0.95
MIN_CLUSTERS = 5
"""With fewer clusters, clips are resampled; with fewer clips than this, there is no interval at all."""
FID_REPLICATES = 200
"""A replicate of FID costs an eigen-decomposition, so there are fewer of them."""
_BLOCK_BYTES = 32 * 2**20
"""Most memory for the outer products of units at a time."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, and how it was made."""

    low: float
    high: float
    level: float
    """Nominal coverage, 0.95."""
    method: str
    """What was resampled, how often, with which seed."""
    n: int
    """Clips it rests on."""


@dataclass(frozen=True)
class Difference:
    """Mean difference of two systems on the clips both have answered."""

    value: float
    """Mean of first minus second."""
    interval: Interval | None
    """None when there are too few clips for one."""
    n: int
    """Shared clips."""

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out zero; False without an interval."""
        return self.interval is not None and not self.interval.low <= 0.0 <= self.interval.high


class ClusterBootstrap:
    """Draws clusters of clips with replacement, as many as there are, again and again.

    The draws are made once, so intervals of several metrics and systems over the same clips use the same ones.

    With fewer than five clusters a bootstrap over them means nothing: then clips are drawn instead and ``method`` says
    so; such an interval holds for these performers only and is too narrow for others. With fewer than five clips every
    interval is None, because none could be honest. Replicates in an interval's ``method`` are those it really used.

    Args:
        clusters: Cluster of each clip (its performer or source), in the order of the numbers to come.
        seed: Seed of the draws.
        replicates: How often to draw.

    Raises:
        ValueError: No clip, or no replicate.

    >>> bootstrap = ClusterBootstrap(["anna"] * 3 + ["bob", "cem", "dot", "eva"], seed=0, replicates=1000)
    >>> bootstrap.method(1000)
    'expanded percentile bootstrap, 5 clusters, 1000 replicates, seed 0'
    >>> interval = bootstrap.mean_interval([1.0, 1.0, 1.0, 2.0, 3.0, 2.0, 1.0])
    >>> 1.0 <= interval.low < 1.571 < interval.high <= 3.0
    True
    """

    def __init__(self, clusters: Sequence[str], seed: int, replicates: int = 1000) -> None:
        if not len(clusters) or replicates < 1:
            raise ValueError(f"cannot draw {replicates} replicates of {len(clusters)} clips")
        self.n = len(clusters)
        """Clips."""
        self.seed = seed
        self.replicates = replicates
        names, membership = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        self.n_clusters = len(names)
        """Distinct clusters, whether or not they are what is drawn."""
        self.by_cluster = self.n_clusters >= MIN_CLUSTERS
        """Whether clusters are drawn; else clips."""
        self.membership: NDArray[np.intp] = membership if self.by_cluster else np.arange(self.n)
        """(N,) index of the unit each clip belongs to."""
        self.units = self.n_clusters if self.by_cluster else self.n
        """Clusters or clips to draw from."""

    @cached_property
    def counts(self) -> Float64:
        """(replicates, units): how often each unit was drawn; ``counts[:, membership]`` are per-clip weights."""
        generator = np.random.default_rng(self.seed)
        return generator.multinomial(self.units, np.full(self.units, 1.0 / self.units), self.replicates).astype(float)

    def method(self, replicates: int, centred: bool = False) -> str:
        """How an interval of so many replicates was made, in words."""
        what = f"{self.n_clusters} clusters" if self.by_cluster else f"{self.n} clips"
        why = "" if self.by_cluster else f" (clips, not performers, because there are only {self.n_clusters} of these)"
        centre = ", centred on the estimate" if centred else ""
        return f"expanded percentile bootstrap{centre}, {what}{why}, {replicates} replicates, seed {self.seed}"

    def mean_interval(self, values: AnyArray | Sequence[float]) -> Interval | None:
        """Interval of the mean of per-clip numbers.

        Args:
            values: (N,) one number a clip.

        Returns:
            The interval, or None with fewer than five clips.

        Raises:
            ValueError: Another number of clips, or a value is not finite.
        """
        per_clip = self._of_clips(finite(np.asarray(values), "values", 1))
        if self.units < MIN_CLUSTERS:
            return None
        sums = np.bincount(self.membership, per_clip, self.units)
        sizes = np.bincount(self.membership, minlength=self.units)
        return self.interval((self.counts @ sums) / (self.counts @ sizes))

    def interval(self, replicates: Float64, centre: float | None = None) -> Interval:
        """Interval from the replicates of a statistic, shifted so that their mean is ``centre`` where one is given.

        The plain percentile interval of a small number of units is too narrow; the levels are widened by Hesterberg's
        rule to what a t interval would take, which changes little above thirty units.
        """
        low, high = np.quantile(replicates, _expanded_levels(self.units))
        shift = 0.0 if centre is None else centre - float(np.mean(replicates))
        method = self.method(len(replicates), centred=centre is not None)
        return Interval(float(low) + shift, float(high) + shift, LEVEL, method, self.n)

    def _of_clips(self, array: Float64) -> Float64:
        if len(array) != self.n:
            raise ValueError(f"got numbers of {len(array)} clips, expected {self.n}")
        return array


def _expanded_levels(units: int) -> tuple[float, float]:
    """Quantile levels whose percentile interval is as wide as the t interval of so many units."""
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(units - 1, (1.0 + LEVEL) / 2.0) * np.sqrt(units / (units - 1))
    return float(ndtr(-quantile)), float(ndtr(quantile))


def paired_difference(
    first: AnyArray | Sequence[float], second: AnyArray | Sequence[float], bootstrap: ClusterBootstrap
) -> Difference:
    """Mean difference of two systems on shared clips, with its interval.

    Pairing removes what makes a clip hard for both, so it finds differences that two separate intervals hide.

    Args:
        first: (N,) per-clip numbers of one system.
        second: (N,) per-clip numbers of the other, same clips in the same order.
        bootstrap: Draws over these clips.

    Returns:
        First minus second.

    Raises:
        ValueError: Shapes differ or a value is not finite.

    >>> bootstrap = ClusterBootstrap([f"performer {i}" for i in range(20)], seed=0)
    >>> hard = [float(i) for i in range(20)]
    >>> difference = paired_difference([value + 1.0 for value in hard], hard, bootstrap)
    >>> difference.value, difference.significant
    (1.0, True)
    """
    a, b = paired(np.asarray(first), np.asarray(second), ("first", "second"), 1)
    return Difference(float((a - b).mean()), bootstrap.mean_interval(a - b), len(a))


def diversity_interval(embeddings: AnyArray, bootstrap: ClusterBootstrap) -> Interval | None:
    """Interval of the all-pairs diversity.

    Two copies of one drawn unit are never paired with each other: their distance of zero is an artefact of drawing
    twice. A pair of clips counts by the product of its two units' draws, a pair within a unit by that unit's draws.

    Args:
        embeddings: (N, d), or (K, N, d) for K samples a clip, whose diversities are averaged.
        bootstrap: Draws over the N clips.

    Returns:
        The interval, or None with fewer than five clips.

    Raises:
        ValueError: Another number of clips, or a value is not finite.
    """
    samples = _samples(embeddings, bootstrap)
    if bootstrap.units < MIN_CLUSTERS:
        return None
    member = bootstrap.membership
    sizes = np.bincount(member, minlength=bootstrap.units).astype(float)
    sums = np.zeros((bootstrap.units, bootstrap.units))
    for sample in samples:
        by_row = np.zeros((bootstrap.units, bootstrap.n))
        np.add.at(by_row, member, euclidean(sample, sample))
        np.add.at(sums.T, member, by_row.T / len(samples))
    pairs = np.outer(sizes, sizes)
    np.fill_diagonal(pairs, sizes * (sizes - 1.0))
    return bootstrap.interval(_drawn_sum(sums, bootstrap.counts) / _drawn_sum(pairs, bootstrap.counts))


def _drawn_sum(of_units: Float64, counts: Float64) -> Float64:
    """Sum over pairs of units weighted by the product of their draws, within a unit by its draws: (R,)."""
    within = np.diagonal(of_units)
    total: Float64 = np.einsum("ru,ru->r", counts @ of_units, counts) - (counts**2 - counts) @ within
    return total


def fid_interval(
    real: AnyArray, pred: AnyArray, bootstrap: ClusterBootstrap, replicates: int = FID_REPLICATES
) -> Interval | None:
    """Interval of FID, drawing the same clips on both sides.

    Repeated clips act like a smaller sample and inflate FID, so the replicates are centred on the estimate; their
    spread, not their place, is what is used. The interval is about FID at this number of clips, its bias included.

    Args:
        real: (N, d) embeddings of the real motions.
        pred: (N, d) embeddings of the generated ones, or (K, N, d) for K samples a clip, whose FIDs are averaged.
        bootstrap: Draws over the N clips.
        replicates: How many of the draws to use.

    Returns:
        The interval, its low end at least 0, or None with fewer than five clips.

    Raises:
        ValueError: Another number of clips, or a value is not finite.
    """
    truth, samples = _samples(real, bootstrap)[0], _samples(pred, bootstrap)
    if bootstrap.units < MIN_CLUSTERS:
        return None
    origin, counts = truth.mean(axis=0), bootstrap.counts[:replicates]
    differing = [sample for sample in samples if not np.array_equal(sample, truth)]  # the others score 0 in every draw
    drawn = np.zeros(len(counts))
    means, factors = _moments(truth - origin, bootstrap.membership, counts if differing else counts[:0])
    for covariance in factors:  # in place: the matrices of all replicates are the memory this takes
        covariance[:] = factor(covariance)
    for sample in differing:
        theirs = zip(means, factors, *_moments(sample - origin, bootstrap.membership, counts), strict=True)
        drawn += [frechet_from_factor(*moments) / len(samples) for moments in theirs]
    estimate = float(np.mean([fid(truth, sample) for sample in samples]))
    interval = bootstrap.interval(drawn, centre=estimate)
    return replace(interval, low=min(max(0.0, interval.low), estimate), high=max(interval.high, estimate))


def _moments(values: Float64, membership: NDArray[np.intp], counts: Float64) -> tuple[Float64, Float64]:
    """Mean (R, d) and covariance (R, d, d) of every replicate, from the units' sums and outer products.

    Args:
        values: (N, d), near zero mean, so that subtracting the means' product loses no digits.
        membership: (N,) unit of each clip.
        counts: (R, U) draws of each unit.
    """
    units, d = counts.shape[1], values.shape[1]
    sums = np.zeros((units, d))
    np.add.at(sums, membership, values)
    n = counts @ np.bincount(membership, minlength=units)  # (R,) clips in each replicate
    means = counts @ sums / n[:, None]
    products = np.zeros((len(counts), d * d))
    block = max(1, _BLOCK_BYTES // (8 * d * d))
    for start in range(0, units, block):
        chosen = range(start, min(start + block, units))
        outer = np.array([values[membership == unit].T @ values[membership == unit] for unit in chosen])
        products += counts[:, chosen.start : chosen.stop] @ outer.reshape(len(chosen), d * d)
    covariances = products.reshape(len(counts), d, d)
    for r, mean in enumerate(means):
        covariances[r] -= n[r] * np.outer(mean, mean)
        covariances[r] /= n[r] - 1.0
    return means, covariances


def _samples(embeddings: AnyArray, bootstrap: ClusterBootstrap) -> Float64:
    """Embeddings as (K, N, d), checked against the bootstrap's number of clips."""
    array = np.asarray(embeddings)
    values = finite(array if array.ndim == 3 else array[None], "embeddings", 3)
    if values.shape[1] != bootstrap.n or not len(values):
        raise ValueError(f"embeddings have shape {array.shape}, expected {bootstrap.n} clips")
    return values


def official_halfwidth(values: AnyArray | Sequence[float]) -> float:
    """Half the 95% interval of HumanML3D's habit: 1.96 standard deviations (n in the denominator) over the root of n.

    Too narrow: over 20 repetitions it covers 92.9%, over 5 only 84.5% (simulated, normal data). For comparison with
    published numbers only; :func:`t_halfwidth` is the right one.

    Raises:
        ValueError: Empty, or a value is not finite.

    >>> round(official_halfwidth([1.0, 2.0, 3.0]), 4)
    0.924
    """
    repeats = finite(np.asarray(values), "values", 1)
    if not len(repeats):
        raise ValueError("no repetition to take a deviation of")
    return float(1.96 * repeats.std(ddof=0) / np.sqrt(len(repeats)))


def t_halfwidth(values: AnyArray | Sequence[float], level: float = LEVEL) -> float | None:
    """Half the interval of a mean over repetitions or seeds by Student's t; None with one value, which says nothing.

    Raises:
        ValueError: Empty, or a value is not finite.

    >>> round(t_halfwidth([1.0, 2.0, 3.0]), 4)
    2.4841
    """
    from scipy.special import stdtrit

    repeats = finite(np.asarray(values), "values", 1)
    if not len(repeats):
        raise ValueError("no repetition to take a deviation of")
    if len(repeats) == 1:
        return None
    quantile = stdtrit(len(repeats) - 1, (1.0 + level) / 2.0)
    return float(quantile * repeats.std(ddof=1) / np.sqrt(len(repeats)))
