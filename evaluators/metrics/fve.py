"""Face vertex error: how far the face is, on average over its vertices."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.metrics._arrays import AnyArray
from evaluators.metrics.lve import vertex_errors_mm
from evaluators.metrics.spec import MMHEAD, MetricSpec


def fve(pred: AnyArray, truth: AnyArray, face: Sequence[int] | NDArray[np.integer]) -> float:
    """Face vertex error of one clip in millimetres: the mean L2 error over face vertices and frames.

    Args:
        pred: (T, n, 3) vertices in metres, valid frames only.
        truth: (T, n, 3) vertices in metres, same frames and vertices.
        face: Columns (of n) that are face vertices.

    Returns:
        Millimetres.

    Raises:
        ValueError: Shapes differ, nothing to average over, or a value is not finite.

    Source: MMHead, section on metrics (there: FVE); FLAME face mask.

    >>> import numpy as np
    >>> truth = np.zeros((2, 3, 3))
    >>> pred = truth.copy()
    >>> pred[0, 1] = [0.003, 0.0, 0.004]  # metres: one of four places is 5 mm off
    >>> round(fve(pred, truth, face=[0, 1]), 9)
    1.25
    """
    return float(vertex_errors_mm(pred, truth, face).mean())


SPEC = MetricSpec(
    key="fve_mm",
    id="fve_mm@1",
    name="Face vertex error (FVE)",
    unit="mm",
    direction="lower",
    range=(0.0, None),
    needs=("vertices",),
    formula="mean over clips of mean over frames t and face vertices v of ||pred[t,v] - truth[t,v]||_2, x 1000",
    official="the same per clip; averaged within batches of 32 clips in id order, then over batches without "
    "weights, so the clips of a short last batch weigh more",
    summary="Distance of the face's vertices from their true places, averaged over the face. Says whether brows, "
    "cheeks, lids and jaw do what the recording's did at that moment.",
    caveats=(
        "The L2 distance is not squared, and the mean is over vertices: not the mean of squared errors other "
        "papers report.",
        "Shape, global rotation and neck are zero on both sides: it is blind to head pose and to identity.",
        "It depends on the head model and its face vertex list; values on the open head and on FLAME are not "
        "comparable.",
        "Much of the face hardly moves, so small values are the rule: compare with the row of the static mean face.",
        "A single recording is taken as the truth; with several samples a clip it is the mean over samples.",
    ),
    citation=f"{MMHEAD}; face vertices as in the head model's mask",
)
