"""Who is trained on, chosen by and tested on: whole sources, even in actions and emotions; and both benchmarks.

Source: MMHead, section 4 (0.8 / 0.05 / 0.15; Benchmark I of all clips that talk, sing or read; Benchmark II of all
other actions and expressions, with 250 talking and 250 singing clips of Benchmark I).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.config import Labels, Split
from benchmark.construction.records import Array
from benchmark.corpus import source_of
from benchmark.subsets import SPLITS
from benchmark.tracks import Task

_REFINEMENTS = 4
_KIND_WEIGHT = {"all": 4.0, "speech": 4.0, "other": 4.0}
"""The shares themselves, in all and of each benchmark, matter more than those of a single action or emotion."""


@dataclass(frozen=True)
class Listed:
    """What the split needs to know of a clip."""

    id: str
    source: str | None
    actions: tuple[str, ...]
    emotions: tuple[str, ...]
    keys: tuple[str, ...] = ()
    """Hashes of its motion and audio: clips that share one stay together."""


Subsets = dict[Task, dict[str, list[str]]]


def assign(clips: Sequence[Listed], settings: Split, seed: int) -> dict[str, str]:
    """Puts every clip in a split.

    Whole groups are moved: clips of one source (as given, and as the name says), and clips with the same motion or
    sound. Groups go, large ones first, where they bring clips, actions and emotions nearest to their shares; then each
    is moved once more as long as that helps.

    Args:
        clips: All clips.
        settings: Shares.
        seed: Order among groups of equal size.

    Returns:
        Split by clip id.
    """
    if not clips:
        return {}
    groups = group(clips)
    labels = sorted({label for clip in clips for label in _labels(clip)})
    index = {label: k for k, label in enumerate(labels)}
    weights = np.array([_KIND_WEIGHT.get(label, 1.0) for label in labels])
    counts = np.zeros((len(groups), len(labels)))
    for row, members in enumerate(groups):
        for clip in members:
            for label in _labels(clip):
                counts[row, index[label]] += 1
    order = np.random.default_rng([seed, 1]).permutation(len(groups))
    sizes = np.array([len(members) for members in groups])
    order = order[np.argsort(-sizes[order], kind="stable")]
    places = _place(counts, weights, np.array(settings.shares), order)
    return {clip.id: SPLITS[place] for members, place in zip(groups, places, strict=True) for clip in members}


def group(clips: Sequence[Listed]) -> list[list[Listed]]:
    """Clips that must not be parted, in the order of their first."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for clip in clips:
        names = {f"name {source_of(clip.id)}", *(f"key {key}" for key in clip.keys)}
        names |= {f"source {clip.source}"} if clip.source else set()
        for name in names:
            leader[find(name)] = find(f"clip {clip.id}")
    groups: dict[str, list[Listed]] = defaultdict(list)
    for clip in clips:
        groups[find(f"clip {clip.id}")].append(clip)
    return list(groups.values())


def compose(clips: Sequence[Listed], split_of: Mapping[str, str], settings: Split, rules: Labels, seed: int) -> Subsets:
    """The clip lists of the two benchmarks; a clip in both is on the same side in both.

    Args:
        clips: All clips.
        split_of: Split by clip id.
        settings: How many talking and singing clips are shared.
        rules: Which actions are speech.
        seed: Of the choice of shared clips, which is even over the splits.

    Returns:
        Clip ids by task and split, sorted.
    """
    speaks = {clip.id: [a for a in rules.speech_actions if a in clip.actions] for clip in clips}
    talking = [clip.id for clip in clips if speaks[clip.id]]
    shared: list[str] = []
    rng = np.random.default_rng([seed, 2])
    for action, count in (("talk", settings.shared_talking), ("sing", settings.shared_singing)):
        pool = [name for name in talking if speaks[name][0] == action]
        shared += _even(pool, split_of, count, rng)
    text2motion = [clip.id for clip in clips if not speaks[clip.id]] + shared
    return {
        "talking": _by_split(talking, split_of),
        "text2motion": _by_split(text2motion, split_of),
    }


def _labels(clip: Listed) -> list[str]:
    speech = "speech" if {"talk", "sing", "read"} & set(clip.actions) else "other"
    return [
        "all",
        speech,
        *(f"action {name}" for name in clip.actions),
        *(f"emotion {name}" for name in set(clip.emotions)),
    ]


def _place(counts: Array, weights: Array, shares: Array, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split of each group: greedy by squared distance from the wanted counts, each label relative to its own size."""
    total = counts.sum(axis=0)
    weight = weights / np.maximum(total, 1.0)
    wanted = shares[:, None] * total
    filled = np.zeros_like(wanted)
    places = np.full(len(counts), -1)
    # A split of share 0 stays empty; the rest count relative to their share, so that small ones are filled well too.
    scale = np.where(shares > 0, 1.0 / np.maximum(shares, 1e-9), np.inf)
    for sweep in range(1 + _REFINEMENTS):
        moved = 0
        for row in order:
            old = places[row]
            if old >= 0:
                filled[old] -= counts[row]
            gap = wanted - filled
            gain = ((2.0 * gap * counts[row] - counts[row] ** 2) @ weight) * np.where(shares > 0, scale, 1.0)
            gain[shares <= 0] = -np.inf
            best = int(np.argmax(gain))
            if old >= 0 and gain[best] <= gain[old] + 1e-12:
                best = int(old)
            moved += best != old
            places[row] = best
            filled[best] += counts[row]
        if sweep and not moved:
            break
    return places


def _even(pool: Sequence[str], split_of: Mapping[str, str], count: int, rng: np.random.Generator) -> list[str]:
    """``count`` of a pool, each split giving its share."""
    if count >= len(pool):
        return list(pool)
    by_split = _by_split(pool, split_of)
    exact = {split: count * len(names) / len(pool) for split, names in by_split.items()}
    taken = {split: int(share) for split, share in exact.items()}
    for split in sorted(exact, key=lambda name: taken[name] - exact[name])[: count - sum(taken.values())]:
        taken[split] += 1
    return [
        names[k]
        for split, names in by_split.items()
        for k in sorted(rng.choice(len(names), taken[split], replace=False).tolist())
    ]


def _by_split(names: Sequence[str], split_of: Mapping[str, str]) -> dict[str, list[str]]:
    return {split: sorted(name for name in names if split_of[name] == split) for split in SPLITS}
