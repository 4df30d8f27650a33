from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.metrics.multimodality import multimodality
from evaluators.metrics.spec import MetricRefusedError


@given(k=st.integers(2, 5), n=st.integers(1, 5), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_equals_a_loop_over_pairs_of_samples(k: int, n: int, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=(k, n, 3))
    slow = [np.mean([np.sqrt(((x - y) ** 2).sum()) for x, y in combinations(samples[:, i], 2)]) for i in range(n)]
    np.testing.assert_allclose(multimodality(samples), slow, rtol=1e-12)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_order_of_samples_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    samples = generator.normal(size=(4, 3, 6))
    np.testing.assert_allclose(multimodality(samples[generator.permutation(4)]), multimodality(samples))


def test_equal_samples_score_zero_however_different_the_clips_are() -> None:
    clips = np.random.default_rng(0).normal(size=(1, 9, 6)) * 100
    assert multimodality(np.repeat(clips, 5, axis=0)).tolist() == [0.0] * 9


def test_one_sample_a_clip_is_refused() -> None:
    with pytest.raises(MetricRefusedError, match="at least 2"):
        multimodality(np.zeros((1, 4, 3)))


def test_a_single_set_of_embeddings_is_not_taken_for_samples() -> None:
    with pytest.raises(ValueError, match="axes"):
        multimodality(np.zeros((4, 3)))
