import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.metrics.distances import euclidean


@given(n=st.integers(1, 6), m=st.integers(1, 6), d=st.integers(1, 9), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_equals_the_root_of_summed_squares_pair_by_pair(n: int, m: int, d: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(n, d)), generator.normal(size=(m, d))
    slow = [[sum((x - y) ** 2 for x, y in zip(row, column, strict=True)) ** 0.5 for column in b] for row in a]
    np.testing.assert_allclose(euclidean(a, b), slow, rtol=1e-12)


def test_equal_embeddings_are_at_distance_zero_never_nan() -> None:
    """The expanded form gave a negative square for 3 of 32 equal pairs, NaN after the root, and so the worst rank."""
    embeddings = np.random.default_rng(0).normal(size=(32, 256)).astype(np.float32) * 10
    distances = euclidean(embeddings, embeddings.copy())
    assert (np.diagonal(distances) == 0.0).all()
    assert np.isfinite(distances).all()


def test_equal_gallery_items_are_exactly_equally_far_wherever_they_stand() -> None:
    generator = np.random.default_rng(1)
    query, item = generator.normal(size=(17, 200)), generator.normal(size=(1, 200))
    distances = euclidean(query, np.repeat(item, 37, axis=0))
    assert (distances == distances[:, :1]).all()


def test_scale_follows_the_embeddings() -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 5, 4))
    np.testing.assert_allclose(euclidean(3 * a, 3 * b), 3 * euclidean(a, b))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        euclidean(np.array([[0.0, bad]]), np.zeros((1, 2)))


def test_other_widths_are_an_error() -> None:
    with pytest.raises(ValueError, match="columns"):
        euclidean(np.zeros((2, 3)), np.zeros((2, 4)))
