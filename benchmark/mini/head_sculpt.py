"""The open head's skin as an implicit surface: soft unions of simple bodies, in millimetres, symmetric in x.

Axes as in FLAME: x to the subject's left, y up, z to the front. The origin is the middle of the head, about between
the ears and half-way from chin to crown. Sizes follow adult anthropometric means (head height 220 mm, breadth 150 mm,
distance between the pupils 63 mm).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Distance = NDArray[np.float64]

EYE = np.array([31.5, 11.0, 72.5])
"""Centre of the left eyeball."""
EYE_RADIUS = 12.0
MOUTH = np.array([0.0, -55.0, 92.0])
"""Middle of the mouth line."""
NECK_CUT = -158.0
"""Height at which the neck ends."""


def ellipsoid(points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Distance:
    """Approximate signed distance to an axis-aligned ellipsoid; negative inside."""
    offset = points - np.array(centre)
    size = np.array(radii)
    near = np.linalg.norm(offset / size, axis=-1)
    slope = np.linalg.norm(offset / size**2, axis=-1)
    distance: Distance = near * (near - 1) / np.maximum(slope, 1e-9)
    return distance


def capsule(
    points: Points,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    first: float,
    last: float | None = None,
) -> Distance:
    """Approximate signed distance to a rod with round ends whose radius goes from ``first`` to ``last``."""
    a, b = np.array(start), np.array(end)
    along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    radius = first + ((first if last is None else last) - first) * along
    distance: Distance = np.linalg.norm(points - a - along[..., None] * (b - a), axis=-1) - radius
    return distance


def join(a: Distance, b: Distance, softness: float) -> Distance:
    """Union of two bodies with a fillet about ``softness`` wide."""
    near = np.maximum(softness - np.abs(a - b), 0)
    joined: Distance = np.minimum(a, b) - near * near / (4 * softness)
    return joined


def carve(a: Distance, b: Distance, softness: float) -> Distance:
    """Body ``a`` without body ``b``, with softened edges."""
    carved: Distance = -join(-a, b, softness)
    return carved


def skin(points: Points) -> Distance:
    """Signed distance (mm, approximate) of points (..., 3) to the skin without ears and lips; negative inside."""
    p = np.asarray(points, dtype=np.float64) * [1.0, 1.0, 1.0]
    p[..., 0] = np.abs(p[..., 0])
    body = _skull(p)
    body = _jaw_and_neck(p, body)
    body = _eyes(p, body)
    return _nose(p, body)


def _skull(p: Points) -> Distance:
    body = ellipsoid(p, (0, 36, -12), (75, 79, 90))
    body = join(body, ellipsoid(p, (0, 42, 23), (60, 52, 66)), 20)
    body = join(body, ellipsoid(p, (0, -18, 18), (59, 76, 64)), 22)
    body = join(body, ellipsoid(p, (28, -40, 46), (27, 34, 32)), 24)
    body = join(body, capsule(p, (6, 27, 77), (42, 30, 62), 11, 10), 14)
    body = join(body, ellipsoid(p, (40, -12, 54), (18, 15, 20)), 26)
    return join(body, capsule(p, (46, -8, 46), (60, -4, 4), 10, 9), 24)


def _jaw_and_neck(p: Points, body: Distance) -> Distance:
    body = join(body, ellipsoid(p, (0, -50, 57), (33, 32, 36)), 22)
    body = join(body, capsule(p, (54, -10, -2), (45, -54, 6), 12, 12), 26)
    body = join(body, capsule(p, (45, -54, 6), (16, -87, 62), 12, 11), 26)
    body = join(body, ellipsoid(p, (0, -87, 77), (19, 14, 15)), 26)
    body = join(body, ellipsoid(p, (0, -76, 30), (38, 22, 44)), 16)
    neck = capsule(p * [0.95, 1, 1], (0, -60, -24), (0, -230, -34), 49, 54)
    neck = join(neck, capsule(p, (54, -46, -24), (14, -185, 18), 7, 7), 30)
    return join(body, neck, 16)


def _eyes(p: Points, body: Distance) -> Distance:
    body = carve(body, ellipsoid(p, (31, 12, 90), (19, 11, 13)), 14)
    body = carve(body, ellipsoid(p, (18, 8, 92), (7, 10, 7)), 10)
    centre = (float(EYE[0]), float(EYE[1]), float(EYE[2]))
    return join(body, ellipsoid(p, centre, (16.5, 14.0, 14.0)), 9)


def _nose(p: Points, body: Distance) -> Distance:
    body = join(body, capsule(p, (0, 24, 79), (0, -16, 99), 7, 8), 10)
    body = join(body, capsule(p, (5, 2, 82), (14, -27, 88), 6, 6), 12)
    body = join(body, ellipsoid(p, (0, -22, 102), (10.5, 9.5, 10.5)), 8)
    body = join(body, ellipsoid(p, (13, -27.5, 96), (6.2, 7, 9)), 4)
    return join(body, capsule(p, (0, -28, 106), (0, -36, 92), 4, 4), 5)


def cast(start: Callable[[NDArray[np.float64]], Points], near: float, far: float, step: float = 2.0) -> Points:
    """The outermost skin point on each path.

    Args:
        start: Gives each path's point (N, 3) at the parameters (N,) it is asked for; larger is further out.
        near: Parameter to stop the search at.
        far: Parameter outside the head, where the search begins.
        step: Length of the first search's steps.

    Returns:
        (N, 3) points on the skin, found by marching inwards and then halving.
    """
    n = len(start(np.array([far])))
    outside, inside = np.full(n, far), np.full(n, near)
    open_paths = np.ones(n, dtype=bool)
    for at in np.arange(far, near, -step):
        parameters = np.full(n, at)
        hit = open_paths & (skin(start(parameters)) < 0)
        inside[hit] = at
        open_paths &= ~hit
        outside[open_paths] = at
        if not open_paths.any():
            break
    for _ in range(24):
        middle = (outside + inside) / 2
        within = skin(start(middle)) < 0
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return start(outside)


def cast_front(flat: NDArray[np.float64]) -> Points:
    """Skin points seen from the front at (x, y): (N, 2) to (N, 3)."""
    return cast(lambda z: np.column_stack([flat, np.broadcast_to(z, len(flat))]), 0.0, 140.0)


def axis_depth(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth z of the line inside head and neck from which the skin is seen, at each height."""
    rise = np.clip((height + 155) / 125, 0, 1)
    depth: NDArray[np.float64] = -28 + 43 * rise * rise * (3 - 2 * rise)
    return depth


_WAIST = -5.0


def cast_out(directions: Points) -> Points:
    """Skin points along directions (N, 3) from the axis inside the head (paths bend with the axis)."""
    unit: Points = directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def start(t: NDArray[np.float64]) -> Points:
        points: Points = unit * t[:, None]
        points[:, 1] += _WAIST
        points[:, 2] += axis_depth(points[:, 1])
        return points

    return cast(start, 5.0, 240.0)


def direction(points: Points) -> Points:
    """The inverse of :func:`cast_out`: unit directions under which points (N, 3) are seen from the axis."""
    seen = np.array(points, dtype=np.float64)
    seen[:, 2] -= axis_depth(seen[:, 1])
    seen[:, 1] -= _WAIST
    unit: Points = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    return unit
