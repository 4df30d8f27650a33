import re
from dataclasses import replace

import numpy as np
import pytest

from benchmark.construction.action_units import active_spans
from benchmark.construction.clip import clip_rng, write_texts
from benchmark.construction.config import Activity, HeadPoseRules, Wording
from benchmark.construction.head_pose import head_pose
from benchmark.construction.records import Array, EmotionSpan, Evidence, Span
from benchmark.construction.rules import write_action, write_emotion, write_expression, write_head_pose
from benchmark.construction.unit_summary import movements
from benchmark.construction.wording import unit_clause
from benchmark.protocol import TEXT_FIELDS

FRAMES = 100


def _evidence(
    units: tuple[Span, ...] = (), neck: Array | None = None, actions: tuple[str, ...] = ("smile",), **fields: object
) -> Evidence:
    head = head_pose(np.zeros((FRAMES, 3)) if neck is None else neck, HeadPoseRules())
    defaults: dict[str, object] = {
        "frames": FRAMES, "setting": "wild", "onsets": (None,) * len(actions), "jaw_peak": 0.0, "speech": "",
        "emotions": (EmotionSpan("happy", intensity=0.6),),
    }  # fmt: skip
    return Evidence(actions=actions, units=units, head=head, **{**defaults, **fields})  # type: ignore[arg-type]


def _swing(axis: int, start: int, cycles: int, size: float = 0.25, length: int = 12) -> Array:
    neck = np.zeros((FRAMES, 3))
    span = np.arange(cycles * length)
    neck[start : start + len(span), axis] = size * np.sin(2 * np.pi * span / length)
    return neck


def test_texts_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    evidence = _evidence((Span("AU12", 10, 60, 0.8),), _swing(0, 20, 3))
    texts = [write_texts(evidence, clip_rng(seed, "A_b_0")) for seed in (0, 0, 1, 2, 3)]
    assert texts[0] == texts[1]
    assert len({text.joined() for text in texts}) == 4


def test_each_text_has_random_numbers_of_its_own() -> None:
    """Else one more unit in the face would change the wording of the scenarios."""
    one = write_texts(_evidence((Span("AU12", 10, 60, 0.8),)), clip_rng(0, "A_b_0"))
    two = write_texts(_evidence((Span("AU4", 10, 60, 0.8), Span("AU1", 70, 90, 0.5))), clip_rng(0, "A_b_0"))
    assert one.detail_expression != two.detail_expression
    assert (one.action, one.emotion, one.emotion_scenario) == (two.action, two.emotion, two.emotion_scenario)


@pytest.mark.parametrize("seed", range(8))
def test_facial_movements_are_told_in_order_of_time_with_side_and_strength(seed: int) -> None:
    units = (Span("AU4", 5, 30, 0.3), Span("AUL12", 50, 90, 0.95))
    text = write_expression(_evidence(units), np.random.default_rng(seed)).lower()
    brow, lip = re.search(r"brow", text), re.search(r"left lip corner|lip corner puller .* on the left", text)
    assert brow and lip and brow.start() < lip.start()
    assert re.search("slightly|a little|subtly|faintly", text)
    assert re.search("strongly|clearly|markedly|intensely", text)


def test_both_sides_together_are_one_movement_and_one_sided_ones_beat_the_detectors_sum() -> None:
    spans = (Span("AUL6", 10, 40, 0.5), Span("AUR6", 12, 42, 0.7), Span("AU6", 11, 41, 0.6), Span("AUR6", 70, 80, 0.4))
    assert [(m.number, m.side, m.start, m.end, m.peak) for m in movements(spans)] == [
        (6, "", 10, 42, 0.7), (6, "right", 70, 80, 0.4),
    ]  # fmt: skip


def test_speech_is_said_once_and_its_units_are_not_told_one_by_one() -> None:
    spans = (*(Span("AU25", start, start + 5, 0.5) for start in range(0, 90, 10)), Span("AU1", 40, 70, 0.8))
    text = write_expression(_evidence(spans, actions=("talk",), speech="talk"), np.random.default_rng(1))
    assert "lips part" not in text.split(".", 1)[1]
    assert "brow" in text


@pytest.mark.parametrize(
    ("neck", "words"),
    [
        (np.zeros((FRAMES, 3)), "still|hardly any movement|steady"),
        (_swing(1, 20, 3), "shakes|swings left and right"),
        (_swing(0, 20, 3), "nods|up and down"),
        (_swing(2, 20, 3), "wags|rocks"),
        (_swing(1, 10, 1, 0.35, 80), "left.*right"),
    ],
)
def test_head_movements_are_told_as_what_they_are(neck: Array, words: str) -> None:
    for seed in range(5):
        text = write_head_pose(_evidence(neck=neck), np.random.default_rng(seed))
        assert re.search(words, text), text


def test_a_head_that_goes_from_side_to_side_does_not_return_to_the_front_between() -> None:
    neck = np.zeros((FRAMES, 3))
    neck[10:40, 1], neck[40:70, 1] = 0.3, -0.3
    for seed in range(10):
        first, second = write_head_pose(_evidence(neck=neck), np.random.default_rng(seed)).rstrip(".").split(". ")
        assert "left" in first and "right" in second
        assert not re.search("back|return", first)


def test_a_restless_head_is_told_by_its_strongest_movements() -> None:
    neck = np.zeros((200, 3))
    for k in range(9):
        neck[20 * k : 20 * k + 19, k % 2] = 0.2 + 0.02 * k
    head = head_pose(neck, HeadPoseRules())
    assert len(head.spans) > 9
    text = write_head_pose(replace(_evidence(), head=head, frames=200), np.random.default_rng(0))
    assert text.count(".") <= 5


def test_a_studio_clip_draws_a_fixed_sentence_and_a_wild_one_names_its_actions_in_order() -> None:
    studio = {write_action(_evidence(setting="studio"), np.random.default_rng(seed)) for seed in range(60)}
    assert len(studio) == 7
    wild = write_action(_evidence(actions=("nod", "talk", "yawn"), speech="talk"), np.random.default_rng(0))
    assert re.search("nod.*yawn", wild)
    assert re.search("talk|speak", wild)


def test_emotions_are_told_in_order_and_unknown_labels_have_words_too() -> None:
    emotions = (EmotionSpan("anger"), EmotionSpan("happy"), EmotionSpan("wistful"))
    text = write_emotion(_evidence(emotions=emotions), np.random.default_rng(0))
    assert re.search(r"at first.*wistful\.$", text)
    assert "flap" in write_action(_evidence(actions=("flap_ears",)), np.random.default_rng(0))


def test_every_unit_of_the_vocabulary_has_words() -> None:
    vocabulary = (1, 2, 4, 5, 6, 7, *range(9, 21), *range(22, 29), 32, 38, 39, 43, 45)
    assert all(unit_clause(number, "", np.random.default_rng(0)) for number in vocabulary)


def test_no_text_holds_an_id_or_a_decimal_number() -> None:
    rng = np.random.default_rng(5)
    for seed in range(40):
        units = active_spans(("AU1", "AUL12", "AU45"), rng.random((FRAMES, 3)), Activity())
        texts = write_texts(_evidence(units, _swing(seed % 3, 30, 2)), clip_rng(seed, "SOURCE_secret_0"))
        for field in TEXT_FIELDS:
            text = getattr(texts, field)
            assert text
            assert "secret" not in text
            assert not re.search(r"\d[.,]\d|[a-z]\d", text)


_DONE = ("gaze", "frown", "nod", "smile", "yawn")
_VERBS = {"gaze": "gaze|look", "frown": "frown", "nod": "nod", "smile": "smile", "yawn": "yawn"}
_BUSY = (Span("AU61", 2, 20, 0.8), Span("AU4", 25, 45, 0.8), Span("AU12", 60, 90, 0.8), Span("AU27", 75, 95, 0.8))


def test_nothing_is_left_out_when_the_wording_omits_nothing() -> None:
    neck = np.zeros((FRAMES, 3))
    neck[5:25, 1], neck[35:55, 2], neck[65:85, 0] = 0.25, 0.25, 0.25
    evidence = _evidence(_BUSY, neck, _DONE)
    for seed in range(40):
        texts = write_texts(evidence, clip_rng(seed, "A_b_0"), Wording(omitted=0.0, omitted_head=0.0))
        assert all(re.search(verb, texts.action) for verb in _VERBS.values()), texts.action
        assert len(texts.detail_expression.split(". ")) == 4, texts.detail_expression
        assert len(texts.detail_head_pose.split(". ")) == 3, texts.detail_head_pose


def test_the_wording_omits_movements_and_actions_as_often_as_it_is_set() -> None:
    evidence = _evidence(_BUSY, actions=_DONE)
    for omitted in (0.1, 0.5):
        actions = sentences = 0
        for seed in range(400):
            texts = write_texts(evidence, clip_rng(seed, "A_b_0"), Wording(omitted=omitted, omitted_head=omitted))
            actions += sum(bool(re.search(verb, texts.action)) for verb in _VERBS.values())
            sentences += len(texts.detail_expression.split(". "))
        assert actions / (400 * 5) == pytest.approx(1.0 - omitted, abs=0.05)
        assert sentences / (400 * 4) == pytest.approx(1.0 - omitted, abs=0.05)


def test_the_only_action_and_the_only_movements_are_never_left_out() -> None:
    evidence = _evidence((Span("AU12", 2, 20, 0.8), Span("AU4", 60, 90, 0.8)))
    for seed in range(30):
        texts = write_texts(evidence, clip_rng(seed, "A_b_0"), Wording(omitted=0.99, omitted_head=0.99))
        assert "smile" in texts.action
        assert len(texts.detail_expression.split(". ")) == 2


def test_vague_wording_hides_sides_emotions_scenarios_and_movements() -> None:
    evidence = _evidence((Span("AU61", 2, 90, 0.8),), _swing(1, 10, 1, 0.35, 80), ("gaze",))
    told = dict.fromkeys((0.0, 0.9), 0)
    for vague in told:
        for seed in range(100):
            texts = write_texts(evidence, clip_rng(seed, "A_b_0"), Wording(omitted=0.0, vague=vague, vague_head=vague))
            told[vague] += "left" in texts.action
            told[vague] += bool(re.search("happy|cheerful", texts.emotion))
            told[vague] += bool(re.search("left", texts.detail_expression))
            told[vague] += bool(re.search("left|right", texts.detail_head_pose))
            assert "{" not in texts.joined()
    assert told[0.0] == 400
    assert told[0.9] < 0.2 * told[0.0]


def test_by_default_a_tenth_is_left_out_and_nothing_is_blurred() -> None:
    evidence = _evidence(_BUSY, _swing(0, 20, 3), _DONE)
    for seed in range(20):
        assert write_texts(evidence, clip_rng(seed, "A_b_0")) == write_texts(
            evidence, clip_rng(seed, "A_b_0"), Wording(omitted=0.1, vague=0.0)
        )
