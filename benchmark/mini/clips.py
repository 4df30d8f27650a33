"""Which clips the corpus has: names, performers, tracks and splits, fixed by the corpus seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from benchmark.mini.performers import COUNT, generator

SPLITS = ("train", "val", "test")
SHARD_CLIPS = 80
"""Clips made by one process."""


@dataclass(frozen=True)
class Sizes:
    """How many clips there are, by split: train, val, test."""

    talking: tuple[int, int, int]
    text2motion: tuple[int, int, int]
    shared: tuple[int, int, int]
    """Talking and singing clips that are in both tracks, on the same side of the split."""

    @classmethod
    def from_list(cls, counts: Iterable[Iterable[int]]) -> "Sizes":
        """From the three triples as JSON gives them."""
        talking, text2motion, shared = ((int(train), int(val), int(test)) for train, val, test in counts)
        return cls(talking, text2motion, shared)


VERSION_1 = Sizes(talking=(4000, 100, 640), text2motion=(4000, 100, 640), shared=(252, 6, 42))
"""The frozen corpus."""


@dataclass(frozen=True)
class Clip:
    """One clip before it is made."""

    index: int
    """Running number over the corpus; with the corpus seed it decides everything that happens."""
    name: str
    """``MINI_p07_0123``: the performer, and the performer's running number."""
    performer: int
    split: str
    tracks: tuple[str, ...]
    """``talking``, ``text2motion``, or both."""

    @property
    def has_speech(self) -> bool:
        """Whether the clip has audio."""
        return "talking" in self.tracks


@cache
def clips(sizes: Sizes = VERSION_1) -> tuple[Clip, ...]:
    """All clips in building order: kinds and splits are mixed, performers take turns."""
    kinds: list[tuple[str, tuple[str, ...]]] = []
    for split, talking, text, shared in zip(SPLITS, sizes.talking, sizes.text2motion, sizes.shared, strict=True):
        kinds += [(split, ("talking", "text2motion"))] * shared
        kinds += [(split, ("talking",))] * (talking - shared)
        kinds += [(split, ("text2motion",))] * (text - shared)
    order = generator(1).permutation(len(kinds))
    return tuple(
        Clip(index, f"MINI_p{index % COUNT:02d}_{index // COUNT:04d}", index % COUNT, *kinds[kind])
        for index, kind in enumerate(order)
    )


def shards(sizes: Sizes = VERSION_1) -> tuple[tuple[Clip, ...], ...]:
    """The clips in groups, each made by one fresh process in this order: training clips first, then held-out ones.

    No group holds both, so that training clips are the same whether or not held-out ones are made.
    """
    every = clips(sizes)
    sides = [[clip for clip in every if (clip.split == "train") == training] for training in (True, False)]
    return tuple(
        tuple(side[start : start + SHARD_CLIPS]) for side in sides for start in range(0, len(side), SHARD_CLIPS)
    )


def numbers(sizes: Sizes, *, training: bool) -> list[int]:
    """Which shards hold the training clips, or the held-out ones."""
    return [number for number, group in enumerate(shards(sizes)) if (group[0].split == "train") == training]


def subset(sizes: Sizes, task: str, splits: Sequence[str] = SPLITS) -> dict[str, list[str]]:
    """Clip ids of one track by split, each list sorted."""
    return {
        split: sorted(clip.name for clip in clips(sizes) if clip.split == split and task in clip.tracks)
        for split in splits
    }
