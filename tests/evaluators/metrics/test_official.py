"""Each quirk of the released evaluation that reaches a metric function has its test here; Qn numbers them in order."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluators.metrics import official
from evaluators.metrics.diversity import diversity as all_pairs_diversity
from evaluators.metrics.r_precision import expected_r_precision
from evaluators.metrics.spec import MetricRefusedError

Golden = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "golden" / "metrics.npz", allow_pickle=False) as file:
        return dict(file)


def embeddings(n: int, seed: int = 0, noise: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    motion = generator.normal(size=(n, 8))
    return motion + noise * generator.normal(size=(n, 8)), motion


def golden_clips(golden: Golden) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    lengths = golden["lengths"]
    pred, truth = golden["pred_vertices"], golden["gt_vertices"]
    return (
        [pred[i, : int(length)] for i, length in enumerate(lengths)],
        [truth[i, : int(length)] for i, length in enumerate(lengths)],
    )


def test_vertex_errors_equal_the_released_ones(golden: Golden) -> None:
    pred, truth = golden_clips(golden)
    lips, face = (np.searchsorted(golden["vertex_ids"], golden[name]) for name in ("lip_ids", "face_ids"))
    assert official.lve_mm(pred, truth, lips) == pytest.approx(1000 * float(golden["lve_m"]), rel=1e-5)
    assert official.fve_mm(pred, truth, face) == pytest.approx(1000 * float(golden["fve_m"]), rel=1e-5)


def test_r_precision_equals_the_released_one_in_both_directions(golden: Golden) -> None:
    text, motion = golden["text_embedding"], golden["motion_embedding"]
    by_text = official.r_precision_of_batches(text, motion)
    by_motion = official.r_precision_of_batches(motion, text)
    np.testing.assert_allclose(by_text, golden["r_precision_text_query_per_batch"], rtol=1e-5)
    np.testing.assert_allclose(by_motion, golden["r_precision_motion_query_per_batch"], rtol=1e-5)
    np.testing.assert_allclose(official.text_r_precision(text, motion), by_text.mean(axis=0))
    np.testing.assert_allclose(official.audio_r_precision(text, motion), by_motion.mean(axis=0))


def test_matching_score_equals_the_released_one(golden: Golden) -> None:
    score = official.matching_score(golden["text_embedding"], golden["motion_embedding"])
    assert score == pytest.approx(golden["matching_per_batch"].mean(), rel=1e-5)


def test_fid_equals_the_released_one(golden: Golden) -> None:
    assert official.fid(golden["fid_real"], golden["fid_pred"]) == pytest.approx(float(golden["fid"]), rel=1e-5)


def test_diversity_equals_the_released_one_with_its_seed(golden: Golden) -> None:
    seed = int(golden["diversity_numpy_seed"])
    real, pred = official.diversity(golden["fid_real"], golden["fid_pred"], seed)
    assert real == pytest.approx(float(golden["diversity_real_100_pairs"]), rel=1e-5)
    assert pred == pytest.approx(float(golden["diversity_pred_100_pairs"]), rel=1e-5)


def test_q3_lve_takes_the_worst_vertex_and_averages_frames_in_each_clip_first() -> None:
    """A clip of one bad frame and a clip of nine good ones: averaging all frames would give 0.2, not 1."""
    truth = [np.zeros((1, 2, 3)), np.zeros((9, 2, 3))]
    pred = [clip.copy() for clip in truth]
    pred[0][0, 1, 0] = 0.002
    assert official.lve_mm(pred, truth, [0, 1]) == pytest.approx(1.0)
    assert official.fve_mm(pred, truth, [0, 1]) == pytest.approx(0.5)


def test_q4_frames_beyond_the_length_do_not_count(golden: Golden) -> None:
    """Vertex errors use the clip's length; padded frames of the golden clips are garbage that must not be read."""
    pred, truth = golden_clips(golden)
    padded = official.lve_mm(list(golden["pred_vertices"]), list(golden["gt_vertices"]), range(60))
    assert official.lve_mm(pred, truth, range(60)) != pytest.approx(padded, rel=1e-3)


def test_q5_a_prediction_of_another_length_is_an_error_because_only_the_truth_has_a_length() -> None:
    """The released API has one mask for both sides: a shorter prediction was padded, and the padding scored."""
    with pytest.raises(ValueError, match="shape"):
        official.lve_mm([np.zeros((3, 2, 3))], [np.zeros((4, 2, 3))], [0])


def test_q11_the_audio_query_is_the_motion_and_the_text_query_is_the_text() -> None:
    """The released function returns (motion, audio), unpacked under the names of (audio, motion)."""
    motion = np.random.default_rng(0).normal(size=(32, 4))
    condition = motion.copy()
    condition[1:] *= 1.01
    condition[0] = condition[1:].mean(axis=0)  # in the middle of all: near to many motions
    by_condition, by_motion = (
        official.text_r_precision(condition, motion),
        official.audio_r_precision(condition, motion),
    )
    assert by_condition[0] != by_motion[0]
    np.testing.assert_array_equal(official.text_r_precision(motion, condition), by_motion)


def test_q12_distances_are_euclidean_on_embeddings_that_are_not_normalised() -> None:
    """By cosine every item below matches its own; by length, which cosine cannot see, item 0 is nearest to none."""
    text = np.eye(32)
    motion = np.eye(32)
    motion[0] *= 50.0
    assert official.text_r_precision(text, motion)[0] == pytest.approx(31 / 32)


def test_q13_the_gallery_is_the_batch_and_no_other_size_can_be_asked_for() -> None:
    text, motion = embeddings(64)
    first, second = official.r_precision_of_batches(text, motion)
    np.testing.assert_array_equal(first, official.text_r_precision(text[:32], motion[:32]))
    np.testing.assert_array_equal(second, official.text_r_precision(text[32:], motion[32:]))
    with pytest.raises(MetricRefusedError, match="at least 32"):
        official.text_r_precision(text[:31], motion[:31])


def test_q14_a_last_batch_of_one_scores_full_marks_and_weighs_as_much_as_thirty_two() -> None:
    """33 clips whose embeddings say nothing: the 33rd, alone with itself, lifts R@1 from chance to above a half."""
    text, motion = np.zeros((33, 4)), np.zeros((33, 4))
    np.testing.assert_allclose(official.text_r_precision(text, motion), [(k / 32 + 1.0) / 2 for k in (1, 2, 3)])
    assert expected_r_precision(np.zeros((33, 33)), 1).mean() == pytest.approx(1 / 32)


@pytest.mark.parametrize("n", [32, 33, 64, 77])
def test_q14_batch_means_are_averaged_without_weights(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    slow, start = [], 0
    while start < n:
        slow.append(sum(values[start : start + 32]) / len(values[start : start + 32]))
        start += 32
    assert official.batch_mean(values) == pytest.approx(sum(slow) / len(slow))
    if n % 32 == 0:
        assert official.batch_mean(values) == pytest.approx(values.mean())


def test_q14_matching_and_vertex_errors_overweight_the_short_last_batch_too() -> None:
    condition, motion = np.zeros((33, 1)), np.zeros((33, 1))
    motion[32] = 4.0
    assert official.matching_score(condition, motion) == pytest.approx(2.0)
    truth = [np.zeros((2, 1, 3))] * 33
    pred = [*truth[:32], np.full((2, 1, 3), 0.004 / 3**0.5)]
    assert official.lve_mm(pred, truth, [0]) == pytest.approx(2.0)
    assert official.fve_mm(pred, truth, [0]) == pytest.approx(2.0)


def test_q15_the_order_of_clips_moves_r_precision_which_is_why_it_is_frozen() -> None:
    text, motion = embeddings(320, noise=1.2)
    generator = np.random.default_rng(1)
    orders = [generator.permutation(320) for _ in range(10)]
    assert np.std([official.text_r_precision(text[order], motion[order])[0] for order in orders]) > 0.005


@pytest.mark.parametrize("n, pairs", [(101, 100), (9600, 100), (9601, 300)])
def test_q16_pairs_are_counted_by_batches_not_by_clips(n: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 pairs were meant; len() of a list of batches gives 100 until there are more than 9,600 clips."""
    asked = []

    def spy(_clips: object, count: int, _generator: object) -> float:
        asked.append(count)
        return 0.0

    monkeypatch.setattr(official, "_random_pairs_mean", spy)
    official.diversity(np.zeros((n, 1)), np.zeros((n, 1)), seed=0)
    assert asked == [pairs, pairs]


def test_q16_no_more_clips_than_pairs_is_refused_as_the_released_code_asserts() -> None:
    with pytest.raises(MetricRefusedError, match="more than 100"):
        official.diversity(np.zeros((100, 2)), np.zeros((100, 2)), seed=0)


def test_q17_real_and_generated_motions_get_different_pairs_of_one_seeded_stream() -> None:
    """So a copy of the truth does not have the truth's diversity; the noise is about 1.4% at 100 pairs."""
    _, clips = embeddings(400)
    real, pred = official.diversity(clips, clips, seed=3)
    assert real != pred
    assert official.diversity(clips, clips, seed=3) == (real, pred)
    assert (real, pred) == pytest.approx((all_pairs_diversity(clips),) * 2, rel=0.15)


def test_q17_a_clip_may_be_paired_with_itself() -> None:
    """Both members are drawn from all clips: with 101 clips and 100 pairs some pair must coincide in some draw."""
    far = np.eye(101)  # any two different clips are at the same distance
    values = [official.diversity(far, far, seed)[0] for seed in range(10)]
    assert min(values) < 2**0.5 - 1e-6
    assert max(values) <= 2**0.5 + 1e-6


def test_q17_numpys_global_random_state_is_neither_used_nor_moved() -> None:
    _, clips = embeddings(150)
    before = np.random.get_state(legacy=False)  # noqa: NPY002 - this is what must stay as it was
    official.diversity(clips, clips, seed=3)
    after = np.random.get_state(legacy=False)  # noqa: NPY002 - this is what must stay as it was
    assert (before["state"]["key"] == after["state"]["key"]).all()
    assert before["state"]["pos"] == after["state"]["pos"]


def test_q18_covariances_have_n_minus_one_below_and_few_clips_do_not_fail() -> None:
    """The released code takes the root of a product of singular matrices by scipy and may stop with a ValueError."""
    assert official.fid(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])) == pytest.approx(2.0)  # variance 2, not 1
    clips = np.random.default_rng(0).normal(size=(2, 20, 64))
    assert official.fid(clips[0], clips[1]) > 0.0


def test_q19_the_truth_against_itself_scores_zero() -> None:
    """The same clips, deterministic embeddings: not the 0.002 HumanML3D gets from its random crops."""
    _, clips = embeddings(300)
    assert official.fid(clips, clips) == pytest.approx(0.0, abs=1e-9)


def test_q20_nothing_is_kept_between_two_calls() -> None:
    """Mutable default lists piled up the embeddings of every method scored in one process."""
    text, motion = embeddings(150)
    other = motion + 5.0
    first = (official.fid(motion, text), official.diversity(motion, text, 0), official.matching_score(text, motion))
    official.fid(motion, other), official.diversity(motion, other, 0), official.matching_score(other, motion)
    again = (official.fid(motion, text), official.diversity(motion, text, 0), official.matching_score(text, motion))
    assert first == again


def test_q21_there_is_no_multimodality_and_no_repetition() -> None:
    assert "multimodality" not in official.__all__


def test_q22_equal_embeddings_rank_first_although_the_expanded_square_goes_negative() -> None:
    """Unclamped, the root of a slightly negative square is NaN, sorting puts NaN last, and a perfect match is worst."""
    clips = np.random.default_rng(0).normal(size=(32, 256)) * 10
    squares = (clips**2).sum(1)[:, None] - 2 * clips @ clips.T + (clips**2).sum(1)[None, :]
    assert (np.diagonal(squares) < 0).any()
    assert np.isfinite(official.expanded_distances(clips, clips)).all()
    assert official.text_r_precision(clips, clips).tolist() == [1.0, 1.0, 1.0]


def test_expanded_distances_equal_direct_ones() -> None:
    text, motion = embeddings(20)
    slow = [[np.sqrt(((t - m) ** 2).sum()) for m in motion] for t in text]
    np.testing.assert_allclose(official.expanded_distances(text, motion), slow, rtol=1e-9)


@pytest.mark.parametrize("n, sizes", [(1, [1]), (32, [32]), (33, [32, 1]), (70, [32, 32, 6])])
def test_batches_cover_all_clips_in_order(n: int, sizes: list[int]) -> None:
    parts = [list(range(n))[batch] for batch in official.batches(n)]
    assert [len(part) for part in parts] == sizes
    assert [clip for part in parts for clip in part] == list(range(n))


def test_no_clip_at_all_is_an_error_not_a_nan() -> None:
    with pytest.raises(ValueError, match="no clip"):
        official.batch_mean(np.zeros(0))
