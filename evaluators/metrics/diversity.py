"""Diversity: how far the motions of different clips are from each other."""

from benchmark.errors import Problem
from evaluators.metrics._arrays import AnyArray, Float64
from evaluators.metrics.distances import euclidean
from evaluators.metrics.spec import MMHEAD, MetricRefusedError, MetricSpec


def diversity(embeddings: AnyArray) -> float:
    """Mean Euclidean distance over all pairs of different clips.

    Args:
        embeddings: (N, d) motion embeddings, one a clip.

    Returns:
        The mean distance; equal to the mean of :func:`diversity_per_clip`.

    Raises:
        MetricRefusedError: N is below 2.
        ValueError: A value is not finite.

    Source: MMHead, section on metrics (there over 300 random pairs, of which this is the expectation).

    >>> import numpy as np
    >>> diversity(np.array([[0.0], [1.0], [3.0]]))  # pairs are 1, 2 and 3 apart
    2.0
    """
    return float(diversity_per_clip(embeddings).mean())


def diversity_per_clip(embeddings: AnyArray) -> Float64:
    """Each clip's mean distance to all others.

    Args:
        embeddings: (N, d) motion embeddings, one a clip.

    Returns:
        (N,) float64.

    Raises:
        MetricRefusedError: N is below 2.
        ValueError: A value is not finite.

    >>> import numpy as np
    >>> diversity_per_clip(np.array([[0.0], [1.0], [3.0]])).tolist()
    [2.0, 1.5, 2.5]
    """
    distances = euclidean(embeddings, embeddings)
    if len(distances) < 2:
        raise MetricRefusedError(
            Problem("too few clips for diversity", f"{len(distances)} clips", expected="at least 2, one pair")
        )
    per_clip: Float64 = distances.sum(axis=1) / (len(distances) - 1)
    return per_clip


SPEC = MetricSpec(
    key="diversity",
    id="diversity@1",
    name="Diversity",
    unit="embedding distance",
    direction="truth",
    range=(0.0, None),
    needs=("text_evaluator", "clips>=2"),
    formula="mean over all N(N-1)/2 pairs of clips i < j of ||e(motion i) - e(motion j)||_2",
    official="mean over 100 random pairs (300 only when there are more than 300 batches of 32), the two members drawn "
    "independently, real and generated motions with different draws; here seeded",
    summary="How different the motions of different clips are from each other, in the space of the retrieval "
    "evaluator.",
    caveats=(
        "Closer to the truth row is better, from either side: noise raises diversity, a mean motion lowers it.",
        "It says nothing about different motions for one condition: multimodality does.",
        "The official value carries about 1.4% of sampling noise (100 pairs), and about 2% in its gap to the truth "
        "row, because the two rows use different pairs; the strict value has none.",
        "The scale is this evaluator's: values from different evaluators do not compare.",
    ),
    citation=MMHEAD,
)
