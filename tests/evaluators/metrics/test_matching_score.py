from pathlib import Path

import numpy as np
import pytest

from evaluators.metrics.distances import euclidean
from evaluators.metrics.matching_score import matching_score


def test_equals_a_loop_over_pairs() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 20, 7))
    slow = [sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) ** 0.5 for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(matching_score(a, b), slow, rtol=1e-12)


def test_equals_the_released_function_on_golden_batches(shared: Path) -> None:
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    per_clip = matching_score(golden["text_embedding"], golden["motion_embedding"])
    edges = np.cumsum(golden["batch_sizes"])[:-1]
    np.testing.assert_allclose(
        [part.mean() for part in np.split(per_clip, edges)], golden["matching_per_batch"], rtol=1e-5
    )


def test_is_the_diagonal_of_all_distances_so_it_has_no_direction() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 12, 5))
    np.testing.assert_allclose(matching_score(a, b), np.diagonal(euclidean(a, b)))
    np.testing.assert_array_equal(matching_score(a, b), matching_score(b, a))


def test_other_counts_are_an_error_not_a_broadcast() -> None:
    with pytest.raises(ValueError, match="shape"):
        matching_score(np.zeros((1, 4)), np.zeros((3, 4)))
