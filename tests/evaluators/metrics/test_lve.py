from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluators.metrics.lve import lve, vertex_errors_mm


def clip(seed: int, frames: int = 5, vertices: int = 9) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    shape = (frames, vertices, 3)
    return generator.normal(size=shape) * 0.01, generator.normal(size=shape) * 0.01


def slow_lve(pred: NDArray[np.float64], truth: NDArray[np.float64], lips: list[int]) -> float:
    total = 0.0
    for t in range(len(pred)):
        worst = 0.0
        for v in lips:
            squared = sum((float(pred[t, v, axis]) - float(truth[t, v, axis])) ** 2 for axis in range(3))
            worst = max(worst, squared**0.5)
        total += worst
    return 1000.0 * total / len(pred)


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 7), lips=st.sets(st.integers(0, 8), min_size=1))
@settings(max_examples=40, deadline=None)
def test_equals_a_loop_over_frames_vertices_and_axes(seed: int, frames: int, lips: set[int]) -> None:
    pred, truth = clip(seed, frames)
    assert lve(pred, truth, sorted(lips)) == pytest.approx(slow_lve(pred, truth, sorted(lips)), rel=1e-12)


def test_equals_the_released_function_on_golden_clips(shared: Path) -> None:
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    lips = np.searchsorted(golden["vertex_ids"], golden["lip_ids"])
    clips = zip(golden["pred_vertices"], golden["gt_vertices"], golden["lengths"], strict=True)
    per_clip = [lve(pred[:length], truth[:length], lips) for pred, truth, length in clips]
    assert np.mean(per_clip) == pytest.approx(1000.0 * float(golden["lve_m"]), rel=1e-5)


def test_takes_the_worst_lip_vertex_of_a_frame_not_the_mean() -> None:
    truth = np.zeros((1, 4, 3))
    pred = truth.copy()
    pred[0, 2, 1] = 0.008
    assert lve(pred, truth, [0, 1, 2, 3]) == pytest.approx(8.0)


def test_averages_frames_before_anything_else_so_one_bad_frame_of_four_counts_a_quarter() -> None:
    truth = np.zeros((4, 2, 3))
    pred = truth.copy()
    pred[3, 0, 0] = 0.004
    assert lve(pred, truth, [0, 1]) == pytest.approx(1.0)


def test_the_distance_is_not_squared_so_doubling_the_error_doubles_the_value() -> None:
    pred, truth = clip(0)
    assert lve(truth + 2 * (pred - truth), truth, [0, 3, 4]) == pytest.approx(2 * lve(pred, truth, [0, 3, 4]))


def test_metres_in_millimetres_out() -> None:
    assert lve(np.full((3, 1, 3), 0.001), np.zeros((3, 1, 3)), [0]) == pytest.approx(3**0.5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_moving_and_turning_both_heads_alike_changes_nothing(seed: int) -> None:
    pred, truth = clip(seed)
    generator = np.random.default_rng(seed + 1)
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    shift = generator.normal(size=3)
    assert lve(pred @ turn + shift, truth @ turn + shift, [1, 2]) == pytest.approx(lve(pred, truth, [1, 2]), rel=1e-9)


def test_vertices_that_are_not_lips_do_not_matter() -> None:
    pred, truth = clip(3)
    elsewhere = pred.copy()
    elsewhere[:, 5:] += 1.0
    assert lve(elsewhere, truth, [0, 1, 4]) == lve(pred, truth, [0, 1, 4])


def test_order_of_frames_and_of_lips_does_not_matter() -> None:
    pred, truth = clip(4)
    assert lve(pred[::-1], truth[::-1], [4, 0, 1]) == pytest.approx(lve(pred, truth, [0, 1, 4]), rel=1e-12)


def test_single_precision_input_is_measured_in_double_precision() -> None:
    truth = np.zeros((1, 1, 3), dtype=np.float32)
    pred = truth + np.float32(1e-30)  # its square is zero in single precision
    assert lve(pred, truth, [0]) > 0.0


@pytest.mark.parametrize("frames, lips", [(0, [0]), (2, [])])
def test_nothing_to_average_over_is_an_error_not_a_nan(frames: int, lips: list[int]) -> None:
    with pytest.raises(ValueError, match="no error to average over"):
        lve(np.zeros((frames, 3, 3)), np.zeros((frames, 3, 3)), lips)


def test_another_length_is_an_error_not_a_silent_cut() -> None:
    with pytest.raises(ValueError, match="shape"):
        lve(np.zeros((4, 3, 3)), np.zeros((5, 3, 3)), [0])


def test_a_nan_on_a_lip_is_an_error() -> None:
    pred = np.zeros((2, 3, 3))
    pred[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        lve(pred, np.zeros((2, 3, 3)), [0])


def test_vertex_errors_are_one_number_a_frame_and_vertex() -> None:
    pred, truth = clip(5)
    assert vertex_errors_mm(pred, truth, [7, 2]).shape == (5, 2)
    assert vertex_errors_mm(pred, truth, [7, 2])[3, 1] == pytest.approx(1000 * np.linalg.norm(pred[3, 2] - truth[3, 2]))
