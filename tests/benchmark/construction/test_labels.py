from typing import Any

import numpy as np
import pytest

from benchmark.audio import Recording
from benchmark.construction.config import Labels
from benchmark.construction.labels import filter_labels, in_order, onsets
from benchmark.construction.records import Dropped, EmotionSpan, RawClip
from tests.benchmark.construction.tracks import motion, raw_clip

SOUND = Recording(np.zeros((16_000, 1), np.float32), 16_000, "PCM_16")


def _clip(**fields: Any) -> RawClip:
    return raw_clip(motion(np.random.default_rng(0), 20), audio=SOUND, **fields)


def test_hidden_actions_are_taken_off_and_said_so() -> None:
    assert filter_labels(_clip(actions=("smoke", "talk", "kiss")), Labels()) == (
        ("talk",), ("action smoke taken off", "action kiss taken off"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"actions": ("whisper", "kiss")}, "no action can be seen on a head"),
        ({"emotions": tuple(EmotionSpan(name) for name in "ababab")}, "emotion changes too often"),
        ({"sync_confidence": 2.9}, "sound and picture do not fit"),
        ({"sync_confidence": float("nan")}, "sound and picture do not fit"),
        ({"actions": ("talk",), "audio": None}, "speech without audio"),
    ],
)
def test_clips_are_dropped_for_the_papers_reasons(fields: dict[str, Any], reason: str) -> None:
    clip = raw_clip(motion(np.random.default_rng(0), 20), **{"audio": SOUND, **fields})
    found = filter_labels(clip, Labels())
    assert isinstance(found, Dropped)
    assert found.reason == reason


def test_what_is_just_allowed_is_kept() -> None:
    emotions = tuple(EmotionSpan(name) for name in "aababa")  # four changes: a repeated label is none
    assert not isinstance(filter_labels(_clip(emotions=emotions, sync_confidence=3.0), Labels()), Dropped)
    studio = _clip(sync_confidence=0.1, setting="studio")
    assert not isinstance(filter_labels(studio, Labels()), Dropped)  # only in-the-wild clips need confidence


def test_filters_are_configuration() -> None:
    rules = Labels(hidden_actions=("wink",), most_emotion_changes=0)
    assert isinstance(filter_labels(_clip(actions=("wink",)), rules), Dropped)
    assert isinstance(filter_labels(_clip(emotions=(EmotionSpan("a"), EmotionSpan("b"))), rules), Dropped)
    assert not isinstance(filter_labels(_clip(actions=("kiss",)), rules), Dropped)


def test_unordered_actions_are_put_in_the_order_in_which_they_show() -> None:
    units, head = np.zeros((100, 2)), np.zeros((100, 3))
    units[60:90, 0] = 0.8  # smile
    units[5:30, 1] = 0.9  # frown
    head[35:50, 1] = 25.0  # turn
    actions = ("smile", "blow", "turn", "frown")
    when = onsets(actions, ("AU12", "AU4"), units, head)
    assert when == (0.6, None, 0.35, 0.05)
    assert in_order(actions, when)[0] == ("frown", "turn", "smile", "blow")
