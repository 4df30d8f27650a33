"""Performers and texts: what is played is what is written, within the bounds of real tracks."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.mini.channels import CHANNELS
from benchmark.mini.clip import MadeClip, make
from benchmark.mini.clips import Clip, clips
from benchmark.mini.gestures import PITCH, ROLL, YAW
from benchmark.mini.performer import mirrored, perform
from benchmark.mini.performers import COUNT, generator, performer
from benchmark.mini.plan import Event, Mood, Plan
from benchmark.mini.texts import write
from benchmark.protocol import JAW, NECK, TEXT_FIELDS

Made = list[tuple[Clip, MadeClip]]
NEUTRAL = (Mood("neutral", 0.5, -40.0, 160.0),)


@pytest.fixture(scope="module")
def made() -> Made:
    return [(clip, make(clip)) for clip in clips()[:160]]


def _play(*gestures: Event, actions: tuple[Event, ...] = (), seed: int = 3) -> tuple[Plan, NDArray[np.float64]]:
    plan = Plan(120, NEUTRAL, actions, gestures=gestures)
    return plan, perform(plan, performer(seed), None, generator(99, seed)).neck


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
        plan, neck = _play(Event(gesture, 0.8, 30.0, 90.0), seed=seed)
        text = write(plan, neck, generator(98, seed)).detail_head_pose
        assert sign * (neck[55:65, axis].mean() - neck[[0, -1], axis].mean()) > 0.1
        assert re.search(words, text), text


def test_a_head_turned_left_in_a_whole_clip_has_positive_yaw(made: Made) -> None:
    found = 0
    for clip, result in made:
        text = result.texts.detail_head_pose
        yaw = result.parameters[:, NECK][:, YAW]
        for side, sign in (("left", 1.0), ("right", -1.0)):
            other = "right" if side == "left" else "left"
            if re.search(rf"(turns|rotates)( to the| towards the)? {side}", text) and other not in text:
                found += 1
                assert np.ptp(yaw) > 0.06
                assert sign * (yaw.max() + yaw.min() - 2 * yaw[[0, -1]].mean()) > 0.0, (clip.name, text)
    assert found >= 8


def test_order_words_follow_the_order_of_time() -> None:
    early, late = Event("smile", 0.9, 5.0, 45.0), Event("yawn", 0.9, 60.0, 110.0)
    for actions, first in (
        ((early, late), "smil"),
        ((Event("yawn", 0.9, 5.0, 50.0), Event("smile", 0.9, 65.0, 110.0)), "yawn"),
    ):
        plan, neck = _play(actions=actions)
        text = write(plan, neck, generator(97)).action
        second = "yawn" if first == "smil" else "smil"
        assert text.find(first) < text.find(second), text


def test_a_wink_closes_the_eye_the_text_names() -> None:
    for flipped, side in ((False, "Left"), (True, "Right")):
        wink = Event("wink", 1.0, 20.0, 60.0, flipped)
        plan = Plan(80, NEUTRAL, (wink,))
        played = perform(plan, performer(5), None, generator(96)).activations[35:42].max(0)
        other = "Right" if side == "Left" else "Left"
        assert played[CHANNELS.index(f"eyeBlink{side}")] > played[CHANNELS.index(f"eyeBlink{other}")] + 0.4
        assert f"{side.lower()} eye" in write(plan, np.zeros((80, 3)), generator(95)).action


def test_mirroring_twice_changes_nothing_and_once_swaps_sides() -> None:
    activations = np.arange(64.0)
    assert np.array_equal(mirrored(mirrored(activations)), activations)
    left, right, mouth = (CHANNELS.index(name) for name in ("mouthSmileLeft", "mouthSmileRight", "mouthLeft"))
    assert mirrored(activations)[left] == activations[right]
    assert mirrored(activations)[mouth] == activations[CHANNELS.index("mouthRight")]


def test_statistics_lie_within_those_of_real_tracks(made: Made) -> None:
    frames = np.concatenate([result.parameters for _, result in made])
    deviation = frames[:, :50].std(axis=0)
    assert 0.3 < np.median(deviation) < 1.3
    assert deviation.min() > 0.1
    assert np.linalg.norm(frames[:, NECK], axis=1).max() < 0.6
    jaw = frames[:, JAW]
    assert jaw[:, 0].min() >= 0.0
    assert jaw[:, 0].max() < 0.4
    assert 0.02 < jaw[:, 0].mean() < 0.12
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
        planned = make(clip).plan
        played = perform(planned, performer(index % COUNT), None, generator(94, index))
        seen = np.maximum(seen, played.activations.max(axis=0))
    assert [CHANNELS[i] for i in np.flatnonzero(seen < 0.15)] == []
