"""What a submission must know, and all it may know: conditions go in, motions come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FPS = 25
"""Frames a second of every motion."""
SAMPLE_RATE = 16_000
"""Samples a second of every audio signal."""
MAX_FRAMES = 200
"""Longest clip of MMHead, in frames."""
PARAMETERS = 56
"""FLAME parameters a frame: 50 expression, 3 neck and 3 jaw (axis-angle, radians)."""
EXPRESSION, NECK, JAW = slice(0, 50), slice(50, 53), slice(53, 56)
TEXT_FIELDS = ("action", "emotion", "detail_expression", "detail_head_pose", "emotion_scenario")


@dataclass(frozen=True)
class Texts:
    """The five annotations of one clip, in MMHead's order."""

    action: str
    """Abstract action, one sentence."""
    emotion: str
    """Abstract emotion, one sentence."""
    detail_expression: str
    """Facial movements in order of time."""
    detail_head_pose: str
    """Head movements in order of time."""
    emotion_scenario: str
    """Three scenarios that may cause the emotion."""

    def joined(self, fields: Sequence[str] = TEXT_FIELDS) -> str:
        """The chosen fields as one text, in the given order, separated by one space."""
        return " ".join(text for field in fields if (text := getattr(self, field).strip()))


@dataclass(frozen=True)
class Condition:
    """Everything a generator is told about the clip it has to make."""

    clip_id: str
    texts: Texts
    audio: FloatArray | None
    """Mono speech, (S,) float32 in [-1, 1] at 16 kHz, or None on tracks without audio."""
    frames: int
    """Length of the motion to return: a motion of any other length is an error."""
    fps: int = FPS


@dataclass(frozen=True)
class Motion:
    """One generated motion: FLAME parameters, or the face region's vertices for mesh methods. Exactly one is set."""

    parameters: FloatArray | None = None
    """(T, 56) float32: 50 expression, 3 neck, 3 jaw (axis-angle, radians)."""
    vertices: FloatArray | None = None
    """(T, n_region, 3) float32, metres, zero shape, neck at zero: the head's face and lip vertices, ids ascending."""

    def __post_init__(self) -> None:
        if (self.parameters is None) == (self.vertices is None):
            raise ValueError("a Motion holds either parameters or vertices, exactly one of them")

    @property
    def array(self) -> FloatArray:
        """Whichever of the two is set, time first."""
        array = self.parameters if self.parameters is not None else self.vertices
        assert array is not None
        return array


@dataclass(frozen=True)
class TrainingClip:
    """One clip of a track's training split, for submissions whose card says ``needs_training_clips = true``."""

    clip_id: str
    texts: Texts
    parameters: FloatArray
    """(T, 56) float32."""


@runtime_checkable
class Generator(Protocol):
    """What a code submission's entry must build.

    The entry is called once in the submission's own process: without arguments, or by keyword with
    ``training_clips=Sequence[TrainingClip]`` when the card says ``needs_training_clips = true``, and with
    ``track="mini/talking@1"``, the id of the track it is asked on, when the card says ``needs_track = true``.
    """

    def generate(self, conditions: Sequence[Condition], seed: int) -> Sequence[Motion | None]:
        """One motion per condition, in order, each of exactly ``condition.frames`` frames.

        None in place of a motion declares that the generator abstains from that clip.

        Args:
            conditions: A batch of conditions. The harness chooses its size.
            seed: Seed of this sample and batch; the same seed must give the same motions.
        """
        ...
