"""The grid that all motion of the embedded corpus lies on: one step a parameter, at most 0.05 mm off at any vertex.

An expression step moves the vertex that its component moves most by 0.0115 mm; neck and jaw steps are 1e-4 rad. On a
grid of integers a clip is the same on every machine, and small when packed.
"""

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.protocol import PARAMETERS

_EXPRESSION_STEPS = (
    5300, 8600, 8400, 9800, 7900, 7600, 13000, 11000, 17000, 19000,
    23000, 19000, 15000, 5500, 4200, 8300, 29000, 24000, 20000, 26000,
    23000, 39000, 35000, 39000, 33000, 32000, 56000, 39000, 60000, 50000,
    73000, 43000, 61000, 87000, 72000, 46000, 77000, 73000, 73000, 67000,
    140000, 110000, 100000, 130000, 110000, 130000, 110000, 160000, 130000, 120000,
)  # fmt: skip
"""Millionths: 0.0115 mm over each component's largest vertex displacement in the open head, to two digits."""
_ROTATION_STEP = 100
STEPS: NDArray[np.float64] = np.array((*_EXPRESSION_STEPS, *(_ROTATION_STEP,) * 6)) / 1e6
"""(56,) size of one step: coefficients, then radians for neck and jaw."""
STEPS.setflags(write=False)
_LARGEST = 30_000
"""Steps from zero: a larger value is a mistake, and would not fit the packs."""


def to_grid(parameters: NDArray[np.floating]) -> NDArray[np.int32]:
    """The nearest points of the grid.

    Args:
        parameters: (T, 56): 50 expression, 3 neck, 3 jaw in radians.

    Returns:
        (T, 56) steps from zero.

    Raises:
        InputError: Another shape, or a value that is not finite or far outside what a face does.
    """
    if parameters.ndim != 2 or parameters.shape[1] != PARAMETERS:
        raise InputError(Problem("wrong shape", "parameters", f"(T, {PARAMETERS})", str(parameters.shape)))
    steps = np.round(parameters.astype(np.float64) / STEPS)
    beyond = ~(np.abs(steps) <= _LARGEST)  # NaN included
    if beyond.any():
        frame, column = np.argwhere(beyond)[0]
        expected = f"at most {_LARGEST * STEPS[column]:g}"
        got = f"{parameters[frame, column]:g}"
        raise InputError(Problem("outside the grid", f"frame {frame}, parameter {column}", expected, got))
    return steps.astype(np.int32)


def from_grid(steps: NDArray[np.signedinteger]) -> NDArray[np.float32]:
    """The parameters at points of the grid; ``to_grid(from_grid(steps))`` gives ``steps`` again.

    >>> int(to_grid(from_grid(np.full((1, 56), -7)))[0, 0])
    -7

    Args:
        steps: (T, 56) steps from zero.

    Returns:
        (T, 56) parameters.
    """
    return (steps * STEPS).astype(np.float32)
