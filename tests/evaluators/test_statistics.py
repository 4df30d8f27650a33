import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from evaluators import statistics
from evaluators.metrics.diversity import diversity
from evaluators.metrics.fid import fid
from evaluators.statistics import (
    ClusterBootstrap,
    diversity_interval,
    fid_interval,
    official_halfwidth,
    paired_difference,
    t_halfwidth,
)


def performers(count: int, clips: int) -> list[str]:
    return [f"performer {i % count}" for i in range(clips)]


def clustered(generator: np.random.Generator, count: int, clips: int) -> tuple[NDArray[np.float64], list[str]]:
    """Numbers that share most of their variance within a performer; true mean 0."""
    names = performers(count, clips)
    own = generator.normal(size=count)
    return own[np.arange(clips) % count] + 0.3 * generator.normal(size=clips), names


def repeated(bootstrap: ClusterBootstrap, replicate: int) -> NDArray[np.intp]:
    """The clips of one replicate, written out: the slow way to what the counts say."""
    counts = bootstrap.counts[replicate].astype(int)
    drawn = [
        np.flatnonzero(bootstrap.membership == unit) for unit in range(bootstrap.units) for _ in range(counts[unit])
    ]
    return np.concatenate(drawn)


def test_draws_as_many_clusters_as_there_are_and_all_clips_of_each() -> None:
    bootstrap = ClusterBootstrap(performers(7, 50), seed=1, replicates=300)
    assert bootstrap.counts.shape == (300, 7)
    assert (bootstrap.counts.sum(axis=1) == 7).all()
    weights = bootstrap.counts[:, bootstrap.membership]
    for name in range(7):
        of_name = weights[:, bootstrap.membership == name]
        assert (of_name == of_name[:, :1]).all()


def test_each_cluster_is_drawn_once_on_average() -> None:
    counts = ClusterBootstrap(performers(6, 12), seed=2, replicates=20_000).counts
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose(counts.var(axis=0), 5 / 6, atol=0.03)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values, names = clustered(np.random.default_rng(0), 12, 60)
    first = ClusterBootstrap(names, seed=5).mean_interval(values)
    assert first == ClusterBootstrap(names, seed=5).mean_interval(values)
    assert first != ClusterBootstrap(names, seed=6).mean_interval(values)


def test_replicates_of_the_mean_equal_means_of_written_out_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    values, names = clustered(np.random.default_rng(3), 6, 31)
    bootstrap = ClusterBootstrap(names, seed=0, replicates=40)
    slow = [values[repeated(bootstrap, r)].mean() for r in range(40)]
    np.testing.assert_allclose(replicates_of(bootstrap, monkeypatch, lambda: bootstrap.mean_interval(values)), slow)


def replicates_of(bootstrap: ClusterBootstrap, monkeypatch: pytest.MonkeyPatch, call: object) -> NDArray[np.float64]:
    """What a function hands to ``bootstrap.interval``."""
    seen: list[NDArray[np.float64]] = []
    true_interval = bootstrap.interval

    def spy(replicates: NDArray[np.float64], centre: float | None = None) -> statistics.Interval:
        seen.append(replicates)
        return true_interval(replicates, centre)

    monkeypatch.setattr(bootstrap, "interval", spy)
    assert callable(call)
    call()
    return seen[0]


@pytest.mark.parametrize("count, clips", [(6, 20), (3, 15)])
def test_replicates_of_fid_equal_fid_of_written_out_clips(
    count: int, clips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pred = np.random.default_rng(4).normal(size=(2, clips, 3)) + 5.0
    bootstrap = ClusterBootstrap(performers(count, clips), seed=0, replicates=30)
    slow = [fid(real[chosen], pred[chosen]) for chosen in (repeated(bootstrap, r) for r in range(30))]
    got = replicates_of(bootstrap, monkeypatch, lambda: fid_interval(real, pred, bootstrap))
    np.testing.assert_allclose(got, slow, rtol=1e-9)


def test_units_are_summed_in_blocks_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    real, pred = np.random.default_rng(4).normal(size=(2, 40, 6))
    bootstrap = ClusterBootstrap(performers(10, 40), seed=0)
    whole = fid_interval(real, pred, bootstrap, replicates=20)
    monkeypatch.setattr(statistics, "_BLOCK_BYTES", 8 * 6 * 6 * 3)
    blocks = fid_interval(real, pred, bootstrap, replicates=20)
    assert whole is not None
    assert blocks is not None
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high))


@pytest.mark.parametrize("count, clips", [(6, 20), (3, 15)])
def test_replicates_of_diversity_pair_drawn_clips_but_never_copies_of_one_draw(
    count: int, clips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(5).normal(size=(clips, 3))
    bootstrap = ClusterBootstrap(performers(count, clips), seed=0, replicates=25)
    slow = []
    for counts in bootstrap.counts.astype(int):
        draws = [unit for unit in range(bootstrap.units) for _ in range(counts[unit])]
        drawn = [
            (copy, unit, i) for copy, unit in enumerate(draws) for i in np.flatnonzero(bootstrap.membership == unit)
        ]
        distances = [
            float(np.linalg.norm(points[i] - points[j]))
            for a, u, i in drawn
            for b, v, j in drawn
            if (u != v) or (a == b and i != j)
        ]
        slow.append(np.mean(distances))
    got = replicates_of(bootstrap, monkeypatch, lambda: diversity_interval(points, bootstrap))
    np.testing.assert_allclose(got, slow, rtol=1e-9)


def test_several_samples_a_clip_are_averaged_not_stacked() -> None:
    generator = np.random.default_rng(6)
    real, pred = generator.normal(size=(60, 4)), generator.normal(size=(3, 60, 4)) * 1.5
    bootstrap = ClusterBootstrap(performers(12, 60), seed=0)
    interval = fid_interval(real, pred, bootstrap)
    spread = diversity_interval(pred, bootstrap)
    assert interval is not None
    assert spread is not None
    assert interval.low < np.mean([fid(real, sample) for sample in pred]) < interval.high
    assert spread.low < np.mean([diversity(sample) for sample in pred]) < spread.high
    assert interval.n == spread.n == 60
    one = fid_interval(real, pred[:1], bootstrap)
    assert one == fid_interval(real, pred[0], bootstrap)


def coverage(intervals: list[statistics.Interval | None], truth: float) -> float:
    return float(np.mean([interval is not None and interval.low <= truth <= interval.high for interval in intervals]))


@pytest.mark.parametrize("count", [6, 20])
def test_intervals_of_a_mean_cover_it_about_95_times_of_100(count: int) -> None:
    generator = np.random.default_rng(count)
    trials = [clustered(generator, count, 5 * count) for _ in range(300)]
    intervals = [
        ClusterBootstrap(names, seed, 400).mean_interval(values) for seed, (values, names) in enumerate(trials)
    ]
    assert 0.88 < coverage(intervals, 0.0) < 0.99


def test_treating_clips_of_a_performer_as_independent_would_be_overconfident() -> None:
    generator = np.random.default_rng(9)
    trials = [clustered(generator, 8, 80) for _ in range(200)]
    naive = [ClusterBootstrap([str(i) for i in range(80)], 0, 300).mean_interval(values) for values, _ in trials]
    honest = [ClusterBootstrap(names, 0, 300).mean_interval(values) for values, names in trials]
    assert coverage(naive, 0.0) < 0.7
    assert coverage(honest, 0.0) > 0.88


def test_intervals_of_fid_cover_its_expectation_although_repeated_clips_inflate_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Uncentred, the replicates lie above the estimate: their mean is no estimate of anything."""
    generator = np.random.default_rng(10)

    def draw() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return generator.normal(size=(60, 4)), generator.normal(size=(60, 4)) * 1.3 + 0.3

    expectation = float(np.mean([fid(*draw()) for _ in range(600)]))
    names = [str(i) for i in range(60)]
    intervals = [fid_interval(*draw(), ClusterBootstrap(names, seed), replicates=100) for seed in range(100)]
    assert 0.85 < coverage(intervals, expectation) <= 1.0
    real, pred = draw()
    bootstrap = ClusterBootstrap(names, 0)
    drawn = replicates_of(bootstrap, monkeypatch, lambda: fid_interval(real, pred, bootstrap))
    assert drawn.mean() > fid(real, pred) * 1.05


def test_intervals_of_diversity_cover_it() -> None:
    generator = np.random.default_rng(11)

    def draw() -> NDArray[np.float64]:
        return np.repeat(generator.normal(size=(12, 4)), 4, axis=0) + 0.5 * generator.normal(size=(48, 4))

    names = [str(i // 4) for i in range(48)]
    expectation = float(np.mean([diversity(draw()) for _ in range(1500)]))
    intervals = [diversity_interval(draw(), ClusterBootstrap(names, seed, 300)) for seed in range(150)]
    assert 0.87 < coverage(intervals, expectation) <= 1.0


def test_fid_of_a_copy_of_the_truth_has_an_interval_at_zero() -> None:
    real = np.random.default_rng(12).normal(size=(40, 4))
    interval = fid_interval(real, real, ClusterBootstrap(performers(8, 40), seed=0))
    assert interval is not None
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.0, abs=1e-9)


def test_fid_uses_fewer_replicates_and_says_so_and_that_it_is_centred() -> None:
    real, pred = np.random.default_rng(13).normal(size=(2, 40, 4))
    interval = fid_interval(real, pred, ClusterBootstrap(performers(8, 40), seed=3))
    assert interval is not None
    assert interval.method == (
        "expanded percentile bootstrap, centred on the estimate, 8 clusters, 200 replicates, seed 3"
    )
    assert (interval.level, interval.n) == (0.95, 40)


def test_fewer_than_five_performers_fall_back_to_clips_and_say_so() -> None:
    values, names = clustered(np.random.default_rng(14), 4, 40)
    interval = ClusterBootstrap(names, seed=0).mean_interval(values)
    assert interval is not None
    assert "40 clips (clips, not performers, because there are only 4 of these)" in interval.method
    assert interval == ClusterBootstrap(["one"] * 20 + ["two"] * 9 + ["three"] * 10 + ["four"], 0).mean_interval(values)


@pytest.mark.parametrize("clips", [1, 4])
def test_fewer_than_five_clips_have_no_interval_rather_than_a_lie(clips: int) -> None:
    bootstrap = ClusterBootstrap(performers(2, clips), seed=0)
    points = np.random.default_rng(0).normal(size=(clips, 3))
    assert bootstrap.mean_interval(points[:, 0]) is None
    assert diversity_interval(points, bootstrap) is None
    assert fid_interval(points, points, bootstrap) is None
    difference = paired_difference(points[:, 0], points[:, 1], bootstrap)
    assert difference.interval is None
    assert not difference.significant


@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10.0), shift=st.floats(-5.0, 5.0))
@settings(max_examples=20, deadline=None)
def test_an_interval_of_a_mean_follows_units_and_offsets(seed: int, scale: float, shift: float) -> None:
    values, names = clustered(np.random.default_rng(seed), 9, 30)
    bootstrap = ClusterBootstrap(names, seed=0, replicates=200)
    plain, moved = bootstrap.mean_interval(values), bootstrap.mean_interval(values * scale + shift)
    assert plain is not None
    assert moved is not None
    assert (moved.low, moved.high) == pytest.approx((plain.low * scale + shift, plain.high * scale + shift), abs=1e-9)


def test_an_interval_of_equal_numbers_is_that_number() -> None:
    interval = ClusterBootstrap(performers(6, 12), seed=0).mean_interval(np.full(12, 0.7))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.7, 0.7))


def test_few_clusters_widen_the_levels_to_those_of_a_t_interval() -> None:
    generator = np.random.default_rng(15)
    values = generator.normal(size=8)
    interval = ClusterBootstrap([str(i) for i in range(8)], 0, 20_000).mean_interval(values)
    assert interval is not None
    t_width = 2 * stats.t.ppf(0.975, 7) * values.std(ddof=1) / 8**0.5
    assert interval.high - interval.low == pytest.approx(t_width, rel=0.12)
    percentile_width = 2 * stats.norm.ppf(0.975) * values.std(ddof=0) / 8**0.5
    assert interval.high - interval.low > 1.15 * percentile_width


def test_pairing_finds_a_difference_that_separate_intervals_hide() -> None:
    generator = np.random.default_rng(16)
    hardness, names = clustered(generator, 20, 100)
    first, second = hardness + 0.1 + 0.02 * generator.normal(size=100), hardness
    bootstrap = ClusterBootstrap(names, seed=0)
    apart = [bootstrap.mean_interval(system) for system in (first, second)]
    difference = paired_difference(first, second, bootstrap)
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[0].low < apart[1].high  # they overlap
    assert difference.significant
    assert difference.value == pytest.approx((first - second).mean())
    assert difference.n == 100


def test_a_system_does_not_differ_from_itself() -> None:
    values, names = clustered(np.random.default_rng(17), 20, 100)
    difference = paired_difference(values, values, ClusterBootstrap(names, seed=0))
    assert difference.value == 0.0
    assert not difference.significant


def test_swapping_the_systems_turns_the_sign() -> None:
    first, second = np.random.default_rng(18).normal(size=(2, 40))
    bootstrap = ClusterBootstrap(performers(10, 40), seed=0)
    there, back = paired_difference(first, second, bootstrap), paired_difference(second, first, bootstrap)
    assert there.value == -back.value
    assert there.interval is not None
    assert back.interval is not None
    assert (there.interval.low, there.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_an_error_not_an_interval_of_nan(bad: float) -> None:
    values = np.ones(10)
    values[4] = bad
    with pytest.raises(ValueError, match="not finite"):
        ClusterBootstrap(performers(5, 10), seed=0).mean_interval(values)


def test_another_number_of_clips_is_an_error() -> None:
    bootstrap = ClusterBootstrap(performers(5, 10), seed=0)
    with pytest.raises(ValueError, match="expected 10"):
        bootstrap.mean_interval(np.ones(9))
    with pytest.raises(ValueError, match="expected 10 clips"):
        fid_interval(np.ones((10, 2)), np.ones((9, 2)), bootstrap)
    with pytest.raises(ValueError, match="cannot draw"):
        ClusterBootstrap([], seed=0)


def test_the_official_half_width_is_1_96_population_deviations_over_the_root_of_n() -> None:
    values = np.random.default_rng(19).normal(size=20)
    variance = sum((value - sum(values) / 20) ** 2 for value in values) / 20
    assert official_halfwidth(values) == pytest.approx(1.96 * variance**0.5 / 20**0.5)


def test_the_t_half_width_equals_scipys_interval_and_is_a_tenth_wider_at_twenty() -> None:
    values = np.random.default_rng(20).normal(size=20)
    low, high = stats.t.interval(0.95, 19, loc=values.mean(), scale=stats.sem(values))
    half = t_halfwidth(values)
    assert half is not None
    assert half == pytest.approx((high - low) / 2)
    assert half / official_halfwidth(values) == pytest.approx(1.096, abs=0.001)


def test_the_official_half_width_covers_too_little_at_five_repetitions() -> None:
    draws = np.random.default_rng(21).normal(size=(4000, 5))
    official = [abs(draw.mean()) <= official_halfwidth(draw) for draw in draws]
    honest = [abs(draw.mean()) <= (t_halfwidth(draw) or 0.0) for draw in draws]
    assert np.mean(official) == pytest.approx(0.845, abs=0.02)
    assert np.mean(honest) == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_no_t_interval() -> None:
    assert t_halfwidth([0.5]) is None
