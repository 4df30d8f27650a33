import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluators.metrics.fid import (
    covariance,
    factor,
    fid,
    fid_noise_floor,
    frechet_from_factor,
    small_sample_caveat,
    symmetric_root,
)
from evaluators.metrics.spec import MetricRefusedError


def sets(seed: int, n: int = 400, d: int = 8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(2, d, d))
    return generator.normal(size=(n, d)) @ mix[0], generator.normal(size=(n, d)) @ mix[1] + generator.normal(size=d)


def slow_fid(real: NDArray[np.float64], pred: NDArray[np.float64]) -> float:
    from scipy.linalg import sqrtm

    s1, s2 = np.cov(real, rowvar=False), np.cov(pred, rowvar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = np.real(sqrtm(s1 @ s2))
    return float(((real.mean(0) - pred.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2.0 * root))


@given(seed=st.integers(0, 10**6), d=st.integers(2, 12))
@settings(max_examples=25, deadline=None)
def test_equals_the_matrix_root_where_covariances_are_well_conditioned(seed: int, d: int) -> None:
    real, pred = sets(seed, d=d)
    assert fid(real, pred) == pytest.approx(slow_fid(real, pred), rel=1e-6, abs=1e-6)


def test_equals_the_released_function_on_golden_embeddings(shared: Path) -> None:
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    assert fid(golden["fid_real"], golden["fid_pred"]) == pytest.approx(float(golden["fid"]), abs=1e-6)
    assert fid(golden["fid_real"], golden["fid_real"]) == pytest.approx(float(golden["fid_real_real"]), abs=1e-9)


def test_one_dimension_has_the_closed_form_of_two_normals() -> None:
    real, pred = np.array([[0.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]) + 3.0
    assert fid(real, pred) == pytest.approx(3.0**2 + (2.0 - 1.0) ** 2)  # difference of means, then of deviations


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_is_symmetric_and_blind_to_order_rotation_and_shift(seed: int) -> None:
    real, pred = sets(seed, n=60, d=5)
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(5, 5)))
    expected = pytest.approx(fid(real, pred), rel=1e-7)
    assert fid(pred, real) == expected
    assert fid(real, pred[generator.permutation(60)]) == expected
    assert fid(real @ turn + 2.0, pred @ turn + 2.0) == expected


def test_scales_with_the_square_of_the_embeddings() -> None:
    real, pred = sets(0)
    assert fid(3 * real, 3 * pred) == pytest.approx(9 * fid(real, pred))


def singular_fid(real: NDArray[np.float64], pred: NDArray[np.float64]) -> float:
    """By singular values of the centred embeddings, whose sum is tr((S1 S2)^1/2): no root of a rounding error."""
    factors = [(side - side.mean(0)) / np.sqrt(len(side) - 1) for side in (real, pred)]
    nuclear = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    return float(((real.mean(0) - pred.mean(0)) ** 2).sum() + sum((f**2).sum() for f in factors) - 2 * nuclear)


@pytest.mark.parametrize("n", [2, 5, 20, 100])
def test_fewer_clips_than_dimensions_give_the_right_number_and_a_caveat_not_a_crash(n: int) -> None:
    """The released code's matrix root went complex or failed here; SciPy 1.11.2 to 1.12 returned 4e125."""
    real, pred = np.random.default_rng(1).normal(size=(2, n, 128))
    assert fid(real, pred) == pytest.approx(singular_fid(real, pred), rel=1e-12)
    assert small_sample_caveat(n, 128) is not None


def test_near_copies_of_few_clips_keep_their_small_distance() -> None:
    """Roots of eigenvalues that are rounding error, 1e-8 where 0 is right, took away half of such a distance."""
    real, noise = np.random.default_rng(1).normal(size=(2, 3, 256))
    assert fid(real, real + 1e-3 * noise) == pytest.approx(singular_fid(real, real + 1e-3 * noise), rel=1e-6)


@pytest.mark.parametrize("n, d", [(300, 8), (20, 64)])
def test_a_copy_of_the_truth_scores_zero_and_never_less(n: int, d: int) -> None:
    real = np.random.default_rng(2).normal(size=(n, d)).astype(np.float32)
    assert 0.0 <= fid(real, real.copy()) < 1e-6


def test_constant_embeddings_leave_the_truth_means_and_variance() -> None:
    real, _ = sets(3)
    still = np.zeros_like(real)
    expected = (real.mean(0) ** 2).sum() + real.var(0, ddof=1).sum()
    assert fid(real, still) == pytest.approx(expected)


def test_single_precision_embeddings_are_computed_in_double_precision() -> None:
    real, pred = (side.astype(np.float32) for side in sets(4))
    assert fid(real, pred) == fid(real.astype(np.float64), pred.astype(np.float64))


def test_the_caveat_starts_where_clips_do_not_outnumber_dimensions() -> None:
    assert small_sample_caveat(256, 256) is not None
    assert small_sample_caveat(257, 256) is None


def test_one_clip_is_refused() -> None:
    with pytest.raises(MetricRefusedError, match="covariance"):
        fid(np.zeros((1, 3)), np.zeros((5, 3)))


def test_a_nan_is_an_error() -> None:
    with pytest.raises(ValueError, match="not finite"):
        fid(np.full((5, 3), np.nan), np.zeros((5, 3)))


def test_the_noise_floor_is_seeded_shrinks_with_clips_and_names_its_size() -> None:
    clips = np.random.default_rng(5).normal(size=(1600, 16))
    large, small = fid_noise_floor(clips, seed=1), fid_noise_floor(clips[:200], seed=1)
    assert large == fid_noise_floor(clips, seed=1)
    assert (large.n, small.n, large.splits) == (800, 100, 10)
    assert 0.0 < large.value < small.value / 4  # about 1/n, and n is 8 times larger


def test_halves_of_the_noise_floor_share_no_clip() -> None:
    """Were clips shared, four that lie far apart could give halves with distance zero."""
    assert fid_noise_floor(np.array([[0.0], [1.0], [10.0], [100.0]]), splits=50).value > 1.0


def test_too_few_clips_for_halves_are_refused() -> None:
    with pytest.raises(MetricRefusedError, match="halves"):
        fid_noise_floor(np.zeros((3, 2)))


def test_a_factor_gives_back_its_matrix_and_singular_ones_are_no_exception() -> None:
    rows = np.random.default_rng(3).normal(size=(40, 8))
    for matrix in (covariance(rows), covariance(rows[:4]), np.zeros((3, 3))):
        found = factor(matrix)
        assert np.allclose(found @ found.T, matrix, atol=1e-12)
    triangle, root = factor(covariance(rows)), symmetric_root(covariance(rows))
    other = covariance(rows[:20])
    mean = np.zeros(8)
    assert np.allclose(frechet_from_factor(mean, triangle, mean, other), frechet_from_factor(mean, root, mean, other))
