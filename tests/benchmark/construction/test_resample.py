import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmark.construction.records import ActionUnits
from benchmark.construction.resample import output_times, resample, resample_units


def test_a_track_at_25_frames_a_second_is_left_alone() -> None:
    expression, neck = np.random.default_rng(0).normal(size=(9, 50)), np.zeros((9, 3))
    found, (turned,) = resample(expression, (neck,), 25.0, None)
    assert found is expression
    assert turned is neck


@pytest.mark.parametrize("fps", [23.976, 24.0, 29.97, 30.0, 50.0, 60.0])
def test_duration_is_kept_to_the_frame(fps: float) -> None:
    frames = round(4 * fps)
    assert abs(len(output_times(frames, fps)) / 25.0 - frames / fps) <= 1 / 25.0


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_expression_is_interpolated_linearly(fps: float) -> None:
    seconds = np.arange(120) / fps
    expression = np.stack([seconds * 3 - 1, np.full(120, 0.7)], axis=1)
    found, _ = resample(expression, (), fps, None)
    wanted = np.minimum(np.arange(len(found)) / 25.0, seconds[-1])
    np.testing.assert_allclose(found[:, 0], wanted * 3 - 1, atol=1e-12)
    np.testing.assert_allclose(found[:, 1], 0.7)


def test_a_track_with_uneven_times_is_read_at_its_times() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.06, 80)) + 5.0
    found, _ = resample(times[:, None] * 2, (), 30.0, times)
    wanted = np.minimum(np.arange(len(found)) / 25.0, times[-1] - times[0]) + times[0]
    np.testing.assert_allclose(found[:, 0], wanted * 2)


def test_rotations_turn_evenly_along_the_shortest_arc_where_axis_angle_values_would_not() -> None:
    base = Rotation.from_rotvec([0.0, 2.9, 0.4])
    step = Rotation.from_rotvec([0.02, 0.05, -0.03])
    track = [base]
    for _ in range(59):
        track.append(track[-1] * step)
    vectors = np.stack([rotation.as_rotvec() for rotation in track])
    _, (found,) = resample(np.zeros((60, 1)), (vectors,), 50.0, None)
    turned = Rotation.from_rotvec(found[:-1]).inv() * Rotation.from_rotvec(found[1:])
    np.testing.assert_allclose(
        turned.as_rotvec(), np.tile(2 * np.array([0.02, 0.05, -0.03]), (len(found) - 1, 1)), atol=1e-9
    )


def test_units_of_a_detector_that_ends_early_are_held_and_unknown_ones_rest() -> None:
    units = ActionUnits(("AU12",), np.array([[0.0], [np.nan], [0.8]]), 25.0)
    np.testing.assert_allclose(resample_units(units, 5)[:, 0], [0.0, 0.0, 0.8, 0.8, 0.8])
