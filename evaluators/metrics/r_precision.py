"""R-precision: how often the right item is among the k nearest of a gallery of 32, without the luck of the draw."""

from typing import Literal

import numpy as np

from benchmark.errors import Problem
from evaluators.metrics._arrays import AnyArray, Float64, finite
from evaluators.metrics.spec import MMHEAD, MetricRefusedError, MetricSpec

GALLERY = 32
"""Gallery size of the headline metric. Another size gives other numbers altogether, so none other is ever reported."""


class GalleryTooSmallError(MetricRefusedError):
    """There are fewer clips than one gallery holds."""


def expected_r_precision(distances: AnyArray, k: int, gallery: int = GALLERY) -> Float64:
    """Probability that the true item is among the k nearest of a random gallery, exactly, for each query.

    A gallery is the true item and ``gallery - 1`` others drawn without replacement from the rest. If c others are
    nearer than the true one, the number of those drawn is hypergeometric, so the probability is
    P[Hypergeometric(N - 1, c, gallery - 1) <= k - 1]. Items at exactly the distance of the true one are put before or
    after it by a fair draw: with t of them the result is the mean over c, c + 1, ..., c + t. Embeddings that are all
    equal thus score k / gallery, neither 1 nor 0.

    Args:
        distances: (N, N), query by gallery item; the true item of query i is item i.
        k: How many of the nearest count.
        gallery: Items in a gallery, the true one included.

    Returns:
        (N,) probabilities, float64; their mean is the R-precision.

    Raises:
        GalleryTooSmallError: N < gallery.
        ValueError: Not square, not finite, or k outside 1..gallery.

    Source: R-precision as in MMHead and HumanML3D, with the expectation over shuffles in closed form.

    >>> import numpy as np
    >>> distances = np.ones((64, 64)) - np.eye(64)  # every query nearest to its own item
    >>> float(expected_r_precision(distances, k=1).mean())
    1.0
    >>> round(float(expected_r_precision(np.zeros((64, 64)), k=1).mean()) * 32, 9)  # nothing told apart: chance, 1/32
    1.0
    """
    nearer, tied = _nearer_and_tied(distances)
    hit = _hit_probability(len(nearer), k, gallery)
    cumulative = np.concatenate([[0.0], np.cumsum(hit)])
    averaged = (cumulative[nearer + tied + 1] - cumulative[nearer]) / (tied + 1)
    return np.where(tied == 0, hit[nearer], averaged)


def full_gallery_ranks(distances: AnyArray) -> Float64:
    """Rank of the true item among all N items, 1 for the nearest; ties share the mean of their ranks.

    Args:
        distances: (N, N), query by gallery item; the true item of query i is item i.

    Returns:
        (N,) float64 in [1, N].

    Raises:
        ValueError: Not square or not finite.

    >>> import numpy as np
    >>> full_gallery_ranks(np.array([[0.2, 0.1, 0.3], [0.5, 0.5, 0.5], [0.1, 0.2, 0.0]])).tolist()
    [2.0, 2.0, 1.0]
    """
    nearer, tied = _nearer_and_tied(distances)
    return 1.0 + nearer + tied / 2.0


def median_rank(distances: AnyArray) -> float:
    """Median over queries of :func:`full_gallery_ranks`; chance is (N + 1) / 2.

    >>> import numpy as np
    >>> median_rank(np.ones((5, 5)))
    3.0
    """
    return float(np.median(full_gallery_ranks(distances)))


def _nearer_and_tied(distances: AnyArray) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
    """How many other items are nearer than the true one, and how many exactly as far: two (N,) arrays."""
    square = finite(distances, "distances", 2)
    if square.shape[0] != square.shape[1] or not len(square):
        raise ValueError(
            f"distances has shape {square.shape}, expected (N, N): each query's true item is on the diagonal"
        )
    own = np.diagonal(square)[:, None]
    return np.count_nonzero(square < own, axis=1), np.count_nonzero(square == own, axis=1) - 1


def _hit_probability(n: int, k: int, gallery: int) -> Float64:
    """P[Hypergeometric(n - 1, c, gallery - 1) <= k - 1] for c = 0..n-1, by logarithms of factorials: (n,)."""
    if not 1 <= k <= gallery:
        raise ValueError(f"k is {k}, expected 1 to {gallery}")
    if n < gallery:
        raise GalleryTooSmallError(
            Problem(
                what="too few clips for R-precision",
                where=f"{n} clips",
                expected=f"at least {gallery}, one gallery",
                got=str(n),
                mend="score a larger split; a smaller gallery would give a number that compares with nothing",
            )
        )
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])

    def log_choose(total: Float64, chosen: Float64) -> Float64:
        possible = (chosen >= 0) & (chosen <= total)
        i, j = np.where(possible, total, 0).astype(np.intp), np.where(possible, chosen, 0).astype(np.intp)
        return np.where(possible, log_factorial[i] - log_factorial[j] - log_factorial[i - j], -np.inf)

    nearer = np.arange(n, dtype=np.float64)[:, None]  # (n, 1)
    drawn = np.arange(k, dtype=np.float64)[None, :]  # (1, k)
    others, places = np.float64(n - 1), np.float64(gallery - 1)
    log_p = log_choose(nearer, drawn) + log_choose(others - nearer, places - drawn)
    hit: Float64 = np.exp(log_p - log_choose(np.asarray(others), np.asarray(places))).sum(axis=1)
    return np.minimum(hit, 1.0)


def _spec(kind: Literal["text", "audio"], k: int) -> MetricSpec:
    query, item = ("text", "motion") if kind == "text" else ("motion", "audio")
    name = "Text" if kind == "text" else "Audio"
    direction_caveat = (
        "The query is the text and the gallery holds motions; the other direction gives other numbers."
        if kind == "text"
        else "The query is the motion and the gallery holds audio, as in the released code, whose variable names "
        "suggest the reverse; the other direction gives other numbers."
    )
    return MetricSpec(
        key=f"{kind}_r_precision_{k}",
        id=f"{kind}_r_precision_{k}@1",
        name=f"{name} R-Precision, top {k}",
        unit="fraction of queries",
        direction="higher",
        range=(0.0, 1.0),
        needs=("text_evaluator" if kind == "text" else "audio_evaluator", "clips>=32"),
        formula=f"mean over clips i of P[Hypergeometric(N - 1, c_i, {GALLERY - 1}) <= {k - 1}], c_i = number of other "
        f"{item}s nearer to {query} i than its own (Euclidean); with t_i ties, averaged over c_i .. c_i + t_i",
        official=f"clips in id order in batches of {GALLERY}, the short last batch kept; in each batch the fraction of "
        f"queries whose own {item} is among the {k} nearest; unweighted mean over batches",
        summary=f"How often the {item} that belongs to a {query} is among the {k} nearest of {GALLERY}, in the "
        "space of the retrieval evaluator. The strict value is the exact expectation over all random galleries: no "
        "shuffling noise.",
        caveats=(
            f"It depends strongly on the gallery size: a matcher with 0.48 at {GALLERY} has 0.71 at 8 and 0.22 at "
            f"256. Only values at {GALLERY} compare. Chance is {k}/{GALLERY} = {k / GALLERY:.4f}.",
            direction_caveat,
            "Distances are Euclidean on embeddings as the evaluator gives them: the released ones are not normalised "
            "although trained on cosines, the embedded ones have one length.",
            "Better than the truth row is no sign of quality: the evaluator is trained on the same distribution, and a "
            "generator that keeps to its centre is easier to retrieve than real motion.",
            "Clips whose texts say nearly the same are counted as misses when mixed up; the truth row shows that "
            "ceiling.",
            "It is a property of the evaluator as much as of the motions: never compare across evaluators.",
        ),
        citation=f"{MMHEAD}; Guo et al., Generating Diverse and Natural 3D Human Motions from Text, CVPR 2022",
    )


SPECS = tuple(_spec(kind, k) for kind in ("text", "audio") for k in (1, 2, 3))
