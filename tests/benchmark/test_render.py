"""The rasteriser: what is in front is seen, where it should be, in its colour."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.render import render, sheet, vertex_normals, write_png

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 0.05
FACES = np.array([[0, 1, 2], [0, 2, 3]])
RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)


def two_squares(front_depth: float) -> np.ndarray:
    """A red square and a blue one ``front_depth`` metres nearer."""
    vertices = np.concatenate([SQUARE, SQUARE * 0.5 + [0, 0, front_depth]])
    colours = np.array([RED] * 4 + [BLUE] * 4)
    return render(vertices, np.concatenate([FACES, FACES + 4]), colours, size=60, span=0.2)


def test_the_nearer_surface_hides_the_other() -> None:
    near, far = two_squares(0.02)[30, 30].astype(int), two_squares(-0.02)[30, 30].astype(int)
    assert near[2] > near[0] + 50
    assert far[0] > far[2] + 50


def test_a_surface_covers_the_pixels_it_should_without_holes() -> None:
    picture = render(SQUARE, FACES, np.array([RED] * 4), size=60, span=0.2).astype(int)
    red = picture[..., 0] > picture[..., 1] + 40
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (15, 44, 15, 44)
    assert red[15:45, 15:45].all()


def test_surfaces_seen_from_behind_are_not_drawn() -> None:
    background = render(SQUARE, FACES[:, ::-1], size=40)
    assert (background == background[0, 0]).all()
    assert (render(SQUARE, FACES, size=40, yaw=np.pi) == background).all()


def test_axes_are_x_right_and_y_up_and_positive_yaw_turns_to_the_viewers_right() -> None:
    small = SQUARE * 0.2
    for shift, yaw, where in (
        ((0.05, 0, 0), 0.0, (30, 45)),
        ((0, 0.05, 0), 0.0, (15, 30)),
        ((0, 0, 0.05), 1.0, (30, 45)),
    ):
        picture = render(small + shift, np.concatenate([FACES, FACES[:, ::-1]]), size=60, span=0.2, yaw=yaw)
        drawn = np.argwhere((picture != picture[0, 0]).any(axis=2)).mean(axis=0)
        assert np.abs(drawn - where).max() < 4


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    assert render(SQUARE * 50, FACES, size=32).shape == (32, 32, 3)
    away = render(SQUARE + np.array([9, 0, 0]), FACES, size=32)
    assert (away == away[0, 0]).all()


def test_normals_of_a_sphere_point_outwards() -> None:
    from scipy.spatial import ConvexHull

    points = np.random.default_rng(0).standard_normal((200, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    faces = ConvexHull(points).simplices
    across = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    inwards = np.einsum("fc,fc->f", across, points[faces[:, 0]]) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    assert np.einsum("vc,vc->v", vertex_normals(points, faces), points).min() > 0.9


def test_a_sheet_places_pictures_row_by_row() -> None:
    pictures = [np.full((2, 3, 3), value, dtype=np.uint8) for value in (10, 20, 30)]
    whole = sheet(pictures, columns=2)
    assert whole.shape == (4, 6, 3)
    assert [whole[0, 0, 0], whole[0, 3, 0], whole[2, 0, 0], whole[2, 3, 0]] == [10, 20, 30, 255]


def test_png_files_read_back_unchanged(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    write_png(tmp_path / "picture.png", picture)
    with image.open(tmp_path / "picture.png") as file:
        np.testing.assert_array_equal(np.asarray(file), picture)
