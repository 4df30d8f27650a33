"""The open head's mesh: loops round eyes and mouth, skin between them, eyeballs, teeth, tongue, ears and brows.

The left half (x >= 0, millimetres) is made and mirrored, so both sides have the same topology.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from benchmark.mini import head_sculpt as sculpt

Points = NDArray[np.float64]
Ids = NDArray[np.int64]

MOUTH_COLUMNS = 19
"""Columns of the left half of each mouth loop: 9 upper from the middle, the corner, 9 lower back to the middle."""
CORNER = 9
MOUTH_WIDTH = 25.0
"""Half the mouth's width, mm."""
EYE_COLUMNS = 20
"""Columns of each eye loop: inner corner 0, over the upper lid to the outer corner 10, back under the lower lid."""
EYE_RINGS = ("tuck", "margin", "lash", "lid", "crease", "socket", "orbit")
MOUTH_RINGS = ("outer", "skin", "border", "body", "wet", "contact", "inner", "bag", "throat")
_CHORD = 1e-9


@dataclass
class Half:
    """Vertices and triangles of the left half while it is built; groups name vertex grids."""

    points: list[Points] = field(default_factory=list)
    faces: list[Ids] = field(default_factory=list)
    groups: dict[str, Ids] = field(default_factory=dict)
    size: int = 0

    def add(self, name: str, points: Points) -> Ids:
        """Adds points (..., 3) under a name and returns their ids (...)."""
        flat = points.reshape(-1, 3)
        ids = np.arange(self.size, self.size + len(flat)).reshape(points.shape[:-1])
        self.points.append(flat)
        self.groups[name] = ids
        self.size += len(flat)
        return ids

    def strip(self, outer: Ids, inner: Ids, closed: bool = False) -> None:
        """Joins two loops whose columns run clockwise seen from outside."""
        points = np.concatenate(self.points)
        last = len(outer) if closed else len(outer) - 1
        for j in range(last):
            a, b, c, d = outer[j], inner[j], inner[(j + 1) % len(inner)], outer[(j + 1) % len(outer)]
            if np.linalg.norm(points[a] - points[c]) <= np.linalg.norm(points[b] - points[d]) + _CHORD:
                triangles = [(a, b, c), (a, c, d)]
            else:
                triangles = [(a, b, d), (b, c, d)]
            self.faces.append(np.array([t for t in triangles if len(set(t)) == 3], dtype=np.int64).reshape(-1, 3))


@dataclass(frozen=True)
class Mesh:
    """The whole head at rest."""

    vertices: Points
    """(V, 3) mm."""
    faces: Ids
    """(F, 3)"""
    mirror: Ids
    """(V,) id of each vertex's mirror image; its own on the midline."""
    groups: dict[str, Ids]
    """Vertex grids of the left half (and midline) by name."""


def build_mesh(rng: np.random.Generator) -> Mesh:
    """Makes the whole mesh; ``rng`` orders the candidates of the skin's free vertices."""
    half = Half()
    outer = _mouth(half)
    orbit = _eye(half)
    _skin(half, outer, orbit, rng)
    _eyeball(half)
    _brow(half)
    _ear(half)
    _teeth(half, "upper_teeth", top=-48.0, bottom=-59.0, depth=86.5)
    _teeth(half, "lower_teeth", top=-57.0, bottom=-66.0, depth=83.0)
    _tongue(half)
    return _mirrored(half)


def _mirrored(half: Half) -> Mesh:
    points = np.concatenate(half.points)
    points[np.abs(points[:, 0]) < 1e-6, 0] = 0.0
    faces = np.concatenate(half.faces)
    side = np.flatnonzero(points[:, 0] != 0)
    n = len(points)
    mirror = np.arange(n)
    mirror[side] = n + np.arange(len(side))
    vertices = np.concatenate([points, points[side] * [-1, 1, 1]])
    both = np.concatenate([mirror, side])
    other = both[faces][:, ::-1]
    whole = np.concatenate([faces, other])
    return Mesh(vertices, whole, both, dict(half.groups))


def lip_line(x: Points) -> Points:
    """Height of the line where the lips meet, at distance ``x`` from the midline."""
    line: Points = -55.0 - 0.6 * np.exp(-((x / 5) ** 2)) + 0.5 * np.exp(-(((x - 11) / 7) ** 2)) + 0.5 * (x / 25) ** 4
    return line


def _mouth_columns() -> tuple[Points, NDArray[np.bool_]]:
    """Distance from the midline in units of the half width, and whether the column is of the upper lip."""
    t = np.concatenate([np.arange(10) / 9, np.arange(8, -1, -1) / 9])
    return 1.22 * t - 0.22 * t**3, np.arange(MOUTH_COLUMNS) <= CORNER


def _mouth(half: Half) -> Ids:
    u, upper = _mouth_columns()
    x = MOUTH_WIDTH * u
    line = lip_line(x)
    taper = np.clip(1 - u**2.4, 0, None)
    bow = -1.4 * np.exp(-((x / 3.2) ** 2)) + 0.5 * np.exp(-(((x - 6.5) / 4) ** 2))
    height = np.where(upper, 8.2 * taper + bow * taper, -10.6 * np.clip(1 - u**2.8, 0, None))
    border = line + height
    full = np.clip(1 - u**4, 0, None)
    turn = np.where(upper, u, 2 - u) * np.pi / 2
    away = np.column_stack([np.sin(turn), np.cos(turn)])
    # share of the way from border to lip line, widening at the corner, and bulge of upper and lower lip
    rings = {
        "border": (0.0, 1.6, (0.5, -0.1), 0.0),
        "body": (0.24, 1.1, (1.5, 1.4), 0.3),
        "wet": (0.68, 0.5, (2.4, 3.2), 0.2),
        "contact": (1.0, 0.0, (-0.7, -0.7), -1.2),
    }
    flat = {"outer": (14.0, 8.0, 8.5), "skin": (6.0, 3.6, 4.2)}
    ids = {}
    for name, (side, up, down) in flat.items():
        reach = np.where(upper, up, down)
        at = np.column_stack([x + away[:, 0] * side, border + away[:, 1] * reach])
        points = sculpt.cast_front(at)
        points[:, 2] += _philtrum(points) + (0.3 * full if name == "skin" else 0.0)
        ids[name] = half.add(f"mouth_{name}", points)
    for name, (share, side, (bulge_up, bulge_down), at_corner) in rings.items():
        at = np.column_stack([x + side * u**6, border + share * (line - border)])
        points = sculpt.cast_front(at)
        points[:, 2] += np.where(upper, bulge_up, bulge_down) * full + at_corner * (1 - full)
        ids[name] = half.add(f"mouth_{name}", points)
    contact = np.concatenate(half.points)[ids["contact"]]
    sign = np.where(upper, 1.0, -1.0) * full
    for name, (back, lift, narrow) in {"inner": (5, 0, 0.97), "bag": (11, 10, 0.97), "throat": (34, 14, 0.8)}.items():
        points = contact * [narrow, 1, 1] + np.column_stack([0 * x, sign * lift, np.full_like(x, -back)])
        ids[name] = half.add(f"mouth_{name}", points)
    for first, second in pairwise(MOUTH_RINGS):
        half.strip(ids[first], ids[second])
    end = ids["throat"]
    half.strip(end[: CORNER + 1], end[: CORNER - 1 : -1])
    return ids["outer"]


def _philtrum(points: Points) -> Points:
    """Depth of the groove between nose and upper lip, with its two ridges."""
    x, y = points[:, 0], points[:, 1]
    along = np.exp(-(((y + 43) / 6) ** 2))
    groove: Points = along * (0.9 * np.exp(-(((np.abs(x) - 5.5) / 2.6) ** 2)) - 0.9 * np.exp(-((x / 2.6) ** 2)))
    return groove


def lid_depth(x: Points, y: Points, radius: float) -> Points:
    """Depth of a lid that lies ``radius`` from the left eyeball's centre, at (x, y) seen from the front."""
    dx, dy = x - sculpt.EYE[0], y - sculpt.EYE[1]
    wide = radius + 5.0
    inside = np.clip(1 - (dx / wide) ** 2 - (dy / (radius + 0.6)) ** 2, 0.02, None)
    depth: Points = sculpt.EYE[2] + radius * np.sqrt(inside) - 0.10 * dx
    return depth


def _eye(half: Half) -> Ids:
    j = np.arange(EYE_COLUMNS)
    upper = j <= EYE_COLUMNS // 2
    t = np.where(upper, j, EYE_COLUMNS - j) / (EYE_COLUMNS // 2)
    x = 17.3 + (46.3 - 17.3) * (0.55 * t + 0.45 * (1 - np.cos(np.pi * t)) / 2)
    canthi = 9.3 + 2.6 * t
    opening = np.where(upper, 5.5 * np.sin(np.pi * t**0.88) ** 0.75, -4.6 * np.sin(np.pi * t**1.12) ** 0.85)
    y = canthi + np.where((t == 0) | (t == 1), 0.0, opening)
    turn = np.pi - 2 * np.pi * j / EYE_COLUMNS
    away = np.column_stack([np.cos(turn), np.sin(turn)])
    # reach from the lid's margin: towards the nose, the temple, up, down
    reaches = {
        "tuck": (1.0, 1.0, 2.2, 2.2),
        "margin": (0.0, 0.0, 0.0, 0.0),
        "lash": (0.9, 1.0, 0.9, 0.7),
        "lid": (2.2, 2.8, 2.9, 2.6),
        "crease": (3.7, 5.2, 5.0, 5.2),
        "socket": (5.2, 8.0, 7.6, 8.6),
        "orbit": (6.6, 11.0, 10.4, 12.6),
    }
    ids = {}
    for name, (nose, temple, up, down) in reaches.items():
        step = away * np.column_stack([np.where(away[:, 0] < 0, nose, temple), np.where(away[:, 1] > 0, up, down)])
        at = np.column_stack([x, y]) + step
        if name == "tuck":
            points = np.column_stack([at, lid_depth(at[:, 0], at[:, 1], 12.3) - 1.2])
        elif name == "margin":
            points = np.column_stack([at, lid_depth(at[:, 0], at[:, 1], 12.7)])
        else:
            points = sculpt.cast_front(at)
            lid = lid_depth(at[:, 0], at[:, 1], 14.1)
            blend = {"lash": 1.0, "lid": 0.75, "crease": 0.3}.get(name, 0.0)
            points[:, 2] += blend * (lid - points[:, 2])
            if name == "crease":
                points[:, 2] -= np.where(upper, 1.3, 0.3) * np.sin(np.pi * t) ** 0.5
        ids[name] = half.add(f"eye_{name}", points)
    for first, second in pairwise(EYE_RINGS[::-1]):
        half.strip(ids[first], ids[second], closed=True)
    return ids["orbit"]


def _spacing(points: Points) -> NDArray[np.float64]:
    """Wanted distance between neighbouring vertices of the skin, mm."""
    front = np.clip((points[:, 2] - 10) / 50, 0, 1) * np.clip((85 - points[:, 1]) / 40, 0, 1)
    size = 18.5 - 8.6 * front * np.clip((points[:, 1] + 125) / 25, 0, 1)
    nose = np.linalg.norm((points - [8, -24, 98]) / [1, 1.3, 1], axis=1)
    bridge = np.linalg.norm((points - [4, 5, 88]) / [1, 2, 1], axis=1)
    eye = np.linalg.norm((points - [32, 13, 80]) / [1.25, 1, 1], axis=1) - 17
    mouth = np.linalg.norm((points - sculpt.MOUTH) / [1.6, 1, 1], axis=1) - 20
    for distance, near in ((nose - 12, 3.5), (bridge - 12, 4.8), (eye, 4.8), (mouth, 5.0)):
        size = np.minimum(size, near + 0.31 * np.clip(distance, 0, None))
    return size


def _chart(points: Points) -> Points:
    """Stereographic picture of the left half's directions: the midline becomes the unit circle."""
    seen = sculpt.direction(points)
    chart: Points = seen[:, 1:] / (1 + np.clip(seen[:, :1], 0, None))
    return chart


def _inside(chart: Points, loop: Points) -> NDArray[np.bool_]:
    """Whether points lie in a polygon (even-odd rule)."""
    within = np.zeros(len(chart), dtype=bool)
    for a, b in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        crosses = (a[1] > chart[:, 1]) != (b[1] > chart[:, 1])
        if a[1] != b[1]:
            within ^= crosses & (chart[:, 0] < a[0] + (chart[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]))
    return within


def _nostril() -> tuple[Points, Points]:
    """A loop of 8 points round the left nostril; a loop just inside it and the point deep inside."""
    turn = -np.arange(8) * np.pi / 4  # clockwise seen from below
    x, z = 6.6 + 2.5 * np.cos(turn) + 0.9 * np.sin(turn), 99.5 + 4.4 * np.sin(turn)
    points = sculpt.cast(lambda t: np.column_stack([x, np.broadcast_to(-t, x.shape), z]), 20.0, 41.0, step=0.5)
    middle = points.mean(axis=0, keepdims=True)
    inner = middle + 0.72 * (points - middle) + [0.1, 1.6, -0.3]
    return points, np.concatenate([inner, middle + np.array([0.4, 6.0, -1.5])])


def _rim() -> Points:
    """Points along the lower end of the neck, front to back."""
    turn = np.linspace(0, np.pi, 12)

    def start(t: NDArray[np.float64]) -> Points:
        return np.column_stack([np.sin(turn) * t, np.full(12, sculpt.NECK_CUT), np.cos(turn) * t - 30])

    points = sculpt.cast(start, 5.0, 120.0)
    points[[0, -1], 0] = 0.0
    return points


def _midline(above: Points, below: Points, rim: Points) -> Points:
    """Points on the midline between the mouth's outer loop and the neck's rim, over the crown and under the chin."""

    def path(first: Points, last: Points, turn: float) -> Points:
        ends = sculpt.direction(np.stack([first, last]))
        a, b = np.arctan2(ends[:, 1], ends[:, 2])
        b += turn if turn and b < a else 0.0
        angles = np.linspace(a, b, 700)
        line = sculpt.cast_out(np.column_stack([np.zeros(700), np.sin(angles), np.cos(angles)]))
        line[0], line[-1] = first, last
        steps = np.linalg.norm(np.diff(line, axis=0), axis=1) / _spacing(line[1:])
        length = np.concatenate([[0], np.cumsum(steps)])
        marks = np.linspace(0, length[-1], max(round(float(length[-1])), 2) + 1)[1:-1]
        return np.column_stack([np.interp(marks, length, line[:, k]) for k in range(3)])

    return np.concatenate([path(above, rim[-1], 2 * np.pi), path(below, rim[0], 0.0)])


def _skin(half: Half, outer: Ids, orbit: Ids, rng: np.random.Generator) -> None:
    so_far = np.concatenate(half.points)
    rim, (nostril, deep) = _rim(), _nostril()
    midline = _midline(so_far[outer[0]], so_far[outer[-1]], rim)
    midline[:, 0] = 0.0
    fixed = {"rim": rim, "midline": midline, "nostril": nostril}
    fixed_points = np.concatenate([so_far[outer], so_far[orbit], *fixed.values()])
    holes = [_chart(so_far[outer]), _chart(so_far[orbit]), _chart(nostril)]
    free = _free_points(fixed_points, holes, rng)
    ids = [outer, orbit] + [half.add(name, points) for name, points in fixed.items()] + [half.add("skin", free)]
    order = np.concatenate([np.ravel(i) for i in ids])
    points = np.concatenate(half.points)[order]
    chart = _chart(points)
    chart[points[:, 0] == 0] /= np.linalg.norm(chart[points[:, 0] == 0], axis=1, keepdims=True)
    triangles = Delaunay(chart).simplices
    middle = chart[triangles].mean(axis=1)
    on_rim = np.isin(order[triangles], half.groups["rim"]).all(axis=1)
    flat = (points[triangles][:, :, 0] == 0).all(axis=1)
    triangles = triangles[~(np.logical_or.reduce([_inside(middle, hole) for hole in holes]) | on_rim | flat)]
    a, b, c = (chart[triangles[:, k]] for k in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    triangles[turn < 0] = triangles[turn < 0][:, ::-1]
    half.faces.append(order[triangles].astype(np.int64))
    _close_nostril(half, deep)


def _close_nostril(half: Half, deep: Points) -> None:
    outer, inner = half.groups["nostril"], half.add("nostril_deep", deep)
    half.strip(outer, inner[:-1], closed=True)
    end = inner[-1]
    half.faces.append(np.array([(end, b, a) for a, b in zip(inner[:-1], np.roll(inner[:-1], -1), strict=True)]))


def _free_points(fixed: Points, holes: list[Points], rng: np.random.Generator) -> Points:
    """Skin vertices spread at the wanted spacing: thrown as darts, then relaxed towards their cells' centres."""
    n = 9000
    turn, height = np.pi * (1 + 5**0.5) * np.arange(n), 1 - 2 * (np.arange(n) + 0.5) / n
    wide = np.sqrt(1 - height**2)
    sphere = np.column_stack([wide * np.cos(turn), height, wide * np.sin(turn)])
    dense = np.concatenate([sphere, _front_directions()])
    cloud = sculpt.cast_out(dense[dense[:, 0] > 0])
    chart = _chart(cloud)
    free = ~np.logical_or.reduce([_inside(chart, hole) for hole in holes]) & (cloud[:, 1] > sculpt.NECK_CUT + 2)
    cloud = cloud[free]
    size = _spacing(cloud)
    chosen = _darts(cloud, size, fixed, rng)
    points = cloud[chosen]
    weight = 1 / size**2 * _area_weight(cloud)
    for _ in range(25):
        everything = np.concatenate([points, fixed, fixed * [-1, 1, 1]])
        _, nearest = cKDTree(everything).query(cloud)
        total = np.bincount(nearest, weight, minlength=len(everything))[: len(points)]
        moved = [np.bincount(nearest, weight * cloud[:, k], minlength=len(everything))[: len(points)] for k in range(3)]
        goal = np.where(total[:, None] > 0, np.column_stack(moved) / np.maximum(total, 1e-12)[:, None], points)
        points = cloud[cKDTree(cloud).query(goal)[1]]
    return sculpt.cast_out(sculpt.direction(goal))


def _front_directions() -> Points:
    """Extra directions over the face, where vertices are dense."""
    u, v = np.meshgrid(np.linspace(0.004, 0.95, 95), np.linspace(-1.1, 0.75, 150), indexing="ij")
    v = v + (np.arange(95) % 2 * 0.5 * (1.85 / 149))[:, None]
    return np.column_stack([np.sin(u.ravel()), np.tan(v.ravel()), np.cos(u.ravel())])


def _area_weight(cloud: Points) -> NDArray[np.float64]:
    """Surface that each candidate stands for: candidates are denser on the face."""
    distance = cKDTree(cloud).query(cloud, k=7)[0][:, 1:]
    weight: NDArray[np.float64] = (distance**2).mean(axis=1)
    return weight


def _darts(cloud: Points, size: NDArray[np.float64], fixed: Points, rng: np.random.Generator) -> Ids:
    tree = cKDTree(cloud)
    blocked = cKDTree(fixed).query(cloud)[0] < 0.72 * size
    blocked |= cloud[:, 0] < 0.5 * size
    chosen = []
    for i in rng.permutation(len(cloud)):
        if not blocked[i]:
            chosen.append(i)
            blocked[tree.query_ball_point(cloud[i], 0.80 * size[i])] = True
    return np.array(chosen, dtype=np.int64)


def _grid(half: Half, name: str, points: Points) -> Ids:
    """Adds a grid (rows, columns, 3) and its triangles; rows go down and columns to the viewer's right."""
    ids = half.add(name, points)
    for above, under in pairwise(ids):
        half.strip(above, under)
    return ids


EYEBALL_RINGS = np.radians([11.0, 12.5, 27.0, 30.0, 56.0, 96.0])
EYEBALL_COLUMNS = 12


def _eyeball(half: Half) -> None:
    turn = -2 * np.pi * np.arange(EYEBALL_COLUMNS) / EYEBALL_COLUMNS
    radius = sculpt.EYE_RADIUS + 0.55 * np.clip(1 - (EYEBALL_RINGS / np.radians(31)) ** 2, 0, None)
    wide, deep = radius * np.sin(EYEBALL_RINGS), radius * np.cos(EYEBALL_RINGS)
    rings = np.empty((len(EYEBALL_RINGS), EYEBALL_COLUMNS, 3))
    rings[..., 0] = wide[:, None] * np.cos(turn)
    rings[..., 1] = wide[:, None] * np.sin(turn)
    rings[..., 2] = deep[:, None]
    pole = half.add("eyeball_pole", sculpt.EYE[None] + np.array([0, 0, sculpt.EYE_RADIUS + 0.6]))
    ids = half.add("eyeball", rings + sculpt.EYE)
    for small, large in pairwise(ids):
        half.strip(large, small, closed=True)
    half.faces.append(np.array([(pole[0], b, a) for a, b in zip(ids[0], np.roll(ids[0], -1), strict=True)]))


def _brow(half: Half) -> None:
    t = np.linspace(0, 1, 11)
    x = 9.0 + 44.5 * t
    y = 27.4 + 5.4 * np.sin(np.pi * 0.82 * t**1.25) - 2.4 * t**4
    thick = np.interp(t, [0, 0.1, 0.3, 0.6, 0.85, 1.0], [0.9, 2.8, 3.3, 2.7, 1.6, 0.4])
    rows = []
    for offset, lift in ((1.0, -0.5), (0.5, 0.9), (-0.5, 1.0), (-1.0, -0.5)):
        points = sculpt.cast_front(np.column_stack([x, y + offset * thick]))
        outward = points - [0, 20, 20]
        rows.append(points + lift * outward / np.linalg.norm(outward, axis=1, keepdims=True))
    _grid(half, "brow", np.stack(rows))


# share of the ear's outline, and how far the ring stands off the head at the back edge and at the front edge, mm
EAR_RINGS = (
    (0.74, -3.0, -6.0),
    (1.00, 12.0, 1.5),
    (0.90, 15.0, 3.5),
    (0.76, 10.5, 1.0),
    (0.60, 11.5, 0.5),
    (0.34, 1.5, -1.0),
)
EAR_COLUMNS = 14
_EAR, _EAR_LENGTH, _EAR_WIDTH = (-3.0, -14.0), 31.0, 18.0


def _ear(half: Half) -> None:
    turn = 2 * np.pi * np.arange(EAR_COLUMNS) / EAR_COLUMNS  # from the top over the back edge to the lobe
    back, up = np.sin(turn), np.cos(turn)
    narrow = 1 - 0.30 * np.clip(-up, 0, None) ** 1.5 - 0.10 * np.clip(up, 0, None) ** 4
    rings = []
    for share, stand_back, stand_front in EAR_RINGS:
        y = _EAR[0] + up * share * _EAR_LENGTH
        z = _EAR[1] - back * share * _EAR_WIDTH * narrow - 0.16 * (y - _EAR[0])
        off = np.clip(0.5 + 0.75 * back, 0, 1)
        stand = stand_front + (stand_back - stand_front) * off * np.where(
            up < -0.6, 0.55, 1 - 0.4 * np.clip(up, 0, None) ** 3
        )
        rings.append(np.column_stack([_head_side(y, z) + stand, y, z]))
    ids = half.add("ear", np.stack(rings))
    middle = half.add("ear_middle", rings[-1].mean(axis=0, keepdims=True) - [[2.0, 0, 0]])
    for outer, inner in pairwise(ids):
        half.strip(outer, inner, closed=True)
    half.faces.append(np.array([(middle[0], b, a) for a, b in zip(ids[-1], np.roll(ids[-1], -1), strict=True)]))


def _head_side(y: Points, z: Points) -> Points:
    """Distance of the head's side from the midline at heights y, evened out over the ear's length."""
    flat = sculpt.cast(lambda t: np.column_stack([np.broadcast_to(t, y.shape), y, z]), 0.0, 110.0)[:, 0]
    middle = sculpt.cast(lambda t: np.column_stack([t, [_EAR[0]], [_EAR[1]]]), 0.0, 110.0)[0, 0]
    side: Points = 0.5 * flat + 0.5 * middle
    return side


def _arch(x: Points, depth: float) -> Points:
    """Depth of the dental arch at distance ``x`` from the midline."""
    arch: Points = depth - 0.021 * x**2 - 0.000030 * x**4
    return arch


def _teeth(half: Half, name: str, top: float, bottom: float, depth: float) -> None:
    x = np.linspace(0, 20.5, 7)
    z = _arch(x, depth)
    upper = name.startswith("upper")
    edge, root = (bottom, top) if upper else (top, bottom)
    rows = [(root, -1.0), (edge + 0.15 * (root - edge), 0.3), (edge, -0.8), (edge + 0.3 * (root - edge), -4.0)]
    grid = np.stack([np.column_stack([x, np.full(7, y), z + dz]) for y, dz in rows])
    _grid(half, name, grid if upper else grid[::-1])


def _tongue(half: Half) -> None:
    x, z = np.linspace(0, 1, 4), np.linspace(0, 1, 5)
    grid = np.empty((5, 4, 3))
    width = np.interp(z, [0, 0.5, 0.75, 1.0], [14, 14, 12, 6])
    grid[..., 0] = width[:, None] * x
    grid[..., 2] = 50 + 29 * z[:, None] - 4.0 * x**2 * z[:, None] ** 3
    grid[..., 1] = -60 - 4.0 * x**3 - 1.0 * (1 - x) ** 2 - 4.0 * np.clip(z[:, None] - 0.7, 0, None) / 0.3
    _grid(half, "tongue", grid)
