"""What a score is taken with: the clips, the head, the encoders and the protocol, gathered once for a track."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.corpus import Corpus
from benchmark.head import HeadModel
from benchmark.protocol import NECK, FloatArray
from benchmark.tracks import Track
from evaluators.result import Protocol
from evaluators.retrieval import EvaluatorSet, TextMotionEvaluator

CHUNK = 32
"""Clips whose vertices are in memory at once."""


@dataclass(frozen=True)
class Judge:
    """Everything that turns motions into numbers, the same for the truth and for every submission."""

    track: Track
    corpus: Corpus
    split: str
    clip_ids: tuple[str, ...]
    """Clips in frozen order."""
    frames: tuple[int, ...]
    """Their lengths."""
    head: HeadModel
    evaluators: EvaluatorSet
    protocol: Protocol
    device: str = "cpu"

    @property
    def text_encoder(self) -> TextMotionEvaluator:
        """The text-motion encoder."""
        return self.evaluators.text

    @property
    def official(self) -> bool:
        """Whether the released code's behaviour is reproduced, quirks included."""
        return self.protocol == "official"

    @property
    def face_columns(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where the face vertices stand among the region's vertices."""
        return np.searchsorted(self.head.region_ids, self.head.face_ids)

    @property
    def lip_columns(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where the lip vertices stand among the region's vertices."""
        return np.searchsorted(self.head.region_ids, self.head.lip_ids)

    def region_vertices(self, motions: Sequence[FloatArray]) -> list[FloatArray]:
        """Vertices of the face and lip region in metres, neck and shape zero.

        Args:
            motions: (T, 56) FLAME parameters, any lengths.

        Returns:
            One (T, n_region, 3) float32 array a motion.
        """
        import torch

        with torch.inference_mode():
            stacked = torch.from_numpy(np.concatenate(motions)).to(self.device)
            vertices = self.head.vertices(stacked, self.head.region_ids)
            flat = vertices.cpu().numpy()
        return np.split(flat, np.cumsum([len(motion) for motion in motions])[:-1])


def chunks(n: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover ``range(n)`` in order."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def neck_of(motion: FloatArray) -> FloatArray:
    """Head pose of one motion, (T, 3) radians."""
    return np.ascontiguousarray(motion[:, NECK])
