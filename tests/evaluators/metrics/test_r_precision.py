from fractions import Fraction
from itertools import combinations, pairwise, permutations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import hypergeom

from evaluators.metrics.distances import euclidean
from evaluators.metrics.r_precision import (
    GALLERY,
    SPECS,
    GalleryTooSmallError,
    expected_r_precision,
    full_gallery_ranks,
    median_rank,
)
from evaluators.metrics.spec import MetricRefusedError


def noisy_pairs(n: int, noise: float, seed: int = 0) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    items = generator.normal(size=(n, 8))
    return euclidean(items + noise * generator.normal(size=(n, 8)), items)


def every_gallery(distances: NDArray[np.float64], k: int, gallery: int) -> list[Fraction]:
    """By enumeration: each gallery, each order in which ties may be broken."""
    n, result = len(distances), []
    for query in range(n):
        hits = total = 0
        for others in combinations([j for j in range(n) if j != query], gallery - 1):
            for order in permutations((query, *others)):
                ranked = sorted(order, key=lambda j: distances[query, j])  # stable
                hits += query in ranked[:k]
                total += 1
        result.append(Fraction(hits, total))
    return result


@given(seed=st.integers(0, 10**6), k=st.integers(1, 4), levels=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_equals_the_count_over_every_gallery_and_every_order_of_ties(seed: int, k: int, levels: int) -> None:
    distances = np.random.default_rng(seed).integers(0, levels, size=(6, 6)).astype(float)
    expected = [float(p) for p in every_gallery(distances, k, gallery=4)]
    np.testing.assert_allclose(expected_r_precision(distances, k, gallery=4), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [32, 33, 77, 794])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_equals_the_hypergeometric_distribution_where_there_are_no_ties(n: int, k: int) -> None:
    distances = noisy_pairs(n, noise=1.5)
    nearer = (distances < np.diagonal(distances)[:, None]).sum(axis=1)
    expected = hypergeom.cdf(k - 1, n - 1, nearer, GALLERY - 1)
    np.testing.assert_allclose(expected_r_precision(distances, k), expected, rtol=1e-9, atol=1e-12)


def test_holds_at_the_size_of_the_whole_test_set_against_exact_integers() -> None:
    n, nearer = 4270, 200
    distances = np.zeros((n, n))
    distances[:] = np.arange(n)[None, :]
    np.fill_diagonal(distances, nearer + 0.5)
    query = n - 1  # all others lie at 0..n-2, of which nearer + 1 are below
    ways = sum(comb(nearer + 1, a) * comb(n - 2 - nearer, GALLERY - 1 - a) for a in range(3))
    exact = float(Fraction(ways, comb(n - 1, GALLERY - 1)))
    assert expected_r_precision(distances, 3)[query] == pytest.approx(exact, rel=1e-9)


def test_equals_the_mean_over_random_galleries() -> None:
    distances, generator = noisy_pairs(150, noise=1.2), np.random.default_rng(7)
    own = np.diagonal(distances)
    hits = np.zeros(3)
    rounds = 400
    for _ in range(rounds):
        for i in range(150):
            others = generator.choice(149, GALLERY - 1, replace=False)
            others += others >= i
            hits += (distances[i, others] < own[i]).sum() < np.arange(1, 4)
    exact = [expected_r_precision(distances, k).mean() for k in (1, 2, 3)]
    np.testing.assert_allclose(hits / (150 * rounds), exact, atol=0.006)


def test_is_what_shuffled_batches_tend_to_without_their_noise() -> None:
    """The released metric moves by about 1.4 points of R@1 when clips are merely shuffled; this is its expectation."""
    distances, generator = noisy_pairs(320, noise=1.2), np.random.default_rng(8)
    shuffles = []
    for _ in range(60):
        batches = generator.permutation(320).reshape(-1, GALLERY)
        blocks = [distances[np.ix_(batch, batch)] for batch in batches]
        shuffles.append(np.mean([(block >= np.diagonal(block)[:, None]).sum(axis=1) == GALLERY for block in blocks]))
    assert np.std(shuffles) > 0.005
    assert np.mean(shuffles) == pytest.approx(
        expected_r_precision(distances, 1).mean(), abs=4 * np.std(shuffles) / 60**0.5
    )


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("n", [32, 50, 333])
def test_embeddings_that_are_all_equal_score_chance_neither_one_nor_zero(n: int, k: int) -> None:
    """Counting ties as hits gives 1 to a generator that always answers the same; counting them as misses gives 0."""
    assert expected_r_precision(np.full((n, n), 2.5), k) == pytest.approx(np.full(n, k / GALLERY), rel=1e-10)


def test_a_tie_with_one_other_counts_half_when_both_are_drawn() -> None:
    distances = np.ones((GALLERY, GALLERY)) - np.eye(GALLERY)
    distances[0, 1] = 0.0  # the gallery is everything, so the other is always there
    assert expected_r_precision(distances, 1)[:2].tolist() == pytest.approx([0.5, 1.0])
    assert expected_r_precision(distances, 2)[0] == pytest.approx(1.0)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_order_of_clips_does_not_matter(seed: int) -> None:
    distances, order = noisy_pairs(40, 1.0, seed), np.random.default_rng(seed).permutation(40)
    shuffled = distances[np.ix_(order, order)]
    np.testing.assert_allclose(expected_r_precision(shuffled, 2), expected_r_precision(distances, 2)[order], rtol=1e-12)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_only_the_order_of_distances_matters_and_more_places_never_hurt(seed: int) -> None:
    distances = noisy_pairs(40, 1.0, seed)
    np.testing.assert_array_equal(expected_r_precision(distances**3 + 1.0, 1), expected_r_precision(distances, 1))
    tops = [expected_r_precision(distances, k) for k in (1, 2, 3, GALLERY)]
    assert all((low <= high + 1e-12).all() for low, high in pairwise(tops))
    np.testing.assert_allclose(tops[-1], 1.0)


def test_text_query_and_motion_query_differ() -> None:
    """One motion near every text is a bad answer to many texts, but only one motion asks for a text (quirk 11)."""
    distances = np.ones((40, 40)) - 0.5 * np.eye(40)
    distances[:, 0] = 0.1
    as_text_query = expected_r_precision(distances, 1).mean()
    as_motion_query = expected_r_precision(distances.T, 1).mean()
    assert as_text_query < 0.5 < as_motion_query


def test_a_smaller_gallery_is_easier() -> None:
    distances = noisy_pairs(300, 1.5)
    by_size = [expected_r_precision(distances, 1, gallery).mean() for gallery in (8, 32, 64, 300)]
    assert by_size == sorted(by_size, reverse=True)
    assert by_size[0] > by_size[-1] + 0.2


def test_golden_embeddings_score_near_their_shuffled_batches(shared: Path) -> None:
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    exact = expected_r_precision(euclidean(golden["text_embedding"], golden["motion_embedding"]), 1).mean()
    assert exact == pytest.approx(golden["r_precision_text_query_per_batch"][:2, 0].mean(), abs=0.03)


def test_fewer_clips_than_a_gallery_are_refused_with_the_reason() -> None:
    with pytest.raises(GalleryTooSmallError, match=r"at least 32.*got 31") as refusal:
        expected_r_precision(np.zeros((31, 31)), 1)
    assert isinstance(refusal.value, MetricRefusedError)


def test_a_nan_is_an_error_not_a_perfect_match() -> None:
    """Comparisons with NaN are false: nothing would be nearer than a true item at distance NaN."""
    distances = noisy_pairs(40, 1.0)
    distances[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        expected_r_precision(distances, 1)


@pytest.mark.parametrize("k", [0, 33])
def test_places_outside_the_gallery_are_an_error(k: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 32"):
        expected_r_precision(np.zeros((40, 40)), k)


def test_distances_that_are_not_square_are_an_error() -> None:
    with pytest.raises(ValueError, match="diagonal"):
        expected_r_precision(np.zeros((40, 41)), 1)


@given(seed=st.integers(0, 10**6), levels=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_ranks_equal_a_sort_with_ties_averaged(seed: int, levels: int) -> None:
    from scipy.stats import rankdata

    distances = np.random.default_rng(seed).integers(0, levels, size=(9, 9)).astype(float)
    expected = [rankdata(row, method="average")[i] for i, row in enumerate(distances)]
    np.testing.assert_array_equal(full_gallery_ranks(distances), expected)


def test_the_full_gallery_is_a_gallery_of_all_clips() -> None:
    distances = noisy_pairs(60, 1.5)
    hits = full_gallery_ranks(distances) <= 2
    np.testing.assert_allclose(expected_r_precision(distances, 2, gallery=60), hits, atol=1e-12)


def test_median_rank_of_a_perfect_matcher_is_one() -> None:
    assert median_rank(noisy_pairs(50, noise=0.0)) == 1.0


def test_specs_carry_the_direction_and_the_gallery() -> None:
    assert [spec.key for spec in SPECS[:3]] == [f"text_r_precision_{k}" for k in (1, 2, 3)]
    assert any("query is the motion and the gallery holds audio" in caveat for caveat in SPECS[3].caveats)
    assert all(any("Only values at 32 compare" in caveat for caveat in spec.caveats) for spec in SPECS)
