"""What scoring asks of the retrieval encoders: embeddings of texts, speech and motions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmark.errors import InputError, Problem
from benchmark.features import AudioEncoder, TextEncoder
from benchmark.head import HeadModel
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from evaluators.retrieval._batches import embed_all
from evaluators.retrieval.layout import TextLayout, placed

if TYPE_CHECKING:
    import torch

    from evaluators.retrieval.networks import RetrievalNetwork
    from evaluators.retrieval.synchrony import SynchronyNetwork
    from evaluators.retrieval.timeline import TimelineNetwork

RELEASED_FRAMES = 75
"""Frames that the released script shows the audio network: the first three seconds, whatever the clip's length."""


@dataclass(frozen=True)
class Statistics:
    """What the inputs of a network are normalised with: (x - mean) / std, a coordinate at a time."""

    mean: FloatArray
    """(n_face * 3,) metres."""
    std: FloatArray
    """(n_face * 3,) metres."""
    pose_scale: float = 1.0
    """The head pose is divided by this many radians."""
    condition_mean: FloatArray | float = 0.0
    """(d,) of the frozen features."""
    condition_std: FloatArray | float = 1.0
    """(d,) of the frozen features."""

    @property
    def n_face(self) -> int:
        """Number of face vertices."""
        return len(self.mean) // 3

    def motion(self, vertices: FloatArray, where: str) -> FloatArray:
        """Face vertices (T, n_face, 3) in metres to features (T, n_face * 3). InputError for another vertex count."""
        if vertices.ndim != 3 or vertices.shape[1:] != (self.n_face, 3):
            expected, got = f"(T, {self.n_face}, 3)", str(vertices.shape)
            mend = "use the evaluators of this head, or the head of these evaluators"
            raise InputError(Problem("face vertices do not fit the evaluator", where, expected, got, mend))
        flat = vertices.reshape(len(vertices), -1)
        return np.asarray((flat - self.mean) / self.std, dtype=np.float32)

    def condition(self, features: FloatArray) -> FloatArray:
        """Frozen features (L, d), normalised."""
        return np.asarray((features - self.condition_mean) / self.condition_std, dtype=np.float32)

    def pose(self, neck: FloatArray, width: int) -> FloatArray:
        """Neck rotations (T, 3) in radians to head-pose features (T, width).

        They are kept as they are, or have their velocity beside them when ``width`` is 6: the difference to the frame
        before times 5, which brings it to the size of the pose.
        """
        scaled = np.asarray(neck, dtype=np.float32) / np.float32(self.pose_scale)
        if width == 3:
            return scaled
        velocity = 5 * np.diff(scaled, axis=0, prepend=scaled[:1])
        return np.concatenate([scaled, velocity], axis=1)


def condition_of_texts(
    encoder: TextEncoder, texts: Sequence[Texts], fields: Sequence[str], layout: TextLayout
) -> list[FloatArray]:
    """Token features (L, d) of each clip's texts.

    Args:
        encoder: Frozen text encoder.
        texts: Annotations.
        fields: Which of the five, in order.
        layout: See `TextLayout`.
    """
    if layout == "joined":
        return encoder.tokens([text.joined(fields) for text in texts])
    flat = [getattr(text, name).strip() for text in texts for name in fields]
    tokens = encoder.tokens(flat)
    if layout == "placed":
        tokens = [placed(part) for part in tokens]
    rows = [tokens[start : start + len(fields)] for start in range(0, len(flat), len(fields))]
    return [np.concatenate(row) for row in rows]


@dataclass(frozen=True)
class TextMotionEvaluator:
    """Texts and motions in one space: means of latents as released, or parts of one length (see `timeline`)."""

    id: str
    """Name in results."""
    sha256: str
    """Hash of everything an embedding depends on: weights, statistics, text encoder, fields."""
    network: "RetrievalNetwork | TimelineNetwork" = field(repr=False)
    encoder: TextEncoder = field(repr=False)
    statistics: Statistics = field(repr=False)
    text_fields: tuple[str, ...] = TEXT_FIELDS
    """The annotations it reads, in order."""
    layout: TextLayout = "joined"
    device: str = "cpu"

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.network.dim

    def embed_texts(self, texts: Sequence[Texts]) -> FloatArray:
        """Embeds clips' texts.

        Returns:
            (N, d) float32.
        """
        features = condition_of_texts(self.encoder, texts, self.text_fields, self.layout)
        sequences = ((self.statistics.condition(tokens),) for tokens in features)
        return embed_all(sequences, self._encode_text, self.device, self.dim)

    def embed_motions(self, motions: Iterable[tuple[FloatArray, FloatArray]]) -> FloatArray:
        """Embeds motions.

        Args:
            motions: Face vertices (T, n_face, 3) in metres with the neck at zero, and neck rotations (T, 3) in radians.

        Returns:
            (N, d) float32.

        Raises:
            InputError: Another number of face vertices than the evaluator's.
        """
        width = self.network.sizes.head_pose
        sequences = (
            (self.statistics.motion(vertices, self.id), self.statistics.pose(neck, width)) for vertices, neck in motions
        )
        return embed_all(sequences, self._encode_motion, self.device, self.dim)

    def _encode_text(self, inputs: "list[torch.Tensor]", mask: "torch.Tensor") -> "torch.Tensor":
        return self.network.embed_condition(inputs[0], mask)

    def _encode_motion(self, inputs: "list[torch.Tensor]", mask: "torch.Tensor") -> "torch.Tensor":
        return self.network.embed_motion(inputs[0], mask, inputs[1])


@dataclass(frozen=True)
class AudioMotionEvaluator:
    """Speech and motions in one space: means of latents as released, or codes of every frame (see `synchrony`)."""

    id: str
    """Name in results."""
    sha256: str
    """Hash of everything an embedding depends on: weights, statistics, neutral face, audio encoder."""
    network: "RetrievalNetwork | SynchronyNetwork" = field(repr=False)
    encoder: AudioEncoder = field(repr=False)
    statistics: Statistics = field(repr=False)
    neutral: FloatArray = field(repr=False)
    """(n_face, 3) metres: the face that the released script fills short clips with."""
    window: int | None = None
    """Frames it was trained on, 75 for the released network; None for whole clips."""
    device: str = "cpu"

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.network.dim

    def embed_audio(self, clips: Iterable[tuple[FloatArray, int]], *, as_released: bool = False) -> FloatArray:
        """Embeds clips' speech.

        Args:
            clips: Audio (S,) at 16 kHz and the clip's number of motion frames.
            as_released: Read exactly 48,000 samples of every clip, silence where it is shorter, and hide nothing.
                Otherwise read the clip's own frames, cut to ``window``.

        Returns:
            (N, d) float32.
        """
        sequences = (
            (self.statistics.condition(self.encoder.frames(audio, self._length(frames, as_released))),)
            for audio, frames in clips
        )
        return embed_all(sequences, self._encode_audio, self.device, self.dim)

    def embed_motions(self, vertices: Iterable[FloatArray], *, as_released: bool = False) -> FloatArray:
        """Embeds motions.

        Args:
            vertices: Face vertices (T, n_face, 3) in metres, neck at zero.
            as_released: Read exactly 75 frames of every clip, the neutral face where it is shorter, and hide nothing.
                Otherwise read the clip's own frames, cut to ``window``.

        Returns:
            (N, d) float32.

        Raises:
            InputError: Another number of face vertices than the evaluator's.
        """
        sequences = ((self.statistics.motion(self._fitted(clip, as_released), self.id),) for clip in vertices)
        return embed_all(sequences, self._encode_motion, self.device, self.dim)

    def _length(self, frames: int, as_released: bool) -> int:
        return RELEASED_FRAMES if as_released else min(frames, self.window or frames)

    def _fitted(self, vertices: FloatArray, as_released: bool) -> FloatArray:
        shown = vertices[: self._length(len(vertices), as_released)]
        short = RELEASED_FRAMES - len(shown) if as_released else 0
        if short <= 0 or vertices.shape[1:] != self.neutral.shape:
            return shown
        return np.concatenate([shown, np.broadcast_to(self.neutral, (short, *self.neutral.shape))])

    def _encode_audio(self, inputs: "list[torch.Tensor]", mask: "torch.Tensor") -> "torch.Tensor":
        return self.network.embed_condition(inputs[0], mask)

    def _encode_motion(self, inputs: "list[torch.Tensor]", mask: "torch.Tensor") -> "torch.Tensor":
        return self.network.embed_motion(inputs[0], mask)


@dataclass(frozen=True)
class EvaluatorSet:
    """The retrieval encoders a track is scored with."""

    id: str
    """Name in results: a shipped set's track id, or the user's folder."""
    text: TextMotionEvaluator
    audio: AudioMotionEvaluator | None
    """None on tracks without speech."""
    trained_on: str
    """Track id of its training data, or ``user``."""
    head_sha256: str | None
    """Head whose face vertices it reads; None for FLAME through a user's masks, of which only the size is checked."""

    @property
    def n_face(self) -> int:
        """Number of face vertices it reads."""
        return self.text.statistics.n_face

    def check_head(self, head: HeadModel) -> None:
        """Refuses a head whose face vertices mean something else to these encoders.

        Raises:
            InputError: Another head than it was trained with, or another number of face vertices.
        """
        problems = []
        mend = "score with the head of these evaluators, or train evaluators for this head"
        if self.head_sha256 is not None and head.sha256 != self.head_sha256:
            problems.append(
                Problem("evaluators were trained with another head", self.id, self.head_sha256, head.sha256, mend)
            )
        if len(head.face_ids) != self.n_face:
            problems.append(
                Problem("head has another face region", self.id, f"{self.n_face} vertices", str(len(head.face_ids)))
            )
        if problems:
            raise InputError(problems)
