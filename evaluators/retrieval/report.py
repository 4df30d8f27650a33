"""How well retrieval encoders find what belongs together, and what they are blind to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmark.corpus import Corpus
from benchmark.head import HeadModel
from benchmark.protocol import NECK, FloatArray
from evaluators.metrics.distances import euclidean
from evaluators.metrics.r_precision import GALLERY, expected_r_precision, full_gallery_ranks
from evaluators.retrieval.card import RetrievalScores
from evaluators.retrieval.preparation import vertices_of

if TYPE_CHECKING:
    from evaluators.retrieval.evaluator import AudioMotionEvaluator, TextMotionEvaluator

SHIFT_FRAMES = 5
"""0.2 s, as of the shifted control."""


def retrieval_report(queries: FloatArray, items: FloatArray) -> RetrievalScores:
    """Scores of queries against items by Euclidean distance.

    Args:
        queries: (N, d) embeddings.
        items: (N, d) embeddings; the item of query i is item i.
    """
    distances = euclidean(queries, items)
    ranks = full_gallery_ranks(distances)
    in_gallery = [
        float(expected_r_precision(distances, k).mean()) if len(distances) >= GALLERY else None for k in (1, 2, 3)
    ]
    return RetrievalScores(
        n=len(distances),
        r_precision_1=in_gallery[0],
        r_precision_2=in_gallery[1],
        r_precision_3=in_gallery[2],
        full_r_precision_1=float(np.mean(ranks < 1.5)),
        median_rank=float(np.median(ranks)),
    )


def _neck_zeroed(motion: FloatArray) -> FloatArray:
    changed = motion.copy()
    changed[:, NECK] = 0
    return changed


def _neck_mirrored(motion: FloatArray) -> FloatArray:
    changed = motion.copy()
    changed[:, NECK] *= np.array([1, -1, -1], dtype=np.float32)
    return changed


def _time_reversed(motion: FloatArray) -> FloatArray:
    return motion[::-1].copy()


def _shifted(motion: FloatArray) -> FloatArray:
    return motion[np.maximum(np.arange(len(motion)) - SHIFT_FRAMES, 0)]


def _static(motion: FloatArray) -> FloatArray:
    return np.broadcast_to(motion.mean(0), motion.shape).copy()


Change = Callable[[FloatArray], FloatArray]
TEXT_PROBES: dict[str, Change] = {
    "neck_zeroed": _neck_zeroed,
    "neck_mirrored": _neck_mirrored,
    "time_reversed": _time_reversed,
    "static": _static,
}
AUDIO_PROBES: dict[str, Change] = {"shifted_0.2s": _shifted, "time_reversed": _time_reversed, "static": _static}


def text_scores(
    evaluator: "TextMotionEvaluator", corpus: Corpus, ids: Sequence[str], head: HeadModel, changes: dict[str, Change]
) -> dict[str, RetrievalScores]:
    """Scores of texts as queries among motions, for each way of changing all motions.

    Args:
        evaluator: The network.
        corpus: Where the clips lie.
        ids: The clips.
        head: Head of the vertices.
        changes: By name; each gets FLAME parameters (T, 56) and gives as many.
    """
    queries = evaluator.embed_texts([corpus.texts(clip_id) for clip_id in ids])
    motions = [corpus.motion(clip_id) for clip_id in ids]
    scores = {}
    for name, change in changes.items():
        changed = (change(motion) for motion in motions)
        items = evaluator.embed_motions(
            (vertices_of(head, motion), np.ascontiguousarray(motion[:, NECK])) for motion in changed
        )
        scores[name] = retrieval_report(queries, items)
    return scores


def audio_scores(
    evaluator: "AudioMotionEvaluator", corpus: Corpus, ids: Sequence[str], head: HeadModel, changes: dict[str, Change]
) -> dict[str, RetrievalScores]:
    """Scores of motions as queries among speech, for each way of changing all motions; see `text_scores`."""
    motions = [corpus.motion(clip_id) for clip_id in ids]
    items = evaluator.embed_audio(
        (corpus.audio(clip_id), len(motion)) for clip_id, motion in zip(ids, motions, strict=True)
    )
    return {
        name: retrieval_report(evaluator.embed_motions(vertices_of(head, change(motion)) for motion in motions), items)
        for name, change in changes.items()
    }


def unchanged(motion: FloatArray) -> FloatArray:
    """The truth."""
    return motion
