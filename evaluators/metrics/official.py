"""The official protocol: what MMHead's released evaluation computes, quirk by quirk, from clips and embeddings.

Clips come in frozen id order (the released code leaves the order to a loader it does not have) and are cut into batches
of 32, the short last one kept. Whatever is computed in a batch is averaged over batches without weights. There are no
options: another batch size would be another metric. Two things differ from the released code, both where it breaks:
distances are clamped at zero, and the random pairs of diversity are seeded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Problem
from evaluators.metrics._arrays import AnyArray, Float64, finite, paired
from evaluators.metrics.fid import fid
from evaluators.metrics.fve import fve as fve_of_clip
from evaluators.metrics.lve import lve as lve_of_clip
from evaluators.metrics.matching_score import matching_score as distance_of_pairs
from evaluators.metrics.spec import MetricRefusedError

BATCH = 32
"""Clips in a batch, which is also the gallery of R-precision."""
TOP = 3
"""R@1, R@2 and R@3 are computed together."""

__all__ = [
    "BATCH",
    "audio_r_precision",
    "batch_mean",
    "batches",
    "diversity",
    "expanded_distances",
    "fid",
    "fve_mm",
    "lve_mm",
    "matching_score",
    "r_precision_of_batches",
    "text_r_precision",
]


def batches(n: int) -> list[slice]:
    """The batches of n clips in order, the short last one kept.

    >>> batches(70)
    [slice(0, 32, None), slice(32, 64, None), slice(64, 70, None)]
    """
    return [slice(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


def batch_mean(per_clip: AnyArray) -> float:
    """Mean over batches of the mean within each batch: clips of a short last batch weigh more than others.

    Args:
        per_clip: (N,) numbers in frozen id order.

    Raises:
        ValueError: Empty, or a value is not finite.

    >>> import numpy as np
    >>> batch_mean(np.array([0.0] * 32 + [1.0]))  # one clip of 33 counts for half
    0.5
    """
    values = finite(per_clip, "per_clip", 1)
    if not len(values):
        raise ValueError("no clip to average over")
    return float(np.mean([values[batch].mean() for batch in batches(len(values))]))


def lve_mm(pred: Sequence[AnyArray], truth: Sequence[AnyArray], lips: Sequence[int] | NDArray[np.integer]) -> float:
    """Lip vertex error in millimetres: frames are averaged in each clip, clips in each batch, then batches.

    Args:
        pred: Clips of (T, n, 3) vertices in metres, valid frames only: the truth's length decides which are valid.
        truth: Clips of (T, n, 3) vertices in metres.
        lips: Columns (of n) that are lip vertices.

    Raises:
        ValueError: Shapes differ, nothing to average over, or a value is not finite.
    """
    return batch_mean(np.array([lve_of_clip(p, t, lips) for p, t in zip(pred, truth, strict=True)]))


def fve_mm(pred: Sequence[AnyArray], truth: Sequence[AnyArray], face: Sequence[int] | NDArray[np.integer]) -> float:
    """Face vertex error in millimetres, averaged like :func:`lve_mm`.

    Args:
        pred: Clips of (T, n, 3) vertices in metres, valid frames only.
        truth: Clips of (T, n, 3) vertices in metres.
        face: Columns (of n) that are face vertices.

    Raises:
        ValueError: Shapes differ, nothing to average over, or a value is not finite.
    """
    return batch_mean(np.array([fve_of_clip(p, t, face) for p, t in zip(pred, truth, strict=True)]))


def expanded_distances(query: AnyArray, gallery: AnyArray) -> Float64:
    """Euclidean distances as sqrt(q^2 - 2 q g + g^2), the released code's form, clamped at zero, in float64.

    Unclamped, rounding makes some distances of equal embeddings the root of a negative number, and sorting puts NaN
    last: a perfect match would rank worst.

    Args:
        query: (N, d) embeddings.
        gallery: (M, d) embeddings.

    Returns:
        (N, M) float64.

    >>> import numpy as np
    >>> expanded_distances(np.zeros((1, 2)), np.array([[3.0, 4.0]])).tolist()
    [[5.0]]
    """
    q, g = finite(query, "query", 2), finite(gallery, "gallery", 2)
    squares: Float64 = (q**2).sum(axis=1)[:, None] - 2.0 * (q @ g.T) + (g**2).sum(axis=1)[None, :]
    distances: Float64 = np.sqrt(np.maximum(squares, 0.0))
    return distances


def r_precision_of_batches(query: AnyArray, gallery: AnyArray) -> Float64:
    """R@1, R@2 and R@3 within each batch.

    Ties go to the item that comes first, as a stable sort has it. A last batch of three clips or fewer cannot miss at
    top 3, and a last batch of one scores 1 throughout.

    Args:
        query: (N, d) embeddings in frozen id order.
        gallery: (N, d) embeddings of the same clips.

    Returns:
        (batches, 3) fractions.

    Raises:
        ValueError: Shapes differ or a value is not finite.

    >>> import numpy as np
    >>> r_precision_of_batches(np.eye(40), np.eye(40)).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    q, g = paired(query, gallery, ("query", "gallery"), 2)
    return np.array([_top_k_hits(expanded_distances(q[batch], g[batch])) for batch in batches(len(q))])


def _top_k_hits(distances: Float64) -> Float64:
    """Fractions of queries whose own item is among the nearest 1, 2 and 3: (3,)."""
    order = np.argsort(distances, axis=1, kind="stable")
    place = np.argmax(order == np.arange(len(order))[:, None], axis=1)  # (N,), 0 for the nearest
    return np.array([np.mean(place < k) for k in range(1, TOP + 1)])


def text_r_precision(text: AnyArray, motion: AnyArray) -> Float64:
    """Text R@1..3: the query is the text, the gallery holds motions.

    Args:
        text: (N, d) text embeddings in frozen id order.
        motion: (N, d) motion embeddings of the same clips.

    Returns:
        (3,) unweighted means over batches.

    Raises:
        MetricRefusedError: There is not one full batch.
    """
    return _mean_r_precision(text, motion)


def audio_r_precision(audio: AnyArray, motion: AnyArray) -> Float64:
    """Audio R@1..3: the query is the motion, the gallery holds audio.

    The released function returns (motion, audio) and its caller unpacks them under the names of (audio, motion), so the
    direction is the opposite of what its variables say.

    Args:
        audio: (N, d) audio embeddings in frozen id order.
        motion: (N, d) motion embeddings of the same clips.

    Returns:
        (3,) unweighted means over batches.

    Raises:
        MetricRefusedError: There is not one full batch.
    """
    return _mean_r_precision(motion, audio)


def _mean_r_precision(query: AnyArray, gallery: AnyArray) -> Float64:
    if len(query) < BATCH:
        expected = f"at least {BATCH}, one full batch"
        raise MetricRefusedError(Problem("too few clips for R-precision", f"{len(query)} clips", expected=expected))
    mean: Float64 = r_precision_of_batches(query, gallery).mean(axis=0)
    return mean


def matching_score(condition: AnyArray, motion: AnyArray) -> float:
    """Mean distance of the true pairs: within batches, then over batches.

    Args:
        condition: (N, d) text or audio embeddings in frozen id order.
        motion: (N, d) motion embeddings of the same clips.
    """
    return batch_mean(distance_of_pairs(condition, motion))


def diversity(real: AnyArray, pred: AnyArray, seed: int) -> tuple[float, float]:
    """Mean distance of random pairs of clips, for the real motions and then for the generated ones.

    The number of pairs is 300 if there are more than 300 batches, else 100: the released code counts batches where it
    means clips. The two members of a pair are drawn independently, each without replacement, so a clip can be paired
    with itself, and the two rows use different pairs.

    Args:
        real: (N, d) embeddings of the real motions.
        pred: (N, d) embeddings of the generated motions.
        seed: Seed of the pairs. The released code has none: numpy's global state draws them.

    Returns:
        (diversity of real, diversity of pred).

    Raises:
        MetricRefusedError: There are no more clips than pairs to draw.
        ValueError: Shapes differ or a value is not finite.

    >>> import numpy as np
    >>> clips = np.random.default_rng(0).normal(size=(200, 8))
    >>> [round(value, 3) for value in diversity(clips, clips, seed=0)]  # same clips, other pairs
    [3.872, 3.759]
    """
    real, pred = paired(real, pred, ("real", "pred"), 2)
    pairs = 300 if len(batches(len(real))) > 300 else 100
    if len(real) <= pairs:
        raise MetricRefusedError(
            Problem("too few clips for diversity", f"{len(real)} clips", expected=f"more than {pairs}, the pairs drawn")
        )
    generator = np.random.RandomState(seed)  # not default_rng: the released code draws from this one
    return _random_pairs_mean(real, pairs, generator), _random_pairs_mean(pred, pairs, generator)


def _random_pairs_mean(embeddings: Float64, pairs: int, generator: np.random.RandomState) -> float:
    first = generator.choice(len(embeddings), pairs, replace=False)
    second = generator.choice(len(embeddings), pairs, replace=False)
    return float(np.linalg.norm(embeddings[first] - embeddings[second], axis=1).mean())
