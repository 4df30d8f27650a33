"""Faces mirrored across the midline, for any head."""

import numpy as np
from numpy.typing import NDArray

from benchmark.head import HeadModel
from benchmark.protocol import FloatArray

ACROSS = np.array([-1, 1, 1], dtype=np.float32)
"""Factors on x (to the subject's left), y and z of a position."""
TURNED = np.array([1, -1, -1], dtype=np.float32)
"""Factors on a rotation vector: pitch stays, yaw and roll change sides."""


def mirror_columns(head: HeadModel) -> NDArray[np.intp]:
    """Where each face vertex's mirror image stands among the face vertices.

    It is the nearest one to the neutral vertex's reflection, told from others at the same place, as along closed lips,
    by the mean of the vertices it shares edges with.

    Args:
        head: A head with a face region, about symmetric in x.

    Returns:
        (n_face,) columns.
    """
    from scipy.spatial import cKDTree

    places = np.concatenate([head.template, _around(head)], axis=1, dtype=np.float64)[head.face_ids]  # (n_face, 6)
    _, nearest = cKDTree(places).query(places * np.tile(ACROSS, 2))
    return np.asarray(nearest, dtype=np.intp)


def _around(head: HeadModel) -> NDArray[np.float64]:
    """Mean position of each vertex's neighbours, its own where it has none: (V, 3)."""
    sums, counts = np.zeros(head.template.shape), np.zeros(head.n_vertices)
    for corner in range(3):
        for other in (1, 2):
            np.add.at(sums, head.faces[:, corner], head.template[head.faces[:, (corner + other) % 3]])
            np.add.at(counts, head.faces[:, corner], 1)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], head.template)


def mirrored_vertices(vertices: FloatArray, neutral: FloatArray, columns: NDArray[np.intp]) -> FloatArray:
    """A face that moves on the left as it did on the right.

    Displacements change sides, the neutral face stays: a head that is not quite symmetric keeps its shape.

    Args:
        vertices: (T, n_face, 3) metres.
        neutral: (n_face, 3) metres.
        columns: `mirror_columns` of the head.
    """
    moved: FloatArray = neutral + (vertices - neutral)[:, columns] * ACROSS
    return moved


def mirrored_neck(neck: FloatArray) -> FloatArray:
    """A neck rotation (T, 3) to the other side."""
    return neck * TURNED
