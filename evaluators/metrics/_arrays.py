"""Checks shared by the metrics: float64, right shape, finite. NaN compares as false and would pass for a match."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]
Float64 = NDArray[np.float64]


def finite(array: AnyArray, name: str, ndim: int) -> Float64:
    """The array in float64.

    Args:
        array: Numbers of any type.
        name: What to call it in the message.
        ndim: How many axes it must have.

    Raises:
        ValueError: It has another number of axes, or a value that is not finite.
    """
    values = np.asarray(array, dtype=np.float64)
    if values.ndim != ndim:
        raise ValueError(f"{name} has {values.ndim} axes {values.shape}, expected {ndim}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds {np.count_nonzero(~np.isfinite(values))} values that are not finite")
    return values


def paired(first: AnyArray, second: AnyArray, names: tuple[str, str], ndim: int) -> tuple[Float64, Float64]:
    """Both arrays in float64, if they have the same shape.

    Raises:
        ValueError: Shapes differ, or either fails :func:`finite`.
    """
    a, b = finite(first, names[0], ndim), finite(second, names[1], ndim)
    if a.shape != b.shape:
        raise ValueError(f"{names[0]} has shape {a.shape} but {names[1]} has {b.shape}")
    return a, b
