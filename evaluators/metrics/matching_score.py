"""Matching score: distance of each motion to the text or audio it belongs to."""

from typing import Literal

import numpy as np

from evaluators.metrics._arrays import AnyArray, Float64, paired
from evaluators.metrics.spec import MMHEAD, MetricSpec


def matching_score(condition: AnyArray, motion: AnyArray) -> Float64:
    """Euclidean distance of every true pair.

    Args:
        condition: (N, d) text or audio embeddings.
        motion: (N, d) motion embeddings of the same clips in the same order.

    Returns:
        (N,) float64; their mean is the matching score.

    Raises:
        ValueError: Shapes differ or a value is not finite.

    Source: MMHead, section on metrics (there: matching score; elsewhere MM-Dist).

    >>> import numpy as np
    >>> matching_score(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 4.0], [1.0, 1.0]])).tolist()
    [5.0, 0.0]
    """
    a, b = paired(condition, motion, ("condition", "motion"), 2)
    distances: Float64 = np.linalg.norm(a - b, axis=1)
    return distances


def _spec(kind: Literal["text", "audio"]) -> MetricSpec:
    return MetricSpec(
        key=f"{kind}_match",
        id=f"{kind}_match@1",
        name=f"{kind.capitalize()} matching score",
        unit="embedding distance",
        direction="lower",
        range=(0.0, None),
        needs=("text_evaluator" if kind == "text" else "audio_evaluator",),
        formula=f"mean over clips of ||e({kind}) - e(motion)||_2, embeddings not normalised",
        official="the same per clip; averaged within batches of 32 clips in id order, then over batches without "
        "weights, so the clips of a short last batch weigh more",
        summary=f"Distance between a motion and the {kind} it was made for, in the space of the retrieval evaluator.",
        caveats=(
            "It has no unit of its own: the scale is this evaluator's, and values from different evaluators do not "
            "compare.",
            "It does not ask whether other motions are nearer still: R-Precision does.",
            "A generator that keeps near the centre of the embedding space is near to everything: read it beside "
            "diversity.",
            "Better than the truth row is no sign of quality.",
        ),
        citation=MMHEAD,
    )


SPECS = (_spec("text"), _spec("audio"))
