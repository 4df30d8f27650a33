"""Blend shapes of the open head: what each muscle channel does to the skin, in millimetres at full activation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from benchmark.mini import head_sculpt as sculpt
from benchmark.mini.channels import CHANNELS
from benchmark.mini.head_mesh import CORNER, EYE_COLUMNS, EYE_RINGS, MOUTH_RINGS, MOUTH_WIDTH, Mesh, lid_depth

Points = NDArray[np.float64]
Values = NDArray[np.float64]
Triple = tuple[float, float, float]
Part = Literal["all", "upper", "lower"]

_CORNER_FOLLOWS = 0.40  # share of the jaw's way that the mouth's corners go with it


@dataclass(frozen=True)
class Bump:
    """A smooth pull on the skin: ``move`` mm at ``centre``, fading over ``radii`` mm like a Gaussian."""

    centre: Triple
    radii: Triple
    move: Triple
    part: Part = "all"
    """Which lip it takes along: both, or only what hangs on the skull or on the jaw."""


_BROW_IN, _BROW_OUT, _CORNER, _ALA = (13.0, 29.0, 87.0), (40.0, 31.0, 74.0), (25.0, -55.0, 86.0), (14.0, -27.0, 97.0)
_UP, _LOW, _CHEEK, _FOLD = (9.0, -48.0, 94.0), (9.0, -62.0, 93.0), (38.0, -14.0, 70.0), (27.0, -38.0, 84.0)

_LEFT: dict[str, tuple[Bump, ...]] = {
    "browDown": (
        Bump(_BROW_IN, (13, 10, 30), (-2.5, -5.5, 1.2)),
        Bump((30, 31, 82), (12, 9, 30), (-1.0, -3.5, 0.5)),
    ),
    "browInnerUp": (
        Bump(_BROW_IN, (11, 11, 30), (0.8, 7.0, 0.0)),
        Bump((14, 48, 86), (14, 12, 30), (0, 2.5, 0.6)),
    ),
    "browOuterUp": (
        Bump(_BROW_OUT, (14, 11, 30), (0.5, 7.0, -0.5)),
        Bump((38, 50, 72), (15, 12, 30), (0, 2.5, 0.4)),
    ),
    "cheekSquint": (Bump(_CHEEK, (15, 9, 25), (-0.5, 4.8, 2.6)),),
    "mouthDimple": (Bump(_CORNER, (7, 7, 20), (2.6, 0.6, -3.2)), Bump((31, -54, 80), (5, 7, 20), (0, 0, -1.6))),
    "mouthFrown": (
        Bump(_CORNER, (10, 9, 25), (0.8, -6.5, -1.0)),
        Bump((20, -72, 85), (12, 9, 25), (0.5, -2.5, 0)),
    ),
    "mouthLowerDown": (Bump(_LOW, (10, 11, 25), (1.0, -5.5, 0.2), "lower"),),
    "mouthSharpPull": (
        Bump(_CORNER, (9, 9, 25), (1.5, 6.5, -1.5)),
        Bump((31, -32, 80), (11, 10, 25), (0.5, 2.5, 2.4)),
    ),
    "mouthSmile": (
        Bump(_CORNER, (10.5, 12, 30), (5.8, 7.4, -3.2)),
        Bump((13, -55, 93), (9, 9, 25), (2.0, 0.2, -0.8)),
        Bump((38, -24, 72), (14, 12, 25), (0.5, 2.8, 2.4)),
        Bump((30, -36, 80), (7, 10, 25), (1.5, 2.0, -0.8)),
    ),
    "mouthStretch": (Bump(_CORNER, (13, 13, 30), (8.0, -2.5, -2.8)), Bump((38, -75, 60), (16, 14, 30), (2, -2, 0))),
    "mouthUpperUp": (
        Bump(_UP, (10, 9, 25), (0.6, 5.2, 0.8), "upper"),
        Bump((20, -34, 88), (9, 9, 25), (0.4, 2.4, 0.6), "upper"),
    ),
    "nasolabialDeepen": (
        Bump((30, -30, 80), (8, 11, 25), (-1.0, 2.2, 2.0)),
        Bump((22, -38, 86), (4.5, 9, 25), (0.6, 1.4, -1.6)),
    ),
    "noseSneer": (
        Bump(_ALA, (7, 8, 20), (0.8, 4.2, -0.6)),
        Bump((13, -6, 90), (8, 10, 25), (-0.6, 2.4, 1.2)),
        Bump((13, -44, 92), (9, 7, 25), (0.4, 3.4, 0.4), "upper"),
        Bump((9, 22, 90), (8, 8, 30), (-1.0, -2.0, 0.6)),
    ),
    "nostrilDilate": (Bump(_ALA, (4.5, 6, 14), (2.4, 0.3, 0.2)),),
}
_WHOLE: dict[str, tuple[Bump, ...]] = {
    "chinRaise": (
        Bump((0, -78, 92), (18, 12, 30), (0, 5.0, 1.0), "lower"),
        Bump((0, -62, 95), (18, 7, 25), (0, 2.6, 2.6), "lower"),
        Bump((0, -48, 95), (16, 7, 25), (0, 1.8, 1.2), "upper"),
    ),
    "lipBite": (
        Bump((0, -60, 95), (16, 7, 25), (0, 3.0, -5.0), "lower"),
        Bump((0, -76, 90), (18, 8, 30), (0, 2.0, 0), "lower"),
    ),
    "mouthClose": (
        Bump((0, -60, 93), (21, 10, 30), (0, 9.0, 0.6), "lower"),
        Bump((0, -49, 95), (20, 8, 30), (0, -2.8, 0.3), "upper"),
    ),
    "mouthFunnel": (
        Bump((0, -48, 95), (15, 8, 30), (0, 3.0, 5.5), "upper"),
        Bump((0, -63, 95), (15, 9, 30), (0, -4.0, 5.5), "lower"),
    ),
    "mouthLeft": (Bump((0, -55, 92), (26, 15, 40), (7.5, 0.4, 0)), Bump((24, -55, 86), (12, 12, 30), (0, 1.0, -1.5))),
    "mouthPucker": (Bump((0, -55, 95), (15, 14, 30), (0, 0, 7.0)),),
    "mouthShrugLower": (
        Bump((0, -62, 95), (18, 8, 25), (0, 2.8, 2.4), "lower"),
        Bump((0, -76, 91), (16, 9, 30), (0, 3.0, 0.6), "lower"),
    ),
    "mouthShrugUpper": (Bump((0, -48, 95), (17, 8, 25), (0, 2.8, 1.8), "upper"),),
}
_SQUEEZE = {"mouthFunnel": (0.26, 20.0), "mouthPucker": (0.44, 22.0), "lipTighten": (0.13, 18.0)}
"""Share by which the mouth narrows towards the midline, and how far from it that reaches, mm."""
_LID = {  # share of the upper lid's way to closure, rise of the lower lid in mm
    "eyeBlink": (1.0, 0.9),
    "eyeSquint": (0.30, 2.2),
    "eyeWide": (-0.30, -0.7),
    "eyeLookDown": (0.42, -0.8),
    "eyeLookUp": (-0.16, 0.5),
    "cheekSquint": (0.05, 1.3),
}
_GAZE = {"eyeLookDown": (25.0, 0.0), "eyeLookUp": (-22.0, 0.0), "eyeLookIn": (0.0, -28.0), "eyeLookOut": (0.0, 28.0)}
"""Degrees the left eyeball turns down and towards the temple."""
# inward roll of a lip's rings (mm): border, body, wet, contact as (towards the lip line, backwards)
_ROLLS = {
    "mouthRollUpper": ("upper", ((3.2, 0.5), (3.2, 2.4), (1.8, 4.2), (0.6, 4.2))),
    "mouthRollLower": ("lower", ((4.0, 0.8), (4.0, 2.8), (2.2, 4.8), (0.8, 4.8))),
    "lipBite": ("lower", ((1.5, 0.2), (1.2, 0.6), (0.8, 1.2), (0.4, 1.0))),
    "lipTighten": ("both", ((1.6, 0.2), (1.2, 0.7), (0.6, 1.2), (0.0, 0.8))),
    "mouthPress": ("both", ((1.7, -0.3), (1.4, 0.8), (0.7, 1.8), (0.0, 1.5))),
}


def channel_shapes(mesh: Mesh) -> Points:
    """Displacements (64, V, 3) in mm of every channel at full activation, in the order of ``CHANNELS``."""
    muscles = Muscles(mesh)
    return np.stack([muscles.shape(name) for name in CHANNELS])


class Muscles:
    """Makes blend shapes on one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh, self.points = mesh, mesh.vertices
        self.jaw = jaw_weights(mesh)
        stiff = np.concatenate([np.ravel(mesh.groups[g]) for g in ("eyeball", "eyeball_pole", "ear", "ear_middle")])
        inside = np.concatenate([np.ravel(mesh.groups[g]) for g in ("upper_teeth", "lower_teeth", "tongue")])
        stiff = np.concatenate([stiff, inside])
        self.soft = np.ones(len(self.points))
        self.soft[stiff] = self.soft[mesh.mirror[stiff]] = 0.0
        for ring, share in (("inner", 0.85), ("bag", 0.4), ("throat", 0.0)):
            ids = mesh.groups[f"mouth_{ring}"]
            self.soft[ids] = self.soft[mesh.mirror[ids]] = share
        self.left = 0.5 + 0.5 * np.tanh(self.points[:, 0] / 5.0)

    def shape(self, name: str) -> Points:
        """(V, 3) displacement of a channel."""
        if name.endswith("Right") and name not in ("jawRight", "mouthRight"):
            return self._mirrored(self.shape(name.removesuffix("Right") + "Left"))
        if name in ("jawRight", "mouthRight"):
            return self._mirrored(self.shape(name.replace("Right", "Left")))
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            return self._one_side(name.removesuffix("Left"))
        return self._both_sides(name)

    def _mirrored(self, move: Points) -> Points:
        other: Points = np.empty_like(move)
        other[self.mesh.mirror] = move * [-1, 1, 1]
        return other

    def _one_side(self, name: str) -> Points:
        move = self._bumps(_LEFT.get(name, ()))
        if name == "cheekPuff":
            move += self._blow((38, -46, 66), (15, 15, 25), 8.0) + self._blow((12, -45, 94), (14, 8, 20), 1.6)
        if name in _ROLLS:
            move += self._roll(name)
        move *= self.left[:, None]
        if name in _LID:
            move += self._lids(*_LID[name])
        if name in _GAZE:
            move += self._gaze(*_GAZE[name])
        return move

    def _both_sides(self, name: str) -> Points:
        move = self._bumps(_WHOLE.get(name, ()))
        if name in _SQUEEZE:
            share, reach = _SQUEEZE[name]
            near = self._near((0, -55, 92), (reach, 15, 40)) * self.soft
            move[:, 0] -= share * self.points[:, 0] * near
            move[:, 2] += 0.10 * share * np.abs(self.points[:, 0]) * near
        if name in _ROLLS:
            move += self._roll(name)
        if name == "cheekSuck":
            left = self._blow((40, -44, 64), (13, 15, 25), -6.0)
            move += left + self._mirrored(left)
        if name == "nostrilCompress":
            left = self._bumps((Bump(_ALA, (4.5, 6, 14), (-2.2, 0, 0)),))
            move += left + self._mirrored(left)
        if name in ("jawForward", "jawLeft"):
            move += self.jaw[:, None] * ([0, 0.5, 5.0] if name == "jawForward" else [6.0, 0, 0])
        if name == "tongueShow":
            move += self._tongue()
        return move

    def _near(self, centre: Triple, radii: Triple) -> Values:
        near: Values = np.exp(-0.5 * (((self.points - np.array(centre)) / np.array(radii)) ** 2).sum(axis=1))
        return near

    def _bumps(self, bumps: tuple[Bump, ...]) -> Points:
        move = np.zeros_like(self.points)
        parts: dict[Part, Values] = {"all": np.ones(len(self.points)), "upper": 1 - self.jaw, "lower": self.jaw}
        for bump in bumps:
            share = self._near(bump.centre, bump.radii) * parts[bump.part] * self.soft
            move += share[:, None] * np.array(bump.move)
        return move

    def _blow(self, centre: Triple, radii: Triple, amount: float) -> Points:
        """Pushes the skin away from the middle of the mouth's cavity, both lips alike."""
        away = (self.points - [0, -46, 30]) * [1.0, 0.5, 0.6]
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        blown: Points = (amount * self._near(centre, radii) * self.soft)[:, None] * away
        return blown

    def _roll(self, name: str) -> Points:
        """Turns the red of the lips inwards, ring by ring."""
        which, amounts = _ROLLS[name]
        move = np.zeros_like(self.points)
        columns = np.arange(2 * CORNER + 1)
        signs = np.where(columns < CORNER, -1.0, 1.0) * (columns != CORNER)
        chosen = (columns <= CORNER) if which == "upper" else (columns >= CORNER) if which == "lower" else columns >= 0
        for ring, (closer, back) in zip(("border", "body", "wet", "contact"), amounts, strict=True):
            ids = self.mesh.groups[f"mouth_{ring}"]
            full = np.clip(1 - (self.points[ids, 0] / MOUTH_WIDTH) ** 4, 0, None) * chosen
            for side in (ids, self.mesh.mirror[ids]):
                move[side, 1], move[side, 2] = closer * signs * full, -back * full
        contact, inner = self.mesh.groups["mouth_contact"], self.mesh.groups["mouth_inner"]
        for ids, source in ((inner, contact), (self.mesh.mirror[inner], self.mesh.mirror[contact])):
            move[ids] = 0.7 * move[source]
        return move

    def _lids(self, closing: float, rise: float) -> Points:
        """Moves the left eye's lids over the eyeball: 1 closes the upper lid onto the lower one."""
        move = np.zeros_like(self.points)
        groups = {ring: self.mesh.groups[f"eye_{ring}"] for ring in EYE_RINGS}
        margin, lash, crease = (self.points[groups[ring]] for ring in ("margin", "lash", "crease"))
        half = EYE_COLUMNS // 2
        upper, lower = np.arange(1, half), np.arange(half + 1, EYE_COLUMNS)
        under = np.concatenate([margin[:1], margin[: half - 1 : -1]])  # inner corner, lower lid, outer corner
        opening = np.clip((margin[upper, 1] - np.interp(margin[upper, 0], under[:, 0], under[:, 1])) / 6.0, 0, 1)
        meet = np.interp(margin[upper, 0], under[:, 0], under[:, 1]) + 0.7 * np.sqrt(opening)
        goal = margin[upper, 1] + closing * (meet - margin[upper, 1])
        for ring, ids in groups.items():
            old = self.points[ids]
            share = (old[upper, 1] - lash[upper, 1]) / (crease[upper, 1] - lash[upper, 1])
            share = np.clip(share, 0, None) if ring not in ("tuck", "margin") else 0 * share
            fall = (goal - margin[upper, 1]) * np.clip(1 - 0.82 * share, 0, None)
            fall *= {"socket": 0.5, "orbit": 0.0}.get(ring, 1.0)
            fall -= 0.55 * opening * closing if ring == "lash" else 0.0
            move[ids[upper]] = self._slide(old[upper], fall, ring)
            lift = {"tuck": 1, "margin": 1, "lash": 1, "lid": 0.85, "crease": 0.55, "socket": 0.25, "orbit": 0.0}[ring]
            wide = np.clip(np.sin(np.pi * (EYE_COLUMNS - lower) / half), 0, None) ** 0.5
            lift += 0.5 * max(closing, 0.0) if ring == "lash" else 0.0
            move[ids[lower]] = self._slide(old[lower], rise * lift * wide, ring)
        return move

    @staticmethod
    def _slide(old: Points, dy: Values, ring: str) -> Points:
        """Displacement of lid points that move by ``dy`` in height and keep their distance from the eyeball."""
        radius = {"tuck": 12.3, "margin": 12.7}.get(ring, 14.1)
        hug = {"tuck": 1.0, "margin": 1.0, "lash": 1.0, "lid": 1.0, "crease": 0.45}.get(ring, 0.0)
        before, after = lid_depth(old[:, 0], old[:, 1], radius), lid_depth(old[:, 0], old[:, 1] + dy, radius)
        if ring == "lid":  # the bulge of the closed lid, whatever the skin's depth was at rest
            share = np.clip(np.abs(dy) / 4.0, 0, 1)
            before = before * (1 - share) + old[:, 2] * share
        return np.column_stack([0 * dy, dy, hug * (after - before)])

    def _gaze(self, down: float, out: float) -> Points:
        """Turns the left eyeball."""
        a, b = np.radians(down), np.radians(out)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        ids = np.concatenate([np.ravel(self.mesh.groups[g]) for g in ("eyeball", "eyeball_pole")])
        move = np.zeros_like(self.points)
        arm = self.points[ids] - sculpt.EYE
        move[ids] = arm @ (about_y @ about_x).T - arm
        return move

    def _tongue(self) -> Points:
        move = np.zeros_like(self.points)
        ids = np.ravel(self.mesh.groups["tongue"])
        forward = np.clip((self.points[ids, 2] - 50) / 30, 0, 1)
        for side in (ids, self.mesh.mirror[ids]):
            move[side] = np.column_stack([0 * forward, 9.5 * forward, 27.0 * forward])
        return move


def jaw_weights(mesh: Mesh) -> Values:
    """Share (V,) with which each vertex follows the jaw: set on lips, chin and skull, harmonic on the skin between."""
    points, n = mesh.vertices, len(mesh.vertices)
    weights = np.full(n, np.nan)
    x, y, z = points.T
    weights[(y > -22) | (z < -18) | (y < -128)] = 0.0
    weights[(y > -30 - 0.35 * np.abs(x)) & (np.abs(x) < 24)] = 0.0
    weights[(y < -74) & (y > -100) & (z > 42) & (y < -52 - 0.20 * (95 - z))] = 1.0
    columns = np.arange(2 * CORNER + 1)
    for ring in MOUTH_RINGS:
        ids = mesh.groups[f"mouth_{ring}"]
        out = np.clip(np.abs(points[ids, 0]) / MOUTH_WIDTH, 0, 1) ** 4
        upper, lower = _CORNER_FOLLOWS * out, 1 - (1 - _CORNER_FOLLOWS) * out
        value = np.where(columns < CORNER, upper, np.where(columns > CORNER, lower, _CORNER_FOLLOWS))
        if ring == "outer":
            continue
        if ring == "throat":
            value = 0.25 + 0.4 * (value - 0.25)
        weights[ids] = weights[mesh.mirror[ids]] = value
    for group, share in (("upper_teeth", 0.0), ("lower_teeth", 1.0), ("eyeball", 0.0), ("eyeball_pole", 0.0)):
        ids = np.ravel(mesh.groups[group])
        weights[ids] = weights[mesh.mirror[ids]] = share
    tongue = np.ravel(mesh.groups["tongue"])
    weights[tongue] = weights[mesh.mirror[tongue]] = np.clip(0.55 + (z[tongue] - 52) / 50, 0, 0.95)
    for group in ("ear", "ear_middle", "brow"):
        ids = np.ravel(mesh.groups[group])
        weights[ids] = weights[mesh.mirror[ids]] = 0.0
    return _harmonic(mesh, weights)


def _harmonic(mesh: Mesh, known: Values) -> Values:
    """Fills NaN with the values that make every unknown vertex the mean of its neighbours."""
    n = len(known)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    ends = np.concatenate([edges, edges[:, ::-1]])
    length = np.linalg.norm(mesh.vertices[ends[:, 0]] - mesh.vertices[ends[:, 1]], axis=1)
    graph = sparse.csr_matrix((1 / length, (ends[:, 0], ends[:, 1])), shape=(n, n))
    laplacian = sparse.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph
    free = np.isnan(known)
    given = np.where(free, 0.0, known)
    right = -(laplacian @ given)[free]
    filled = given.copy()
    filled[free] = linalg.spsolve(laplacian[free][:, free].tocsc(), right)
    return np.clip(filled, 0, 1)
