"""Clips in the form retrieval networks are trained on: normalised face vertices, necks, frozen features."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.corpus import Corpus
from benchmark.features import AudioEncoder, TextEncoder
from benchmark.head import HeadModel
from benchmark.protocol import NECK, TEXT_FIELDS, FloatArray, Texts
from evaluators.retrieval.evaluator import Statistics
from evaluators.retrieval.presets import Alteration, Preset

Half = NDArray[np.float16]
_IN_MEMORY = 6 * 2**30
"""Bytes of vertex features up to which they are all kept in memory; beyond, a clip's are computed when asked for."""
_LEAST_STD = 1e-4
"""Metres: vertices that hardly move are not blown up to unit variance."""
POSE_SCALE = 0.1
"""Radians that make one unit of head pose."""
_CHUNK = 4096


def vertices_of(head: HeadModel, motion: FloatArray) -> FloatArray:
    """Face vertices (T, n_face, 3) in metres of FLAME parameters (T, 56), neck at zero."""
    import torch

    with torch.inference_mode():
        vertices: FloatArray = head.vertices(torch.from_numpy(motion), head.face_ids).cpu().numpy()
    return vertices


def vertex_statistics(head: HeadModel, motions: Sequence[FloatArray]) -> Statistics:
    """Mean and deviation of every coordinate of the face vertices over all frames, the deviation at least 0.1 mm.

    Args:
        head: Head model.
        motions: (T, 56) FLAME parameters each.
    """
    frames = np.concatenate(motions)
    total = np.zeros(len(head.face_ids) * 3)
    squares = np.zeros_like(total)
    reference = head.template[head.face_ids].reshape(-1).astype(np.float64)
    for start in range(0, len(frames), _CHUNK):
        moved = vertices_of(head, frames[start : start + _CHUNK]).reshape(-1, len(total)) - reference
        total += moved.sum(0)
        squares += np.square(moved).sum(0)
    mean = total / len(frames)
    std = np.sqrt(np.maximum(squares / len(frames) - mean**2, 0.0))
    return Statistics(
        mean=(reference + mean).astype(np.float32),
        std=np.maximum(std, _LEAST_STD).astype(np.float32),
        pose_scale=POSE_SCALE,
    )


@dataclass(frozen=True)
class Clips:
    """Clips of one split. All lists run in the same order."""

    ids: tuple[str, ...]
    motion: Callable[[int], Half]
    """Normalised face vertices (T, n_face * 3) of the clip at an index."""
    necks: list[FloatArray]
    """(T, 3) radians."""
    conditions: list[list[Half]]
    """Frozen features: (L, d) a text field, or one (T, d) of the speech."""

    def __len__(self) -> int:
        return len(self.ids)

    def frames(self, index: int) -> int:
        """Length of the clip at an index."""
        return len(self.necks[index])


def motion_features(
    head: HeadModel, motions: Sequence[FloatArray], statistics: Statistics, progress: Callable[[str], None]
) -> Callable[[int], Half]:
    """Normalised face vertices by clip index: from memory where they fit, else computed when asked for."""

    def compute(index: int) -> Half:
        return statistics.motion(vertices_of(head, motions[index]), "training").astype(np.float16)

    size = 2 * statistics.n_face * 3 * sum(map(len, motions))
    if size > _IN_MEMORY:
        progress(f"face vertices would take {size / 2**30:.0f} GiB: computing them as they are needed")
        return compute
    kept = [compute(index) for index in range(len(motions))]
    return kept.__getitem__


def text_conditions(
    encoder: TextEncoder, texts: Sequence[Texts], layout: str, progress: Callable[[str], None]
) -> list[list[Half]]:
    """Token features of each clip: one array a field, or one of the joined text."""
    conditions: list[list[Half]] = []
    for start in range(0, len(texts), 128):
        part = texts[start : start + 128]
        flat = [
            text
            for item in part
            for text in (
                [item.joined()] if layout == "joined" else [getattr(item, name).strip() for name in TEXT_FIELDS]
            )
        ]
        tokens = [features.astype(np.float16) for features in encoder.tokens(flat)]
        width = len(flat) // len(part)
        conditions += [tokens[row : row + width] for row in range(0, len(flat), width)]
        progress(f"text features: {start + len(part)} of {len(texts)} clips")
    return conditions


def audio_conditions(
    encoder: AudioEncoder, corpus: Corpus, ids: Sequence[str], frames: Sequence[int], progress: Callable[[str], None]
) -> list[list[Half]]:
    """Speech features of each clip, one a motion frame, not normalised."""
    conditions = []
    for index, (clip_id, length) in enumerate(zip(ids, frames, strict=True), start=1):
        conditions.append([encoder.frames(corpus.audio(clip_id), length).astype(np.float16)])
        if index % 500 == 0 or index == len(ids):
            progress(f"audio features: {index} of {len(ids)} clips")
    return conditions


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
    """Random crops shared by speech and motion; the last ones repeat the first clips at another time.

    A repeated crop lies at least 4 and at most 20 frames from the first one of its clip and is as long.
    """
    twice = round(preset.shifted * len(items))
    crops: list[tuple[int, int, int]] = []
    for item in items[: len(items) - twice]:
        longest = max(1, min(preset.crop[1], clips.frames(item) - (4 if len(crops) < twice else 0)))
        length = int(rng.integers(min(preset.crop[0], longest), longest + 1))
        start = int(rng.integers(clips.frames(item) - length + 1))
        crops.append((item, start, length))
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


def load_clips(
    corpus: Corpus,
    ids: Sequence[str],
    head: HeadModel,
    statistics: Statistics | None,
    conditions: Callable[[Sequence[str], Sequence[int]], list[list[Half]]],
    progress: Callable[[str], None],
) -> tuple[Clips, Statistics]:
    """Reads and prepares clips.

    Args:
        corpus: Where they lie.
        ids: Which.
        head: Head model of the vertices.
        statistics: Normalisation; taken from these clips when None.
        conditions: Frozen features of clips of given ids and lengths.
        progress: Told what happens.

    Returns:
        The clips and the normalisation used.
    """
    motions = [corpus.motion(clip_id) for clip_id in ids]
    if statistics is None:
        statistics = vertex_statistics(head, motions)
    progress(f"face vertices of {len(ids)} clips")
    clips = Clips(
        ids=tuple(ids),
        motion=motion_features(head, motions, statistics, progress),
        necks=[np.ascontiguousarray(motion[:, NECK]) for motion in motions],
        conditions=conditions(ids, [len(motion) for motion in motions]),
    )
    return clips, statistics


def text_source(corpus: Corpus, encoder: TextEncoder, layout: str, progress: Callable[[str], None]) -> "Source":
    """Conditions of texts, for `load_clips`."""

    def conditions(ids: Sequence[str], frames: Sequence[int]) -> list[list[Half]]:  # noqa: ARG001
        return text_conditions(encoder, [corpus.texts(clip_id) for clip_id in ids], layout, progress)

    return conditions


def audio_source(corpus: Corpus, encoder: AudioEncoder, progress: Callable[[str], None]) -> "Source":
    """Conditions of speech, for `load_clips`."""
    return partial(audio_conditions, encoder, corpus, progress=progress)


Source = Callable[[Sequence[str], Sequence[int]], list[list[Half]]]
