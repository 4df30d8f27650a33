from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.metrics.fve import fve
from evaluators.metrics.lve import lve


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 6), face=st.sets(st.integers(0, 7), min_size=1))
@settings(max_examples=40, deadline=None)
def test_equals_a_loop_over_frames_and_vertices(seed: int, frames: int, face: set[int]) -> None:
    generator = np.random.default_rng(seed)
    pred, truth = generator.normal(size=(2, frames, 8, 3)) * 0.01
    distances = [
        sum((pred[t, v, axis] - truth[t, v, axis]) ** 2 for axis in range(3)) ** 0.5
        for t in range(frames)
        for v in face
    ]
    assert fve(pred, truth, sorted(face)) == pytest.approx(1000.0 * sum(distances) / len(distances), rel=1e-12)


def test_equals_the_released_function_on_golden_clips(shared: Path) -> None:
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    face = np.searchsorted(golden["vertex_ids"], golden["face_ids"])
    clips = zip(golden["pred_vertices"], golden["gt_vertices"], golden["lengths"], strict=True)
    per_clip = [fve(pred[:length], truth[:length], face) for pred, truth, length in clips]
    assert np.mean(per_clip) == pytest.approx(1000.0 * float(golden["fve_m"]), rel=1e-5)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_is_never_above_the_largest_error_of_the_same_vertices(seed: int) -> None:
    pred, truth = np.random.default_rng(seed).normal(size=(2, 4, 6, 3))
    assert fve(pred, truth, range(6)) <= lve(pred, truth, range(6)) * (1 + 1e-12)


def test_the_same_offset_everywhere_is_the_length_of_the_offset() -> None:
    truth = np.random.default_rng(0).normal(size=(7, 5, 3))
    assert fve(truth + np.array([0.003, 0.0, 0.004]), truth, [0, 2, 3]) == pytest.approx(5.0)


def test_a_perfect_prediction_scores_exactly_zero() -> None:
    truth = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    assert fve(truth.copy(), truth, [0, 1, 2]) == 0.0


def test_another_length_is_an_error_not_a_silent_cut() -> None:
    with pytest.raises(ValueError, match="shape"):
        fve(np.zeros((6, 3, 3)), np.zeros((5, 3, 3)), [0])
