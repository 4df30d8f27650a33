from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.metrics.diversity import diversity, diversity_per_clip
from evaluators.metrics.spec import MetricRefusedError


@given(n=st.integers(2, 8), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_equals_a_loop_over_all_pairs_of_different_clips(n: int, seed: int) -> None:
    clips = np.random.default_rng(seed).normal(size=(n, 4))
    slow = np.mean([np.sqrt(((x - y) ** 2).sum()) for x, y in combinations(clips, 2)])
    assert diversity(clips) == pytest.approx(slow, rel=1e-12)


def test_is_the_mean_of_the_clips_contributions() -> None:
    clips = np.random.default_rng(0).normal(size=(30, 4))
    assert diversity(clips) == pytest.approx(diversity_per_clip(clips).mean(), rel=1e-14)


def test_is_what_random_pairs_tend_to(shared: Path) -> None:
    """The released value without its draws: 100 pairs carry about 1.4% of noise, so 400 such draws carry 0.07%."""
    golden = np.load(shared / "golden" / "metrics.npz", allow_pickle=False)
    clips = golden["fid_real"]
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        first, second = (generator.choice(len(clips), 100, replace=False) for _ in range(2))
        draws.append(np.linalg.norm(clips[first] - clips[second], axis=1).mean())
    itself = 1.0 - 1.0 / len(clips)  # random pairs may pair a clip with itself
    assert np.mean(draws) == pytest.approx(diversity(clips) * itself, rel=2e-3)
    assert float(golden["diversity_real_100_pairs"]) == pytest.approx(diversity(clips), rel=0.05)


def test_moving_all_embeddings_changes_nothing_and_scaling_scales() -> None:
    clips = np.random.default_rng(1).normal(size=(12, 5))
    assert diversity(clips + 7.0) == pytest.approx(diversity(clips))
    assert diversity(clips * 3.0) == pytest.approx(diversity(clips) * 3.0)


def test_a_mean_motion_for_every_clip_has_none() -> None:
    assert diversity(np.ones((50, 6))) == 0.0


def test_one_clip_has_no_pair_and_is_refused() -> None:
    with pytest.raises(MetricRefusedError, match="one pair"):
        diversity(np.zeros((1, 6)))
