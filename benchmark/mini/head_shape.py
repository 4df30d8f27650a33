"""Makes the open head's file: mesh, skinning, muscle channels and the 50 expression components learned from them.

Run ``python -m benchmark.mini.head_shape --out FILE`` to make it again.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.head_file import EXPRESSIONS, JOINTS
from benchmark.mini.channels import CHANNELS
from benchmark.mini.head_mesh import MOUTH_RINGS, Mesh, build_mesh
from benchmark.mini.head_muscles import channel_shapes, jaw_weights
from benchmark.storage import atomic_path

Arrays = dict[str, NDArray[Any]]
Values = NDArray[np.float64]

SEED = 20241028
_MM = 1e-3
_SAMPLES = 6000
_NO_PARENT = 4294967295
_SKIN, _LIP, _BROW, _DARK = (0.80, 0.64, 0.55), (0.71, 0.45, 0.42), (0.30, 0.21, 0.16), (0.12, 0.04, 0.04)
_WHITE, _IRIS, _PUPIL, _TOOTH, _TONGUE = (
    (0.90, 0.89, 0.87),
    (0.33, 0.43, 0.48),
    (0.03,) * 3,
    (0.90, 0.87, 0.80),
    (0.66, 0.34, 0.34),
)
_LASH, _GUM, _RED = (0.36, 0.24, 0.20), (0.60, 0.30, 0.30), (0.78, 0.52, 0.47)


def build_head(seed: int = SEED) -> Arrays:
    """All arrays of the open head's file, metres, in FLAME's format and with ours beside them."""
    rng = np.random.default_rng(seed)
    mesh = build_mesh(rng)
    jaw = jaw_weights(mesh)
    shapes = channel_shapes(mesh)
    face, lips = _face_ids(mesh), _group(mesh, *(f"mouth_{ring}" for ring in ("border", "body", "wet", "contact")))
    basis, matrix = expression_basis(mesh, shapes, face, lips, rng)
    return {
        "f": mesh.faces.astype(np.int32),
        "v_template": (mesh.vertices * _MM).astype(np.float32),
        "shapedirs": (basis * _MM).astype(np.float16),
        "posedirs": np.zeros((len(mesh.vertices), 3, 9 * (JOINTS - 1)), dtype=np.float16),
        "J_regressor": _joint_regressor(mesh).astype(np.float32),
        "kintree_table": np.array([[_NO_PARENT, 0, 1, 1, 1], range(JOINTS)], dtype=np.int64),
        "weights": _skinning(mesh, jaw).astype(np.float32),
        "face": face,
        "lips": lips,
        "mirror_ids": mesh.mirror.astype(np.int32),
        "vertex_colours": _colours(mesh).astype(np.float16),
        "channel_matrix": matrix,
        **{f"group_{name}": ids.astype(np.int32) for name, ids in mesh.groups.items()},
    }


def _group(mesh: Mesh, *names: str) -> NDArray[np.int64]:
    """Sorted vertex ids of groups, both sides."""
    left = np.concatenate([np.ravel(mesh.groups[name]) for name in names])
    return np.union1d(left, mesh.mirror[left]).astype(np.int64)


def _face_ids(mesh: Mesh) -> NDArray[np.int64]:
    """The front of the face: loops, nose, cheeks, chin and lower forehead; no eyeballs, ears, scalp or neck."""
    x, y, z = mesh.vertices.T
    skin = np.zeros(len(x), dtype=bool)
    skin[_group(mesh, "skin", "midline", "nostril")] = True
    front = skin & (y < 52) & (y > -99) & (z > 46 - 0.2 * y) & (np.abs(x) < 56)
    loops = _group(mesh, *(f"mouth_{ring}" for ring in ("outer", "skin", "border", "body", "wet", "contact")))
    lids = _group(mesh, *(f"eye_{ring}" for ring in ("margin", "lash", "lid", "crease", "socket", "orbit")))
    return np.union1d(np.union1d(np.flatnonzero(front), loops), lids).astype(np.int64)


def _skinning(mesh: Mesh, jaw: Values) -> Values:
    y, z = mesh.vertices[:, 1], mesh.vertices[:, 2]
    low = np.clip((-92 - 0.25 * z - y) / 58, 0, 1)
    body = low * low * (3 - 2 * low)
    weights = np.zeros((len(y), JOINTS))
    weights[:, 2] = jaw
    weights[:, 0] = body * (1 - jaw)
    weights[:, 1] = (1 - body) * (1 - jaw)
    left = np.concatenate([np.ravel(mesh.groups["eyeball"]), mesh.groups["eyeball_pole"]])
    for joint, ids in ((3, left), (4, mesh.mirror[left])):
        weights[ids] = 0.0
        weights[ids, joint] = 1.0
    return weights


def _joint_regressor(mesh: Mesh) -> Values:
    """Joints as means of vertices that muscles leave alone: neck ring, ears, eyeballs."""
    regressor = np.zeros((JOINTS, len(mesh.vertices)))

    def mean(joint: int, ids: NDArray[np.int64]) -> None:
        regressor[joint, ids] = 1 / len(ids)

    rim = _group(mesh, "rim")
    mean(0, rim)
    for joint, goal in ((1, (50.0, -85.0, -26.0)), (2, (64.0, -9.0, 4.0))):
        skin = mesh.groups["skin"]
        near = skin[np.argsort(np.linalg.norm(mesh.vertices[skin] - goal, axis=1))[:4]]
        mean(joint, np.concatenate([near, mesh.mirror[near]]))
    eye = np.ravel(mesh.groups["eyeball"])
    mean(3, eye)
    mean(4, mesh.mirror[eye])
    return regressor


def _colours(mesh: Mesh) -> Values:
    colours = np.tile(_SKIN, (len(mesh.vertices), 1))
    blush = np.exp(-0.5 * (((np.abs(mesh.vertices) - [38, 18, 70]) / [14, 12, 22]) ** 2).sum(axis=1))
    tip = np.exp(-0.5 * (((mesh.vertices - [0, -24, 108]) / [14, 9, 12]) ** 2).sum(axis=1))
    pink = (0.30 * blush * (mesh.vertices[:, 1] < 5) + 0.25 * tip)[:, None]
    colours += pink * (np.array(_RED) - colours)
    paint: list[tuple[str, tuple[float, ...]]] = [
        *((f"mouth_{ring}", _LIP) for ring in ("body", "wet", "contact", "inner")),
        *((f"mouth_{ring}", _DARK) for ring in ("bag", "throat")),
        ("eye_tuck", _RED),
        ("eye_margin", _RED),
        ("brow", _BROW),
        ("nostril_deep", _DARK),
        ("eyeball", _WHITE),
        ("eyeball_pole", _PUPIL),
        ("upper_teeth", _TOOTH),
        ("lower_teeth", _TOOTH),
        ("tongue", _TONGUE),
    ]
    for name, colour in paint:
        colours[_group(mesh, name)] = colour
    lash = mesh.groups["eye_lash"][1:10]
    for ids, colour in (
        (mesh.groups["eyeball"][0], _PUPIL),
        (mesh.groups["eyeball"][1:3], _IRIS),
        (lash, _LASH),
        (mesh.groups["upper_teeth"][0], _GUM),
        (mesh.groups["lower_teeth"][-1], _GUM),
        (mesh.groups["mouth_border"], tuple(0.8 * np.array(_SKIN) + 0.2 * np.array(_LIP))),
    ):
        colours[np.ravel(ids)] = colours[mesh.mirror[np.ravel(ids)]] = colour
    return colours


_MOODS = (
    {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.3, "mouthDimple": 0.2, "nasolabialDeepen": 0.3},
    {"browInnerUp": 0.8, "mouthFrown": 0.7, "chinRaise": 0.4, "eyeSquint": 0.2, "eyeLookDown": 0.4},
    {"browDown": 0.9, "mouthPress": 0.6, "eyeWide": 0.3, "noseSneer": 0.3, "lipTighten": 0.4, "nostrilDilate": 0.5},
    {"noseSneer": 0.9, "mouthUpperUp": 0.6, "browDown": 0.4, "nasolabialDeepen": 0.6, "cheekSquint": 0.3},
    {"browInnerUp": 0.8, "browOuterUp": 0.9, "eyeWide": 0.9, "mouthFunnel": 0.2},
    {"browInnerUp": 0.9, "eyeWide": 0.7, "mouthStretch": 0.7, "browDown": 0.3},
    {"cheekPuff": 0.8, "mouthPress": 0.3},
    {"mouthSharpPull": 0.7, "mouthDimple": 0.5},
)
_TALK = (
    "mouthFunnel", "mouthPucker", "mouthClose", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile", "mouthPress", "tongueShow",
)  # fmt: skip
_PAIRS = tuple(
    name.removesuffix("Left") for name in CHANNELS if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
)


_PERFORMED = 0.65
"""Samples are this much livelier than performed clips, whose coefficients then deviate by about 0.93 as EMOCA's do."""


def sample_activations(rng: np.random.Generator, n: int) -> Values:
    """Plausible activations (n, 64) in 0 to 1: moods, speech, blinks, gaze and stray muscles, sides correlated."""
    values = {
        name: rng.random(n) ** 2 * (rng.random(n) < 0.16) * 0.9
        for name in [*_PAIRS, *CHANNELS]
        if "eyeLook" not in name
    }
    mood, strength = rng.integers(0, len(_MOODS), n), rng.random(n) * (rng.random(n) < 0.7)
    for index, parts in enumerate(_MOODS):
        for name, share in parts.items():
            values.setdefault(name, np.zeros(n))
            values[name] = values[name] + (mood == index) * strength * share
    talking = rng.random(n) < 0.6
    for name in _TALK:
        values[name] = values[name] + talking * rng.beta(1.0, 2.2, n) * (rng.random(n) < 0.35)
    values["eyeBlink"] = np.where(rng.random(n) < 0.2, rng.random(n) ** 0.5, 0.05 * rng.random(n))
    activations = np.zeros((n, len(CHANNELS)))
    sideways, upwards = 0.35 * rng.standard_normal(n), 0.3 * rng.standard_normal(n)
    gaze = {"eyeLookUp": (upwards, upwards), "eyeLookDown": (-upwards, -upwards)}
    gaze |= {"eyeLookOut": (sideways, -sideways), "eyeLookIn": (-sideways, sideways)}
    for name in _PAIRS:
        place = CHANNELS.index(name + "Left")
        if name in gaze:
            activations[:, place], activations[:, place + 1] = gaze[name]
            continue
        lean = np.where(rng.random(n) < 0.12, rng.choice([-1.0, 1.0], n), 0.25 * rng.standard_normal(n).clip(-2, 2))
        whole = values[name]
        activations[:, place], activations[:, place + 1] = whole * (1 + lean), whole * (1 - lean)
    for place, name in enumerate(CHANNELS):
        if name.removesuffix("Left").removesuffix("Right") not in _PAIRS:
            activations[:, place] = values[name]
    return np.clip(activations, 0, 1)


def expression_basis(
    mesh: Mesh, shapes: Values, face: NDArray[np.int64], lips: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Values, Values]:
    """The 50 principal components of sampled faces, scaled so that performed clips have coefficients as real tracks.

    Args:
        mesh: The head at rest.
        shapes: (64, V, 3) channel displacements, mm.
        face: Ids that weigh more than the rest of the head.
        lips: Ids that weigh most, with the lids.
        rng: Draws the sampled faces.

    Returns:
        Basis (V, 3, 50), mm per unit, and each channel's expression (64, 50): the nearest in the weighted norm.
    """
    importance = np.full(len(mesh.vertices), 0.3)
    importance[face] = 1.0
    importance[_group(mesh, "eyeball", "eyeball_pole")] = 0.6
    importance[np.union1d(lips, _group(mesh, "eye_margin", "eye_lash", "eye_lid"))] = 2.5
    importance[_group(mesh, *(f"mouth_{ring}" for ring in MOUTH_RINGS[6:]))] = 0.5
    importance[_group(mesh, "tongue")] = 0.25
    scale = np.repeat(np.sqrt(importance), 3)
    weighted = shapes.reshape(len(shapes), -1) * scale  # (64, 3V)
    activations = sample_activations(rng, _SAMPLES)
    gram = weighted @ weighted.T  # the samples live in the channels' span, so a 64 x 64 problem is enough
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-10 * values[-1]
    frame = (vectors[:, kept] / np.sqrt(values[kept])).T @ weighted  # orthonormal rows
    inside = weighted @ frame.T  # (64, r)
    _, _, directions = np.linalg.svd(activations @ inside, full_matrices=False)
    components = directions[:EXPRESSIONS]
    components *= np.where(np.abs(components).max(axis=1) > components.max(axis=1), -1.0, 1.0)[:, None]
    coefficients = inside @ components.T  # (64, 50)
    spread = _PERFORMED * (activations @ coefficients).std(axis=0)
    basis = (components * spread[:, None]) @ frame / scale
    return basis.T.reshape(*mesh.vertices.shape, EXPRESSIONS), coefficients / spread


def write_head(path: Path, arrays: Arrays) -> None:
    """Writes the head's file, compressed."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def main() -> None:
    """Makes the file named by ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "open_head.npz", help="file to write")
    write_head(parser.parse_args().out, build_head())


if __name__ == "__main__":
    main()
