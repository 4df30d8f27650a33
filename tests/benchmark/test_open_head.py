"""The open head: a closed, symmetric face whose muscles do what they are named after."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.head import open_head
from benchmark.mini import open_head as shipped
from benchmark.mini.channels import CHANNELS
from benchmark.render import render

Points = NDArray[np.float64]
MM = 1e3


@pytest.fixture(scope="module")
def rebuilt() -> dict[str, NDArray[Any]]:
    from benchmark.mini.head_shape import build_head

    return build_head()


def posed(jaw: float = 0.0, neck: tuple[float, float, float] = (0, 0, 0), **channels: float) -> Points:
    """Vertices in mm; a channel named without its side moves both."""
    activations = np.zeros(len(CHANNELS))
    for name, value in channels.items():
        for side in ("",) if name in CHANNELS else ("Left", "Right"):
            activations[CHANNELS.index(name + side)] = value
    parameters = np.concatenate([activations @ shipped.channel_matrix(), neck, [jaw, 0, 0]])
    return open_head().vertices(torch.tensor(parameters), neck=True).double().numpy() * MM


def moved(**channels: float) -> Points:
    return posed(0.0, (0, 0, 0), **channels) - posed()


def both(name: str) -> NDArray[np.int64]:
    ids = shipped.group(name).ravel()
    return np.union1d(ids, shipped.mirror_ids()[ids])


def lip_gap(vertices: Points) -> float:
    """Distance of the lips in the middle of the mouth, mm."""
    loop = shipped.group("mouth_contact")
    return float(np.linalg.norm(vertices[loop[0]] - vertices[loop[-1]]))


def lid_gap(vertices: Points) -> float:
    """Largest height between upper and lower lid of the left eye, mm."""
    margin = shipped.group("eye_margin")
    lower = vertices[np.concatenate([margin[:1], margin[:9:-1]])]
    upper = vertices[margin[1:10]]
    return float((upper[:, 1] - np.interp(upper[:, 0], lower[:, 0], lower[:, 1])).max())


def test_sizes_are_those_of_a_human_head() -> None:
    head = open_head()
    vertices = posed()
    assert 1500 <= head.n_vertices <= 2100
    assert 600 <= len(head.face_ids) <= 900
    assert 80 <= len(head.lip_ids) <= 150
    skull = vertices[both("skin")]
    assert 140 < np.ptp(skull[:, 0]) < 160
    face = vertices[shipped.group("midline")]
    assert 205 < face[:, 1].max() - face[np.abs(face[:, 2] - 80) < 20][:, 1].min() < 235
    eyes = vertices[shipped.group("eyeball_pole")[0]], vertices[shipped.mirror_ids()[shipped.group("eyeball_pole")[0]]]
    assert 58 < np.linalg.norm(eyes[0] - eyes[1]) < 68
    assert eyes[0][0] > 0
    assert vertices[head.face_ids][:, 2].min() > 30


def test_lips_lie_in_the_face_and_eyeballs_teeth_ears_and_neck_do_not() -> None:
    head = open_head()
    assert np.isin(head.lip_ids, head.face_ids).all()
    for name in ("eyeball", "upper_teeth", "lower_teeth", "tongue", "ear", "rim", "mouth_bag"):
        assert not np.isin(both(name), head.face_ids).any()


def test_triangles_are_sound_and_form_no_t_junctions() -> None:
    head, vertices = open_head(), posed()
    a, b, c = (vertices[head.faces[:, k]] for k in range(3))
    assert (np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2).min() > 0.05
    edges = np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]])
    _, directed = np.unique(edges, axis=0, return_counts=True)
    assert directed.max() == 1  # every edge at most once in each direction: a consistently turned surface
    assert np.array_equal(np.unique(head.faces), np.arange(head.n_vertices))


def test_head_is_symmetric_in_shape_and_topology() -> None:
    head, mirror = open_head(), shipped.mirror_ids()
    vertices = posed()
    np.testing.assert_array_equal(mirror[mirror], np.arange(head.n_vertices))
    np.testing.assert_allclose(vertices[mirror] * [-1, 1, 1], vertices, atol=1e-4)
    triangles = {tuple(np.roll(face, -face.argmin())) for face in head.faces}
    mirrored = {tuple(np.roll(face, -face.argmin())) for face in mirror[head.faces][:, ::-1]}
    assert triangles == mirrored
    assert set(mirror[head.face_ids]) == set(head.face_ids)


@pytest.mark.parametrize("name", ["mouthSmile", "browInnerUp", "eyeBlink", "noseSneer", "mouthLowerDown"])
def test_left_and_right_channels_mirror_each_other(name: str) -> None:
    left, right = moved(**{f"{name}Left": 1.0}), moved(**{f"{name}Right": 1.0})
    difference = left[shipped.mirror_ids()] * [-1, 1, 1] - right
    assert np.abs(difference[open_head().face_ids]).max() < 0.15
    x = posed()[:, 0]
    assert np.linalg.norm(left[x < -12], axis=1).max() < 0.3 * np.linalg.norm(left[x > 12], axis=1).max()


def test_lips_touch_at_rest_and_the_jaw_parts_them() -> None:
    vertices = posed()
    loop = shipped.group("mouth_contact")
    np.testing.assert_allclose(vertices[loop[:9]], vertices[loop[:9:-1]], atol=0.01)
    assert 15 < lip_gap(posed(jaw=0.3)) < 40
    assert lip_gap(posed(jaw=0.15)) < 0.6 * lip_gap(posed(jaw=0.3))
    assert lip_gap(posed(jaw=0.1, mouthClose=0.8)) < 0.5 * lip_gap(posed(jaw=0.1))


def test_lids_are_open_at_rest_and_meet_over_the_eyeball_in_a_blink() -> None:
    eye = posed()[shipped.group("eyeball")].reshape(-1, 3).mean(axis=0) * [1, 1, 0] + [0, 0, 72.5]
    assert 8 < lid_gap(posed()) < 13
    for closing in (0.25, 0.5, 0.75, 1.0):
        vertices = posed(eyeBlink=closing)
        margin = vertices[shipped.group("eye_margin")]
        middle = np.abs(margin[:, 0] - eye[0]) < 8
        assert np.linalg.norm(margin[middle] - eye, axis=1).min() > 11.8
    assert abs(lid_gap(posed(eyeBlink=1.0))) < 0.4
    assert 0.3 * lid_gap(posed()) < lid_gap(posed(eyeBlink=0.5)) < 0.7 * lid_gap(posed())


def test_blink_and_lip_shapes_survive_the_cut_to_50_components(rebuilt: dict[str, NDArray[Any]]) -> None:
    from benchmark.mini.head_mesh import Mesh
    from benchmark.mini.head_muscles import channel_shapes

    groups = {name.removeprefix("group_"): ids for name, ids in rebuilt.items() if name.startswith("group_")}
    vertices = rebuilt["v_template"].astype(np.float64) * MM
    shapes = channel_shapes(Mesh(vertices, rebuilt["f"], rebuilt["mirror_ids"], groups))
    kept = np.einsum("vce,ke->kvc", rebuilt["shapedirs"].astype(np.float64) * MM, rebuilt["channel_matrix"])
    lost = np.linalg.norm(kept - shapes, axis=2)
    lids = np.concatenate([both("eye_margin"), both("eye_lash"), both("eye_lid")])
    for name in ("eyeBlinkLeft", "eyeBlinkRight", "eyeWideLeft", "cheekSquintRight"):
        assert lost[CHANNELS.index(name)][lids].max() < 0.3
    lips = [CHANNELS.index(name) for name in CHANNELS if name.startswith(("mouth", "jaw", "chin", "lip"))]
    assert lost[lips][:, rebuilt["lips"]].max() < 0.3


@pytest.mark.parametrize(
    ("channel", "part", "direction", "least", "most"),
    [
        ("browInnerUp", (12, 30, 88), (0, 1, 0), 5, 10),
        ("browOuterUp", (42, 31, 72), (0, 1, 0), 5, 10),
        ("browDown", (14, 28, 88), (0, -1, 0), 4, 9),
        ("mouthSmile", (25, -55, 86), (0.7, 0.7, 0), 7, 12),
        ("mouthFrown", (25, -55, 86), (0, -1, 0), 4, 9),
        ("mouthStretch", (25, -55, 86), (1, 0, 0), 6, 11),
        ("mouthPucker", (24, -55, 86), (-1, 0, 0), 4, 12),
        ("mouthPucker", (0, -52, 96), (0, 0, 1), 4, 9),
        ("mouthFunnel", (0, -50, 96), (0, 0, 1), 3, 9),
        ("mouthUpperUp", (8, -49, 95), (0, 1, 0), 3, 8),
        ("mouthLowerDown", (8, -62, 95), (0, -1, 0), 3, 8),
        ("noseSneer", (15, -26, 97), (0, 1, 0), 2, 6),
        ("cheekPuff", (42, -46, 66), (0.8, 0, 0.5), 4, 10),
        ("cheekSuck", (42, -46, 66), (-0.8, 0, -0.5), 3, 8),
        ("cheekSquint", (38, -12, 74), (0, 1, 0), 3, 7),
        ("mouthLeft", (0, -55, 95), (1, 0, 0), 5, 10),
        ("mouthRight", (0, -55, 95), (-1, 0, 0), 5, 10),
        ("jawLeft", (0, -86, 92), (1, 0, 0), 4, 8),
        ("jawRight", (0, -86, 92), (-1, 0, 0), 4, 8),
        ("jawForward", (0, -86, 92), (0, 0, 1), 3, 7),
        ("chinRaise", (0, -78, 92), (0, 1, 0), 3, 8),
        ("lipBite", (0, -61, 96), (0, 0, -1), 2, 8),
        ("mouthRollUpper", (0, -53, 96), (0, 0, -1), 2, 7),
        ("mouthRollLower", (0, -58, 96), (0, 0, -1), 2, 7),
        ("mouthDimple", (26, -55, 84), (0, 0, -1), 1.5, 6),
    ],
)
def test_each_channel_moves_what_its_name_says(
    channel: str, part: tuple[float, float, float], direction: tuple[float, float, float], least: float, most: float
) -> None:
    face = open_head().face_ids
    near = face[np.linalg.norm(posed()[face] - part, axis=1).argsort()[:4]]
    towards = np.array(direction) / np.linalg.norm(direction)
    way = (moved(**{channel: 1.0})[near] @ towards).mean()
    assert least < way < most


def test_gaze_turns_both_eyeballs_together() -> None:
    pole = shipped.group("eyeball_pole")[0]
    poles = [pole, shipped.mirror_ids()[pole]]
    assert (moved(eyeLookOutLeft=1.0, eyeLookInRight=1.0)[poles][:, 0] > 4).all()
    assert (moved(eyeLookUp=1.0)[poles][:, 1] > 3).all()
    assert (moved(eyeLookDown=1.0)[poles][:, 1] < -3).all()
    assert lid_gap(posed(eyeLookDown=1.0)) < 0.8 * lid_gap(posed())


def test_muscles_of_the_mouth_leave_the_upper_face_and_the_scalp_alone() -> None:
    vertices = posed()
    high, back = vertices[:, 1] > 40, vertices[:, 2] < -20
    for name in ("mouthSmile", "mouthPucker", "jawLeft", "mouthFrown", "cheekPuff"):
        assert np.linalg.norm(moved(**{name: 1.0})[high | back], axis=1).max() < 0.3


def test_the_neck_turns_the_head_and_not_the_shoulders() -> None:
    turned = posed(neck=(0.0, 0.4, 0.0)) - posed()
    assert np.linalg.norm(turned[both("rim")], axis=1).max() < 1.0
    assert turned[open_head().face_ids][:, 0].min() > 5  # turning left moves the face to the subject's left


def test_coefficients_of_plausible_faces_all_spread_alike_and_as_performed_clips_want() -> None:
    """Sampled faces are livelier than performed clips, whose coefficients spread by about 0.93 as real tracks' do."""
    from benchmark.mini.head_shape import _PERFORMED, sample_activations

    activations = sample_activations(np.random.default_rng(1), 4000)
    assert activations.min() >= 0
    assert activations.max() <= 1
    spread = (activations @ shipped.channel_matrix()).std(axis=0)
    assert np.abs(_PERFORMED * spread - 1).max() < 0.15


def test_the_script_makes_the_shipped_head_again(rebuilt: dict[str, NDArray[Any]]) -> None:
    with np.load(shipped.PATH) as file:
        assert sorted(file.files) == sorted(rebuilt)
        for name in file.files:
            difference = np.abs(file[name].astype(np.float64) - rebuilt[name].astype(np.float64))
            assert difference.max() < (1e-5 if name != "channel_matrix" else 1e-3), name
    assert shipped.PATH.stat().st_size < 1_000_000


def test_a_rendered_face_has_dark_brows_red_lips_and_white_eyes() -> None:
    head, colours = open_head(), shipped.vertex_colours()
    picture = render(posed() / MM, head.faces, colours, size=200, span=0.2, centre=(0, -0.02, 0.08)).astype(int)

    def at(x: float, y: float) -> NDArray[np.float64]:
        row, column = round(100 - (y + 20)), round(100 + x)
        return np.asarray(picture[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(axis=0))

    cheek, brow, lip, white = at(38, -25), at(30, 32), at(5, -60), at(41, 11.5)
    assert brow.sum() < 0.6 * cheek.sum()
    assert lip[0] - lip[1] > (cheek[0] - cheek[1]) + 10
    assert white[2] > cheek[2] + 20
    assert (picture[5, 5] == picture[0, 0]).all()
