import numpy as np
import pytest

from benchmark.construction.config import Smoothing
from benchmark.construction.smoothing import choose_strengths, smooth
from tests.benchmark.construction.tracks import motion


def _dense(values: np.ndarray, weights: np.ndarray, strength: float, velocity: float) -> np.ndarray:
    """The minimiser of one parameter by the normal equations, written out."""
    frames = len(values)
    first, second = np.diff(np.eye(frames), axis=0), np.diff(np.eye(frames), n=2, axis=0)
    matrix = np.diag(weights) + strength * (velocity * first.T @ first + second.T @ second)
    return np.linalg.solve(matrix, weights * values)


@pytest.mark.parametrize("frames", [4, 5, 30])
def test_the_banded_solution_is_the_least_squares_solution(frames: int) -> None:
    rng = np.random.default_rng(frames)
    values, weights = rng.normal(size=(frames, 3)), rng.uniform(0.2, 1.0, (frames, 3))
    strengths = np.array([0.0, 0.7, 12.0])
    found = smooth(values, weights, strengths, 0.3)
    for column, strength in enumerate(strengths):
        np.testing.assert_allclose(
            found[:, column], _dense(values[:, column], weights[:, column], strength, 0.3), atol=1e-9
        )


def test_straight_lines_pass_a_smoothing_of_acceleration_unchanged_and_gaps_are_bridged() -> None:
    line = np.linspace(-1, 2, 50)[:, None]
    weights = np.ones_like(line)
    weights[20:26] = 0.0
    broken = line.copy()
    broken[20:26] = 9.0
    np.testing.assert_allclose(smooth(broken, weights, np.array([1.0]), 0.0), line, atol=0.01)


def test_a_clean_track_hardly_moves_and_a_shaky_one_comes_nearer_to_the_truth() -> None:
    truth = motion(np.random.default_rng(0), 150)
    spread = truth.std(axis=0)
    moved, ratios = [], []
    for noise in (0.0, 0.1, 0.3):
        shaky = truth + np.random.default_rng(1).normal(size=truth.shape) * spread * noise
        strengths = choose_strengths(shaky, Smoothing(), pooled=False)
        found = smooth(shaky, np.ones_like(shaky), strengths, Smoothing().velocity)
        moved.append(float(np.sqrt((((found - truth) / spread) ** 2).mean())))
        ratios.append(moved[-1] / max(noise, 1e-9))
    assert moved[0] < 0.005
    assert ratios[1] < 0.7
    assert ratios[2] < 0.65


def test_strength_is_one_for_a_rotation_and_as_told_where_it_is_given() -> None:
    values = np.random.default_rng(2).normal(size=(60, 3))
    assert len(set(choose_strengths(values, Smoothing(), pooled=True))) == 1
    np.testing.assert_array_equal(choose_strengths(values, Smoothing(strength=2.5), pooled=False), [2.5, 2.5, 2.5])
    assert (choose_strengths(np.zeros((60, 3)), Smoothing(), pooled=False) >= 0).all()
