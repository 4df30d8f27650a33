"""Clips of a corpus made ready for training: face vertices normalised, texts and speech through frozen encoders."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.corpus import Corpus
from benchmark.features import AudioEncoder, TextEncoder
from benchmark.head import HeadModel
from benchmark.protocol import NECK, TEXT_FIELDS, FloatArray, Texts
from evaluators.retrieval.concerns import names_a_side, tells_an_order, tells_of_the_head
from evaluators.retrieval.data import Clips, Half, Told
from evaluators.retrieval.evaluator import Statistics
from evaluators.retrieval.layout import placed
from evaluators.retrieval.mirror import mirror_columns, mirrored_vertices

Matrix = NDArray[np.float32]
Normalisation = tuple[Statistics, Matrix | None]
"""Of motions: vertex statistics and, where there is one, the basis."""
Source = Callable[[Sequence[str], Sequence[int]], list[list[Half]]]
"""Gives the frozen features of clips of given ids and lengths."""
Say = Callable[[str], None]

_IN_MEMORY = 6 * 2**30
"""Bytes of motion features up to which they are all kept in memory; beyond, a clip's are computed when asked for."""
_LEAST_STD = 1e-4
"""Metres: vertices that hardly move are not blown up to unit variance."""
POSE_SCALE = 0.1
"""Radians that make one unit of head pose."""
_CHUNK = 4096
_BASIS_FRAMES = 6000
_LEAST_SCALE = 0.003
"""Components with less than this share of the first one's deviation are rounding, not motion."""


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


def motion_basis(
    head: HeadModel, motions: Sequence[FloatArray], statistics: Statistics, components: int, seed: int
) -> Matrix:
    """Principal components of normalised face vertices, scaled so that coordinates along them have unit variance.

    Vertices are nearly linear in some fifty parameters. A network trained on the coordinates is the same network on
    vertices once its first matrix is multiplied by the basis, and far cheaper to train.

    Args:
        head: Head model.
        motions: (T, 56) FLAME parameters each.
        statistics: Normalisation of the vertices.
        components: Number of components k at most.
        seed: Of the frames they are estimated from.

    Returns:
        (n_face * 3, k): normalised vertices times this are the coordinates.
    """
    import torch

    frames = np.concatenate(motions)
    chosen = np.random.default_rng([seed, 3]).permutation(len(frames))[:_BASIS_FRAMES]
    features = torch.from_numpy(statistics.motion(vertices_of(head, frames[np.sort(chosen)]), "training"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, values, vectors = torch.svd_lowrank(features, q=min(components + 16, *features.shape), niter=4)
    scale = (values / len(features) ** 0.5)[:components]
    kept = scale > _LEAST_SCALE * scale[0]
    basis: Matrix = (vectors[:, : len(scale)][:, kept] / scale[kept]).numpy()
    return basis


def motion_features(
    head: HeadModel, motions: Sequence[FloatArray], normalisation: Normalisation, progress: Say, *, mirror: bool = False
) -> Callable[[int], Half]:
    """Motion features, or those of mirrored faces, by clip index: from memory where they fit, else made when asked."""
    statistics, basis = normalisation
    columns, neutral = mirror_columns(head) if mirror else None, head.template[head.face_ids].astype(np.float32)

    def compute(index: int) -> Half:
        vertices = vertices_of(head, motions[index])
        if columns is not None:
            vertices = mirrored_vertices(vertices, neutral, columns)
        features = statistics.motion(vertices, "training")
        return (features if basis is None else features @ basis).astype(np.float16)

    width = statistics.n_face * 3 if basis is None else basis.shape[1]
    size = 2 * width * sum(map(len, motions))
    if size > _IN_MEMORY:
        progress(f"face vertices would take {size / 2**30:.0f} GiB: computing them as they are needed")
        return compute
    kept = [compute(index) for index in range(len(motions))]
    return kept.__getitem__


def text_conditions(encoder: TextEncoder, texts: Sequence[Texts], layout: str, progress: Say) -> list[list[Half]]:
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
        width = len(flat) // len(part)
        tokens = [
            (placed(features) if layout == "placed" else features).astype(np.float16)
            for features in encoder.tokens(flat)
        ]
        conditions += [tokens[row : row + width] for row in range(0, len(flat), width)]
        progress(f"text features: {start + len(part)} of {len(texts)} clips")
    return conditions


def audio_conditions(
    encoder: AudioEncoder, corpus: Corpus, ids: Sequence[str], frames: Sequence[int], progress: Say
) -> list[list[Half]]:
    """Speech features of each clip, one a motion frame, not normalised."""
    conditions = []
    for index, (clip_id, length) in enumerate(zip(ids, frames, strict=True), start=1):
        conditions.append([encoder.frames(corpus.audio(clip_id), length).astype(np.float16)])
        if index % 500 == 0 or index == len(ids):
            progress(f"audio features: {index} of {len(ids)} clips")
    return conditions


def load_clips(
    corpus: Corpus,
    ids: Sequence[str],
    head: HeadModel,
    normalisation: Normalisation | Callable[[Sequence[FloatArray]], Normalisation],
    conditions: Source,
    progress: Say,
    told: Callable[[Sequence[str]], list[tuple[Told, ...]]] | None = None,
) -> tuple[Clips, Normalisation]:
    """Reads and prepares clips.

    Args:
        corpus: Where they lie.
        ids: Which.
        head: Head model of the vertices.
        normalisation: Of the motions, or how to take it from these.
        conditions: Frozen features of clips of given ids and lengths.
        progress: Told what happens.
        told: What the texts of clips tell, for training against altered motions; None for none.

    Returns:
        The clips and the normalisation used.
    """
    motions = [corpus.motion(clip_id) for clip_id in ids]
    progress(f"face vertices of {len(ids)} clips")
    if callable(normalisation):
        normalisation = normalisation(motions)
    clips = Clips(
        ids=tuple(ids),
        motion=motion_features(head, motions, normalisation, progress),
        necks=[np.ascontiguousarray(motion[:, NECK]) for motion in motions],
        conditions=conditions(ids, [len(motion) for motion in motions]),
        mirrored=motion_features(head, motions, normalisation, progress, mirror=True) if told else None,
        told=told(ids) if told else [],
    )
    return clips, normalisation


def text_source(corpus: Corpus, encoder: TextEncoder, layout: str, progress: Say) -> Source:
    """Conditions of texts, for `load_clips`."""

    def conditions(ids: Sequence[str], frames: Sequence[int]) -> list[list[Half]]:  # noqa: ARG001
        return text_conditions(encoder, [corpus.texts(clip_id) for clip_id in ids], layout, progress)

    return conditions


def told_by(texts: Texts) -> tuple[Told, ...]:
    """What each of a clip's five texts tells."""
    parts = [
        Texts(**{name: getattr(texts, name) if name == field else "" for name in TEXT_FIELDS}) for field in TEXT_FIELDS
    ]
    return tuple(Told(names_a_side(part), tells_an_order(part), tells_of_the_head(part)) for part in parts)


def audio_source(corpus: Corpus, encoder: AudioEncoder, progress: Say) -> Source:
    """Conditions of speech, for `load_clips`."""
    return partial(audio_conditions, encoder, corpus, progress=progress)
