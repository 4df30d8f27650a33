"""Clips in the form retrieval networks are trained on, and the batches drawn from them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import FloatArray
from evaluators.retrieval.mirror import mirrored_neck
from evaluators.retrieval.presets import Alteration, Preset

Half = NDArray[np.float16]


@dataclass(frozen=True)
class Told:
    """What some of a clip's texts tell, so that a motion altered in just that is no longer theirs."""

    side: bool = False
    """Left or right."""
    order: bool = False
    """At least two things in order of time."""
    head: bool = False
    """How the head moves."""

    def __or__(self, other: "Told") -> "Told":
        return Told(self.side or other.side, self.order or other.order, self.head or other.head)


@dataclass(frozen=True)
class Clips:
    """Clips of one split. All lists run in the same order."""

    ids: tuple[str, ...]
    motion: Callable[[int], Half]
    """Motion features (T, D) of the clip at an index: normalised face vertices, or their coordinates in a basis."""
    necks: list[FloatArray]
    """(T, 3) radians."""
    conditions: list[list[Half]]
    """Frozen features: (L, d) a text field, or one (T, d) of the speech."""
    mirrored: Callable[[int], Half] | None = None
    """Motion features of the face mirrored, where training asks for them."""
    told: list[tuple[Told, ...]] = field(default_factory=list)
    """What each text field tells; empty for speech."""

    def __len__(self) -> int:
        return len(self.ids)

    def frames(self, index: int) -> int:
        """Length of the clip at an index."""
        return len(self.necks[index])


@dataclass(frozen=True)
class Pair:
    """A motion and what belongs to it."""

    item: int
    """Index of the clip."""
    neck: FloatArray
    """(T, 3) radians."""
    motion: Half
    """(T, D) motion features."""
    condition: Half
    """(L, d) frozen features."""
    told: Told = field(default_factory=Told)
    """What the texts of the condition tell."""


def altered(clips: Clips, pair: Pair, kind: Alteration, other: FloatArray) -> tuple[FloatArray, Half]:
    """A motion changed in one way: neck (T, 3) and motion features (T, D).

    Args:
        clips: Where the pair is from.
        pair: A whole clip.
        kind: How.
        other: (S, 3) neck of another clip, for ``neck_exchanged``.
    """
    neck, motion = pair.neck, pair.motion
    if kind in ("mirrored", "face_mirrored") and clips.mirrored is not None:
        motion = clips.mirrored(pair.item)
    if kind in ("time_reversed", "face_reversed"):
        motion = motion[::-1].copy()
    if kind in ("time_reversed", "neck_reversed"):
        neck = neck[::-1].copy()
    if kind in ("mirrored", "neck_mirrored"):
        neck = mirrored_neck(neck)
    if kind == "neck_zeroed":
        neck = np.zeros_like(neck)
    if kind == "neck_exchanged":
        neck = other[np.minimum(np.arange(len(neck)), len(other) - 1)]
    return neck, motion


def shows(told: Told, kind: Alteration) -> bool:
    """Whether texts that tell so much no longer fit a motion altered like this."""
    if "neck" in kind and not told.head:
        return False
    if "mirrored" in kind:
        return told.side
    return told.order if "reversed" in kind else told.head


def text_pairs(clips: Clips, preset: Preset, items: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """Whole clips with a random subset of their text fields, in order."""
    pairs = []
    for item in items:
        fields = clips.conditions[item]
        kept = rng.random(len(fields)) >= preset.field_dropout
        kept[rng.integers(len(fields))] = True
        text = np.concatenate([field for field, keep in zip(fields, kept, strict=True) if keep])
        told = Told()
        for part, keep in zip(clips.told[item], kept, strict=True) if clips.told else ():
            told = told | part if keep else told
        pairs.append(Pair(item, clips.necks[item], clips.motion(item), text, told))
    return pairs


def audio_pairs(clips: Clips, preset: Preset, items: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """Random crops shared by speech and motion, of one length where clips allow."""
    wanted = int(rng.integers(preset.crop[0], preset.crop[1] + 1))
    pairs = []
    for item in items:
        length = min(wanted, clips.frames(item))
        start = int(rng.integers(clips.frames(item) - length + 1))
        part = slice(start, start + length)
        pairs.append(Pair(item, clips.necks[item][part], clips.motion(item)[part], clips.conditions[item][0][part]))
    return pairs


def batches(lengths: Sequence[int], batch: int, seed: int, first: int) -> Iterator[list[int]]:
    """Endless batches of clip indices, a function of the seed alone, from batch number ``first`` on.

    Each epoch is shuffled, then clips of about equal length are put together: less padding, and length gives nothing
    away.
    """
    per_epoch = max(1, len(lengths) // batch)
    epoch, skip = divmod(first, per_epoch)
    while True:
        yield from _epoch(lengths, batch, np.random.default_rng([seed, 1, epoch]))[skip:]
        epoch, skip = epoch + 1, 0


def _epoch(lengths: Sequence[int], batch: int, rng: np.random.Generator) -> list[list[int]]:
    order = rng.permutation(len(lengths))
    found: list[list[int]] = []
    for start in range(0, len(order), 8 * batch):
        pool = sorted(order[start : start + 8 * batch].tolist(), key=lambda item: lengths[item])
        found += [pool[i : i + batch] for i in range(0, len(pool), batch)]
    whole = [items for items in found if len(items) == batch] or [order.tolist()]
    return [whole[i] for i in rng.permutation(len(whole))]
