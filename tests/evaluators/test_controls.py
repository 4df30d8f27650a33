"""Controls answer with what they say."""

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.protocol import FloatArray
from evaluators.controls import CONTROLS, control_seed, find_control, fit_length


@pytest.fixture
def truth() -> list[FloatArray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=(length, 56)).astype(np.float32) for length in (40, 61, 57, 90)]


@pytest.fixture
def train() -> list[FloatArray]:
    generator = np.random.default_rng(1)
    return [generator.normal(size=(length, 56)).astype(np.float32) for length in (50, 30)]


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_gives_each_clip_its_length_and_repeats_itself(
    name: str, truth: list[FloatArray], train: list[FloatArray]
) -> None:
    first, again = (find_control(name).answer(truth, train, 5) for _ in range(2))
    assert [len(motion) for motion in first] == [len(motion) for motion in truth]
    assert all(motion.dtype == np.float32 for motion in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_shifted_is_late_by_five_frames(truth: list[FloatArray]) -> None:
    shifted = find_control("control:shifted").answer(truth, [], 0)
    assert np.array_equal(shifted[0][5:], truth[0][:-5])
    assert np.array_equal(shifted[0][:5], np.tile(truth[0][0], (5, 1)))


def test_shuffled_gives_no_clip_its_own_motion_and_every_motion_once(truth: list[FloatArray]) -> None:
    shuffled = find_control("control:shuffled").answer(truth, [], 3)
    owners = [next(i for i, motion in enumerate(truth) if np.array_equal(motion[0], answer[0])) for answer in shuffled]
    assert sorted(owners) == [0, 1, 2, 3]
    assert all(owner != clip for clip, owner in enumerate(owners))


def test_static_is_the_mean_frame_of_the_training_split(truth: list[FloatArray], train: list[FloatArray]) -> None:
    static = find_control("control:static").answer(truth, train, 0)
    assert np.allclose(static[2], np.concatenate(train).mean(axis=0), atol=1e-6)
    assert np.ptp(static[2], axis=0).max() == 0


def test_random_answers_with_training_motions_only(truth: list[FloatArray], train: list[FloatArray]) -> None:
    random = find_control("control:random").answer(truth, train, 0)
    assert all(any(np.array_equal(motion[:30], source[:30]) for source in train) for motion in random)


def test_lengthening_never_jumps() -> None:
    ramp = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    assert np.abs(np.diff(fit_length(ramp, 77)[:, 0])).max() < 0.06


def test_the_truth_is_copied_not_lent(truth: list[FloatArray]) -> None:
    find_control("control:truth").answer(truth, [], 0)[0][:] = 0
    assert np.abs(truth[0]).max() > 0


def test_an_unknown_control_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match="control:shuffled"):
        find_control("control:shuffle")


def test_seeds_differ_between_controls_and_tracks() -> None:
    assert len({control_seed(name, seed) for name in CONTROLS for seed in (1, 2)}) == 2 * len(CONTROLS)
