import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import median_filter

from benchmark.construction.cleaning import _running_median, find_outliers, replace
from benchmark.construction.config import Outliers
from tests.benchmark.construction.tracks import corrupted, motion

DEFAULT = Outliers()


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.sampled_from([3, 5, 7]))
@settings(max_examples=30, deadline=None)
def test_the_running_median_is_scipys(seed: int, frames: int, window: int) -> None:
    values = np.random.default_rng(seed).normal(size=(frames, 4))
    np.testing.assert_allclose(_running_median(values, window), median_filter(values, (window, 1), mode="mirror"))


@given(hnp.arrays(np.bool_, st.tuples(st.integers(2, 20), st.just(3))), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_replaced_values_lie_on_lines_between_neighbours(mask: np.ndarray, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=mask.shape)
    found = replace(np.where(mask, np.nan, values), mask)
    frames = np.arange(len(mask))
    for column in range(3):
        good = ~mask[:, column]
        wanted = np.interp(frames, frames[good], values[good, column]) if good.any() else np.zeros(len(mask))
        np.testing.assert_allclose(found[:, column], wanted)


def test_constant_parameters_and_short_clips_have_no_outliers() -> None:
    assert not find_outliers(np.full((60, 3), 0.3), DEFAULT).any()
    assert not find_outliers(np.random.default_rng(0).normal(size=(6, 3)), DEFAULT).any()


def test_a_smile_held_for_half_a_second_is_no_outlier_though_a_box_plot_of_values_would_say_so() -> None:
    frames = np.arange(120)
    smile = np.clip(np.minimum(frames - 50, 72 - frames) / 5.0, 0, 1)[:, None]
    smile = smile + np.random.default_rng(0).normal(size=smile.shape) * 0.005
    low, high = np.quantile(smile, [0.25, 0.75])
    assert (smile > high + 1.5 * (high - low)).sum() >= 15
    assert find_outliers(smile, DEFAULT).sum() <= 2


def test_blinks_keep_their_height() -> None:
    """A first form without the look at jumps took every blink down by a quarter."""
    blink = np.array([0.25, 0.8, 1.0, 0.75, 0.4, 0.15])
    lids = np.random.default_rng(0).normal(size=(150, 1)) * 0.03
    for start in (20, 70, 110):
        lids[start : start + len(blink), 0] += blink
    found = find_outliers(lids, DEFAULT)
    assert not any(found[start : start + len(blink)].any() for start in (20, 70, 110))


def test_a_stair_of_two_faults_is_found_whole() -> None:
    track = np.random.default_rng(1).normal(size=(100, 1)) * 0.05
    track[40, 0] += 3.4
    track[41, 0] += 7.2
    found = find_outliers(track, DEFAULT)
    assert found[40:42].all()


def test_spikes_are_found_whichever_way_they_go_and_at_the_ends_too() -> None:
    track = motion(np.random.default_rng(3), 100)[:, :6]
    shaky = track + np.random.default_rng(4).normal(size=track.shape) * 0.02
    for frame in (0, 20, 50, 99):
        shaky[frame] += 5.0 * (-1) ** frame
    found = find_outliers(shaky, DEFAULT)
    assert found[[0, 20, 50, 99]].all()
    assert found.sum() <= 4 * 6 + 6


def test_frames_without_a_number_are_outliers_and_are_bridged() -> None:
    track = motion(np.random.default_rng(5), 80)
    track[30:34] = np.nan
    found = find_outliers(track, DEFAULT)
    assert found[30:34].all()
    assert np.isfinite(replace(track, found)).all()


def test_most_outliers_are_found_and_most_found_are_outliers() -> None:
    hits = found_all = planted = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shaky, mask = corrupted(motion(rng, 120), rng)
        found = find_outliers(shaky, DEFAULT)
        hits, found_all, planted = hits + (found & mask).sum(), found_all + found.sum(), planted + mask.sum()
    assert hits / planted > 0.95
    assert hits / found_all > 0.85
