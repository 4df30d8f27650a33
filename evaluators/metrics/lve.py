"""Lip vertex error: how far the worst lip vertex is, frame by frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.metrics._arrays import AnyArray, finite
from evaluators.metrics.spec import MMHEAD, MetricSpec

MM_PER_M = 1000.0


def lve(pred: AnyArray, truth: AnyArray, lips: Sequence[int] | NDArray[np.integer]) -> float:
    """Lip vertex error of one clip in millimetres: the largest L2 error over the lips, averaged over frames.

    Args:
        pred: (T, n, 3) vertices in metres, valid frames only.
        truth: (T, n, 3) vertices in metres, same frames and vertices.
        lips: Columns (of n) that are lip vertices.

    Returns:
        Millimetres.

    Raises:
        ValueError: Shapes differ, nothing to average over, or a value is not finite.

    Source: MMHead, section on metrics (there: LVE); FLAME lip mask.

    >>> import numpy as np
    >>> truth = np.zeros((2, 3, 3))
    >>> pred = truth.copy()
    >>> pred[0, 1] = [0.003, 0.0, 0.004]  # metres: 5 mm off in one of two frames
    >>> round(lve(pred, truth, lips=[0, 1]), 9)
    2.5
    """
    return float(vertex_errors_mm(pred, truth, lips).max(axis=1).mean())


def vertex_errors_mm(
    pred: AnyArray, truth: AnyArray, columns: Sequence[int] | NDArray[np.integer]
) -> NDArray[np.float64]:
    """L2 distance of each chosen vertex in each frame, in millimetres.

    Args:
        pred: (T, n, 3) vertices in metres.
        truth: (T, n, 3) vertices in metres.
        columns: Which of the n vertices, in any order.

    Returns:
        (T, len(columns)) float64.

    Raises:
        ValueError: Shapes differ, no frame or no column, or a value is not finite.
    """
    if np.shape(pred) != np.shape(truth):
        raise ValueError(f"pred has shape {np.shape(pred)} but truth has {np.shape(truth)}")
    chosen = np.asarray(columns, dtype=np.intp)
    if not len(pred) or not len(chosen):
        raise ValueError(f"no error to average over {len(pred)} frames and {len(chosen)} vertices")
    few = 2 * len(chosen) < np.shape(pred)[1]  # picking a few first is quicker, picking most of them is not
    sides = [np.asarray(side)[:, chosen] if few else np.asarray(side) for side in (pred, truth)]
    differences = np.subtract(*sides, dtype=np.float64)
    errors: NDArray[np.float64] = np.sqrt(np.einsum("tvc,tvc->tv", differences, differences)) * MM_PER_M
    errors = errors if few else errors[:, chosen]
    if not np.isfinite(errors).all():
        for side, name in zip(sides, ("pred", "truth"), strict=True):
            finite(side[:, chosen] if not few else side, name, 3)
    return errors


SPEC = MetricSpec(
    key="lve_mm",
    id="lve_mm@1",
    name="Lip vertex error (LVE)",
    unit="mm",
    direction="lower",
    range=(0.0, None),
    needs=("vertices",),
    formula="mean over clips of mean over frames t of max over lip vertices v of ||pred[t,v] - truth[t,v]||_2, x 1000",
    official="the same per clip; averaged within batches of 32 clips in id order, then over batches without "
    "weights, so the clips of a short last batch weigh more",
    summary="Distance of the worst lip vertex from its true place, frame by frame. Says whether the mouth does "
    "what the recording's mouth did at that moment.",
    caveats=(
        "The L2 distance is not squared. Papers that report the maximum of squared distances (FaceFormer and "
        "CodeTalker style, often x1e-4 or x1e-5 with no unit) give another quantity: neither converts into the "
        "other.",
        "Shape, global rotation and neck are zero on both sides: it is blind to head pose and to identity.",
        "It punishes motion: an unmoving mean face can score better than the real motion a fifth of a second late "
        "(compare control:static with control:shifted). A low value on a face that hardly moves is no merit.",
        "It depends on the head model and its lip vertex list; values on the open head and on FLAME are not "
        "comparable.",
        "A single recording is taken as the truth. A motion that fits the condition but not the recording scores "
        "badly, and the average of several fitting motions can score better than each: read it beside FID and "
        "R-Precision.",
        "With several samples a clip it is the mean over samples, not the best of them.",
    ),
    citation=f"{MMHEAD}; lip vertices as in the head model's mask",
)
