"""The nearest-text baseline finds the nearest text and stretches its motion, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.protocol import Condition, FloatArray, Generator, Texts, TrainingClip
from benchmark.submission_check import validate
from submissions.nearest_text.generator import NearestText, TextIndex, stretch

FOLDER = Path(__file__).parent.parent.parent / "submissions" / "nearest_text"


def clip(name: str, text: str, frames: int = 30) -> TrainingClip:
    value = sum(map(ord, name)) / 1000
    return TrainingClip(name, Texts(text, "", "", "", ""), np.full((frames, 56), value, np.float32))


def ask(*texts: str, frames: int = 20) -> list[Condition]:
    return [Condition(str(number), Texts("", "", text, "", ""), None, frames) for number, text in enumerate(texts)]


def test_the_submission_validates() -> None:
    report = validate(FOLDER)
    assert (report.problems, report.notes) == ([], [])


def test_every_training_text_finds_its_own_clip() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(60)])
    clips = [clip(f"c{number}", " ".join(rng.choice(words, 25))) for number in range(40)]
    found = NearestText(clips).generate(ask(*(c.texts.action for c in clips)), seed=0)
    assert [motion.array[0, 0] for motion in found] == [c.parameters[0, 0] for c in clips]
    assert all(motion.array.shape == (20, 56) and motion.array.dtype == np.float32 for motion in found)


def test_rare_words_and_word_order_weigh_more_than_common_words() -> None:
    clips = [
        clip("a", "the man and the man smiles"),
        clip("b", "the man grimaces"),
        clip("c", "man the nods left right"),
    ]
    rare, order = NearestText(clips).generate(ask("the the man man grimaces", "right man the nods"), seed=0)
    assert rare.array[0, 0] == clips[1].parameters[0, 0]
    assert order.array[0, 0] == clips[2].parameters[0, 0]


def test_cosines_equal_a_slow_reference() -> None:
    texts = ["a b a", "b c", "c c d a"]
    grams = [["a", "b", "a", "a b", "b a"], ["b", "c", "b c"], ["c", "c", "d", "a", "c c", "c d", "d a"]]
    known = sorted({gram for row in grams for gram in row})
    tf = np.array([[row.count(gram) for gram in known] for row in grams], float)
    weighted = tf * (np.log(4 / (1 + (tf > 0).sum(axis=0))) + 1)
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
    np.testing.assert_allclose(TextIndex(texts).cosines(texts), weighted @ weighted.T, atol=1e-12)


def test_of_equally_near_clips_the_nearest_in_length_answers_and_unknown_words_are_no_error() -> None:
    clips = [clip("a", "smiles", 90), clip("b", "smiles", 22), clip("c", "smiles", 18)]
    equal, unknown, empty = NearestText(clips).generate(ask("smiles", "xyz", ""), seed=0)
    assert equal.array[0, 0] == unknown.array[0, 0] == empty.array[0, 0] == clips[1].parameters[0, 0]


def test_stretching_keeps_ends_and_lines_and_leaves_the_same_length_alone() -> None:
    motion: FloatArray = (np.linspace(0, 1, 30)[:, None] * np.arange(56)).astype(np.float32)
    np.testing.assert_array_equal(stretch(motion, 30), motion)
    for frames in (2, 13, 77):
        line = np.linspace(0, 1, frames)[:, None] * np.arange(56)
        np.testing.assert_allclose(stretch(motion, frames), line, atol=1e-5)
    assert stretch(motion, 1).shape == (1, 56) and stretch(motion[:1], 7).shape == (7, 56)


def test_it_is_a_generator_that_ignores_seeds_and_batches_and_refuses_to_answer_from_nothing() -> None:
    generator = NearestText([clip("a", "smiles"), clip("b", "nods")])
    assert isinstance(generator, Generator)
    whole = generator.generate(ask("nods", "smiles"), seed=1)
    single = [generator.generate([condition], seed=2)[0] for condition in ask("nods", "smiles")]
    for together, alone in zip(whole, single, strict=True):
        np.testing.assert_array_equal(together.array, alone.array)
    with pytest.raises(ValueError, match="no training clips"):
        NearestText([])
