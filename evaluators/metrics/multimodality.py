"""Multimodality: how different the motions are that one condition gets."""

import numpy as np

from benchmark.errors import Problem
from evaluators.metrics._arrays import AnyArray, Float64, finite
from evaluators.metrics.spec import MetricRefusedError, MetricSpec


def multimodality(embeddings: AnyArray) -> Float64:
    """Mean Euclidean distance over all pairs of one clip's samples, for each clip.

    Args:
        embeddings: (K, N, d) motion embeddings, K samples for each of N clips.

    Returns:
        (N,) float64; their mean is the multimodality.

    Raises:
        MetricRefusedError: K is below 2.
        ValueError: Not three axes, or a value is not finite.

    Source: Guo et al. 2022 (there over random pairs, which may coincide).

    >>> import numpy as np
    >>> multimodality(np.array([[[0.0], [5.0]], [[1.0], [5.0]], [[3.0], [5.0]]])).tolist()  # 3 samples, 2 clips
    [2.0, 0.0]
    """
    samples = finite(embeddings, "embeddings", 3)
    count = len(samples)
    if count < 2:
        raise MetricRefusedError(
            Problem(
                what="too few samples a clip for multimodality",
                where=f"{count} samples a clip",
                expected="at least 2",
                mend="declare the submission stochastic and give several samples",
            )
        )
    pairs = [np.linalg.norm(samples[i] - samples[j], axis=1) for i in range(count) for j in range(i)]
    per_clip: Float64 = np.mean(pairs, axis=0)
    return per_clip


SPEC = MetricSpec(
    key="multimodality",
    id="multimodality@1",
    name="Multimodality",
    unit="embedding distance",
    direction="higher",
    range=(0.0, None),
    needs=("text_evaluator", "samples>=2"),
    formula="mean over clips of the mean over all K(K-1)/2 pairs of samples j < k of ||e(motion j) - e(motion k)||_2",
    official="not computed: the released code has no such function and draws one sample a clip",
    summary="How different the motions are that a stochastic generator gives for one condition, in the space of the "
    "retrieval evaluator.",
    caveats=(
        "Easily inflated: noise raises it. It means something only beside R-Precision and FID.",
        "Deterministic submissions have one sample a clip and no value; the recording itself has none either.",
        "HumanML3D's figure lets the two samples of a pair coincide, which lowers it by a factor 1 - 1/K; this one "
        "does not.",
        "The scale is this evaluator's: values from different evaluators do not compare.",
    ),
    citation="Guo et al., Generating Diverse and Natural 3D Human Motions from Text, CVPR 2022",
)
