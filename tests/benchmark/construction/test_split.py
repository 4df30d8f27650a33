from collections import Counter

import numpy as np
import pytest

from benchmark.construction.config import Labels, Split
from benchmark.construction.split import Listed, assign, compose, group


def _clips(sources: int = 300, seed: int = 0) -> list[Listed]:
    """Clips of uneven sources; common and rare labels, some sources with labels of their own."""
    rng = np.random.default_rng(seed)
    actions, weights = ["talk", "smile", "turn", "sing", "yawn", "read"], [0.45, 0.2, 0.15, 0.1, 0.06, 0.04]
    emotions = ["neutral", "happy", "sadness", "disgust"]
    clips = []
    for source in range(sources):
        for number in range(int(rng.integers(1, 12))):
            chosen = tuple({str(name) for name in rng.choice(actions, 2, p=weights)})
            mood = (str(rng.choice(emotions, p=[0.6, 0.25, 0.12, 0.03])),)
            clips.append(Listed(f"V_{source:04d}_{number}", None, chosen, mood))
    return clips


def test_shares_are_kept_in_all_and_of_each_action_and_emotion() -> None:
    clips = _clips()
    split_of = assign(clips, Split(), 0)
    total = Counter(split_of.values())
    for split, share in zip(("train", "val", "test"), Split().shares, strict=True):
        assert total[split] / len(clips) == pytest.approx(share, abs=0.005)
        for label in ("talk", "smile", "sing", "yawn", "neutral", "disgust"):
            having = [clip for clip in clips if label in (*clip.actions, *clip.emotions)]
            got = sum(split_of[clip.id] == split for clip in having) / len(having)
            assert got == pytest.approx(share, abs=0.03), (label, split)


def test_no_source_is_parted_by_its_name_by_its_record_or_by_a_common_recording() -> None:
    clips = _clips(60)
    clips += [Listed(f"W_{k}_0", f"person {k % 3}", ("smile",), ("happy",)) for k in range(12)]
    clips += [Listed(f"X_{k}_0", None, ("smile",), ("happy",), keys=("same sound",)) for k in range(5)]
    split_of = assign(clips, Split(), 0)
    for names in ({c.id for c in clips if c.id.startswith(f"V_{s:04d}_")} for s in range(60)):
        assert len({split_of[name] for name in names}) == 1
    for person in range(3):
        assert len({split_of[f"W_{k}_0"] for k in range(person, 12, 3)}) == 1
    assert len({split_of[f"X_{k}_0"] for k in range(5)}) == 1
    assert len(group(clips)) == 60 + 3 + 1


def test_the_split_depends_on_the_seed_alone_and_not_on_the_order_of_splitting() -> None:
    clips = _clips(80)
    assert assign(clips, Split(), 0) == assign(clips, Split(), 0)
    assert assign(clips, Split(), 0) != assign(clips, Split(), 1)


def test_benchmark_two_is_all_other_actions_and_as_many_shared_clips_as_the_paper_takes() -> None:
    clips = _clips(900)
    split_of = assign(clips, Split(), 0)
    subsets = compose(clips, split_of, Split(), Labels(), 0)
    talking = {name for names in subsets["talking"].values() for name in names}
    text2motion = {name for names in subsets["text2motion"].values() for name in names}
    speaks = {clip.id for clip in clips if {"talk", "sing", "read"} & set(clip.actions)}
    assert talking == speaks
    assert text2motion - speaks == {clip.id for clip in clips} - speaks
    shared = [clip for clip in clips if clip.id in talking & text2motion]
    assert len(shared) == 500
    assert sum("talk" in clip.actions for clip in shared) == 250  # the others sing and do not talk
    for split, share in zip(("train", "val", "test"), Split().shares, strict=True):
        got = sum(split_of[clip.id] == split for clip in shared) / 500
        assert got == pytest.approx(share, abs=0.02)


def test_a_clip_of_both_benchmarks_is_on_the_same_side_in_both() -> None:
    clips = _clips(200)
    subsets = compose(clips, assign(clips, Split(), 3), Split(), Labels(), 3)
    side = {name: split for split, names in subsets["talking"].items() for name in names}
    common = [(split, name) for split, names in subsets["text2motion"].items() for name in names if name in side]
    assert common
    assert all(side[name] == split for split, name in common)


def test_shares_are_configuration_and_small_corpora_do_not_break() -> None:
    clips = _clips(100)
    halves = Counter(assign(clips, Split(shares=(0.5, 0.0, 0.5)), 0).values())
    assert halves["val"] == 0
    assert halves["train"] == pytest.approx(len(clips) / 2, abs=8)
    assert assign([], Split(), 0) == {}
    assert assign(clips[:1], Split(), 0) == {clips[0].id: "train"}
