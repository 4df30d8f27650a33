"""Clips in the form retrieval networks are trained on, and the batches drawn from them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import FloatArray
from evaluators.retrieval.presets import Alteration, Preset

Half = NDArray[np.float16]


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

    def __len__(self) -> int:
        return len(self.ids)

    def frames(self, index: int) -> int:
        """Length of the clip at an index."""
        return len(self.necks[index])


def altered(neck: FloatArray, motion: Half, kind: Alteration) -> tuple[FloatArray, Half]:
    """A motion changed in one way: neck (T, 3) and motion features (T, D)."""
    if kind == "neck_zeroed":
        return np.zeros_like(neck), motion
    if kind == "neck_mirrored":  # pitch stays, yaw and roll change sides
        return neck * np.array([1, -1, -1], dtype=neck.dtype), motion
    return neck[::-1].copy(), motion[::-1].copy()


Pair = tuple[FloatArray, Half, Half]
"""Neck (T, 3), motion features (T, D), condition (L, d)."""


def text_pairs(clips: Clips, preset: Preset, items: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """Whole clips with a random subset of their text fields, in order."""
    pairs = []
    for item in items:
        fields = clips.conditions[item]
        kept = rng.random(len(fields)) >= preset.field_dropout
        kept[rng.integers(len(fields))] = True
        text = np.concatenate([field for field, keep in zip(fields, kept, strict=True) if keep])
        pairs.append((clips.necks[item], clips.motion(item), text))
    return pairs


def audio_pairs(clips: Clips, preset: Preset, items: Sequence[int], rng: np.random.Generator) -> list[Pair]:
    """Random crops shared by speech and motion, of one length where clips allow; the last repeat the first clips.

    A repeated crop lies at least 4 and at most 20 frames from the first one of its clip and is as long.
    """
    twice = round(preset.shifted * len(items))
    wanted = int(rng.integers(preset.crop[0], preset.crop[1] + 1))
    crops: list[tuple[int, int, int]] = []
    for item in items[: len(items) - twice]:
        length = max(1, min(wanted, clips.frames(item) - (4 if len(crops) < twice else 0)))
        crops.append((item, int(rng.integers(clips.frames(item) - length + 1)), length))
    for item, start, length in crops[:twice]:
        starts = np.arange(clips.frames(item) - length + 1)
        away = np.abs(starts - start)
        allowed = starts[(away >= 4) & (away <= 20)]
        if len(allowed):
            crops.append((item, int(rng.choice(allowed)), length))
    pairs = []
    for item, start, length in crops:
        part = slice(start, start + length)
        pairs.append((clips.necks[item][part], clips.motion(item)[part], clips.conditions[item][0][part]))
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
