"""Euclidean distances between embeddings, by direct differences."""

from evaluators.metrics._arrays import AnyArray, Float64, finite


def euclidean(a: AnyArray, b: AnyArray) -> Float64:
    """Distance of every row of ``a`` to every row of ``b``.

    Differences are squared and summed one pair at a time in float64. So equal rows are at distance exactly 0, rows
    that are equal to each other are exactly equally far from anything (ties stay ties), and no value is ever NaN:
    the released code's expanded form, sqrt(a^2 - 2ab + b^2), breaks all three.

    Args:
        a: (N, d) embeddings.
        b: (M, d) embeddings.

    Returns:
        (N, M) float64, never negative.

    Raises:
        ValueError: Widths differ or a value is not finite.

    >>> import numpy as np
    >>> euclidean(np.zeros((1, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[5.0, 0.0]]
    """
    from scipy.spatial.distance import cdist

    a, b = finite(a, "a", 2), finite(b, "b", 2)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} columns but b has {b.shape[1]}")
    distances: Float64 = cdist(a, b)
    return distances
