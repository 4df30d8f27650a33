"""Performers, filmed and constructed: what is played is what is written, within the bounds of real tracks."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.construction.clip import construct_clip
from benchmark.construction.config import Wording
from benchmark.construction.records import Constructed
from benchmark.mini.channels import CHANNELS
from benchmark.mini.clip import CONSTRUCTION, MadeClip, make, take
from benchmark.mini.clips import Clip, clips
from benchmark.mini.gestures import PITCH, ROLL, YAW
from benchmark.mini.performer import Performance, mirrored, perform
from benchmark.mini.performers import COUNT, generator, performer
from benchmark.mini.plan import Event, Mood, Plan
from benchmark.mini.tracker import observe
from benchmark.protocol import JAW, NECK, TEXT_FIELDS

Made = list[tuple[Clip, MadeClip]]
NEUTRAL = (Mood("neutral", 0.5, -40.0, 160.0),)
TOLD_WHOLE = CONSTRUCTION.model_copy(update={"wording": Wording(omitted=0.0)})
"""The corpus's settings, but nothing is left out or blurred."""


@pytest.fixture(scope="module")
def made() -> Made:
    return [(clip, make(clip)) for clip in clips()[:160]]


def _play(*gestures: Event, actions: tuple[Event, ...] = (), seed: int = 3) -> tuple[Performance, Constructed]:
    """A plan as performer ``seed`` plays it, and what the pipeline makes of the film."""
    plan, who = Plan(120, NEUTRAL, actions, gestures=gestures), performer(seed)
    played = perform(plan, who, None, generator(99, seed))
    raw = observe("MINI_test_0", plan, played, None, who.camera, generator(98, seed))
    done = construct_clip(raw, TOLD_WHOLE, generator(97, seed))
    assert isinstance(done, Constructed)
    return played, done


@pytest.mark.parametrize(
    ("gesture", "axis", "sign", "words"),
    [
        ("turn_left", YAW, 1, "left"),
        ("turn_right", YAW, -1, "right"),
        ("tilt_left", ROLL, -1, "left"),
        ("tilt_right", ROLL, 1, "right"),
        ("down", PITCH, 1, "down|lower"),
        ("up", PITCH, -1, "up|raised|lifts"),
    ],
)
def test_the_neck_moves_the_way_the_text_says(gesture: str, axis: int, sign: int, words: str) -> None:
    for seed in range(8):
        played, done = _play(Event(gesture, 0.8, 30.0, 90.0), seed=seed)
        for neck in (played.neck, done.parameters[:, NECK]):
            assert sign * (neck[55:65, axis].mean() - neck[[0, -1], axis].mean()) > 0.1
        text = done.texts.detail_head_pose
        assert re.search(words, text), text


def test_a_head_turned_left_in_a_whole_clip_has_positive_yaw(made: Made) -> None:
    found = 0
    for clip, result in made:
        text = result.texts.detail_head_pose
        yaw = result.parameters[:, NECK][:, YAW]
        for side, sign in (("left", 1.0), ("right", -1.0)):
            if re.search(rf"(turns|rotates)( to the| towards the)? {side}", text):
                found += 1
                assert (sign * yaw).max() > 0.1, (clip.name, text)
    assert found >= 20


@pytest.mark.parametrize(
    ("first", "second"), [("smile", "yawn"), ("yawn", "smile"), ("glare", "head_wagging"), ("nod", "shake_head")]
)
def test_order_words_follow_the_order_of_time(first: str, second: str) -> None:
    """Labels come without their order: the annotator finds it in the units and the head."""
    words = {"smile": "smile", "yawn": "yawn", "glare": "glare|stare", "head_wagging": "wag|rock", "nod": "nod"}
    words["shake_head"] = "shake"
    for seed in range(4):
        _, done = _play(actions=(Event(first, 0.9, 5.0, 50.0), Event(second, 0.9, 62.0, 112.0)), seed=seed)
        text = done.texts.action
        assert re.search(rf"({words[first]}).*({words[second]})", text), text


@pytest.mark.parametrize(("flipped", "side"), [(False, "left"), (True, "right")])
def test_a_wink_closes_the_eye_the_text_names(flipped: bool, side: str) -> None:
    for seed in range(4):
        played, done = _play(actions=(Event("wink", 1.0, 40.0, 80.0, flipped),), seed=seed)
        left, right = (played.activations[48:68, CHANNELS.index(f"eyeBlink{lid}")] for lid in ("Left", "Right"))
        ahead = left - right if side == "left" else right - left
        assert ahead.max() > 0.6
        assert ahead.mean() > 0.3
        assert f"{side} eye" in done.texts.action


def test_mirroring_twice_changes_nothing_and_once_swaps_sides() -> None:
    activations = np.arange(64.0)
    assert np.array_equal(mirrored(mirrored(activations)), activations)
    left, right, mouth = (CHANNELS.index(name) for name in ("mouthSmileLeft", "mouthSmileRight", "mouthLeft"))
    assert mirrored(activations)[left] == activations[right]
    assert mirrored(activations)[mouth] == activations[CHANNELS.index("mouthRight")]


def test_statistics_lie_within_those_of_real_tracks(made: Made) -> None:
    frames = np.concatenate([result.parameters for _, result in made])
    deviation = frames[:, :50].std(axis=0)
    assert 0.6 < np.median(deviation) < 1.2
    assert deviation.min() > 0.2
    assert np.linalg.norm(frames[:, NECK], axis=1).max() < 0.6
    jaw = frames[:, JAW]
    assert jaw[:, 0].min() > -0.05
    assert jaw[:, 0].max() < 0.4
    assert 0.02 < jaw[:, 0].mean() < 0.08
    assert 0.04 < jaw[:, 0].std() < 0.09
    assert np.abs(jaw[:, 1:].mean(axis=0)).max() < 0.01
    assert (jaw[:, 1:].std(axis=0) > 0.004).all() and (jaw[:, 1:].std(axis=0) < (0.02, 0.045)).all()
    lengths = np.array([len(result.parameters) for _, result in made])
    assert lengths.min() >= 40
    assert lengths.max() <= 200
    assert 85 < lengths.mean() < 120


def test_the_jaw_opens_with_the_energy_of_the_speech_and_at_the_same_time(made: Made) -> None:
    lags = range(-8, 9)
    curves = []
    for _, result in made:
        if result.speech is None:
            continue
        energy = np.log10((result.speech.audio.reshape(-1, 640) ** 2).mean(axis=1) + 1e-6)
        jaw = result.parameters[:, 53]
        curves.append([_correlation(np.roll(jaw, -lag)[8:-8], energy[8:-8]) for lag in lags])
    mean = np.mean(curves, axis=0)
    assert mean.max() > 0.5
    assert abs(lags[int(mean.argmax())]) <= 1
    assert mean[0] < 0.6 * mean.max() > mean[-1]


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_texts_are_whole_sentences_without_ids_or_numbers(made: Made) -> None:
    for clip, result in made:
        for field in TEXT_FIELDS:
            text = getattr(result.texts, field)
            assert text.endswith("."), (clip.name, text)
            assert "  " not in text
            assert "{" not in text
            assert not re.search(r"MINI|p\d\d|\d\.\d|\d{2}", text), text
            if field != "emotion_scenario":
                assert not re.search(r"\d", text)


def test_performers_differ_and_every_channel_moves() -> None:
    assert len({performer(index).voice for index in range(COUNT)}) == COUNT
    seen = np.zeros(64)
    for index in range(250):
        clip = Clip(10_000 + index, "", index % COUNT, "train", ("text2motion",))
        seen = np.maximum(seen, take(clip).played.activations.max(axis=0))
    assert [CHANNELS[i] for i in np.flatnonzero(seen < 0.15)] == []
