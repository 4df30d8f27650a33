"""From motions to measurements: embeddings and vertex errors, one a clip and sample."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.predictions import Predictions
from benchmark.progress import Progress, no_progress
from benchmark.protocol import NECK, FloatArray
from evaluators.judge import CHUNK, Judge
from evaluators.metrics._arrays import Float64
from evaluators.metrics.fve import fve
from evaluators.metrics.lve import lve
from evaluators.truth import Embeddings, TruthSide, embed


@dataclass(frozen=True)
class Measured:
    """What the judge saw of K samples of N clips; every score derives from it."""

    embeddings: list[Embeddings]
    """K embeddings of the N motions."""
    lve_mm: Float64
    """(K, N) lip vertex error."""
    fve_mm: Float64
    """(K, N) face vertex error."""

    @property
    def motion(self) -> FloatArray:
        """(K, N, d) motions in the text-motion space."""
        return np.stack([sample.motion for sample in self.embeddings])

    @property
    def audio_motion(self) -> FloatArray | None:
        """(K, N, e) motions in the audio-motion space, None on tracks without audio."""
        found = [sample.audio_motion for sample in self.embeddings if sample.audio_motion is not None]
        return np.stack(found) if found else None


def measure_truth(judge: Judge, truth: TruthSide) -> Measured:
    """The real motions measured against themselves: their embeddings, and errors of zero."""
    zeros = np.zeros((1, len(judge.clip_ids)))
    return Measured([truth.embeddings], zeros, zeros)


def measure(judge: Judge, truth: TruthSide, predictions: Predictions, progress: Progress = no_progress) -> Measured:
    """Measures complete predictions against the truth.

    Args:
        judge: Clips, head, encoders and protocol.
        truth: The truth's side of the same judge.
        predictions: Valid motions of every clip and sample, see :attr:`Predictions.complete`.
        progress: Called as clips are done.
    """
    samples = range(predictions.samples)
    parts = [_measure_sample(judge, truth, predictions, sample, progress) for sample in samples]
    embeddings, lips, faces = zip(*parts, strict=True)
    return Measured(list(embeddings), np.stack(lips), np.stack(faces))


def _measure_sample(
    judge: Judge, truth: TruthSide, predictions: Predictions, sample: int, progress: Progress
) -> tuple[Embeddings, Float64, Float64]:
    motions = [predictions.array(sample, clip_id) for clip_id in judge.clip_ids]
    vertices = _vertex_reader(judge, motions, predictions.output)
    lips, faces = np.empty(len(motions)), np.empty(len(motions))

    def vertices_and_errors(index: int) -> FloatArray:
        """Vertices for the encoders; the errors are taken on the way, while the vertices are in memory."""
        generated = vertices(index)
        lips[index] = lve(generated, truth.vertices(index), judge.lip_columns)
        faces[index] = fve(generated, truth.vertices(index), judge.face_columns)
        return generated

    necks = [_judged_neck(judge, motion, predictions.output) for motion in motions]
    total = predictions.samples * len(motions)

    def report(stage: str, done: int, _total: int) -> None:
        progress(stage, sample * len(motions) + done, total)

    return embed(judge, vertices_and_errors, necks, report, "embedding the motions"), lips, faces


def _vertex_reader(judge: Judge, motions: list[FloatArray], output: str) -> Callable[[int], FloatArray]:
    """Gives region vertices of a clip by index; parameters are turned into vertices a chunk of clips at a time."""
    if output == "vertices":
        return motions.__getitem__
    kept: dict[int, FloatArray] = {}

    def vertices(index: int) -> FloatArray:
        if index not in kept:
            kept.clear()
            start = index - index % CHUNK
            chunk = judge.region_vertices(motions[start : start + CHUNK])
            kept.update(enumerate(chunk, start=start))
        return kept[index]

    return vertices


def _judged_neck(judge: Judge, motion: FloatArray, output: str) -> FloatArray:
    """Head pose the text encoder is shown of a prediction, (T, 3): none for meshes, none in the official protocol."""
    if output == "vertices" or judge.official:
        return np.zeros((len(motion), 3), dtype=np.float32)
    return np.ascontiguousarray(motion[:, NECK])
