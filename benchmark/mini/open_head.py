"""What the open head's file holds beside FLAME's arrays: muscle channels, mirror images, colours, named vertices."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATH = Path(__file__).with_name("open_head.npz")


@cache
def _arrays() -> dict[str, NDArray[Any]]:
    with np.load(PATH, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def channel_matrix() -> NDArray[np.float64]:
    """(64, 50): each muscle channel's expression at full activation, so expression = activations @ matrix."""
    return _arrays()["channel_matrix"]


def vertex_colours() -> NDArray[np.float64]:
    """(V, 3) RGB in 0 to 1, for rendering."""
    return _arrays()["vertex_colours"].astype(np.float64)


def mirror_ids() -> NDArray[np.int64]:
    """(V,) id of each vertex's mirror image across the midline; a vertex on the midline is its own.

    Vertices of the mirrored face: ``vertices[..., mirror_ids(), :] * (-1, 1, 1)``.
    """
    return _arrays()["mirror_ids"].astype(np.int64)


def group(name: str) -> NDArray[np.int64]:
    """Vertex ids of a named part's left half, in its own grid, e.g. ``eye_margin``; head_mesh tells names and order."""
    return _arrays()[f"group_{name}"].astype(np.int64)
