"""A batch of clips as tensors: what every reference model is trained on and asked with.

Imports torch: import this module inside functions only.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

RATE = 4
"""Frames a motion token; batches are padded to whole tokens."""


@dataclass(frozen=True)
class Batch:
    """Clips padded to one length, with the frozen features of their texts and speech."""

    frames: Tensor
    """(B,) int64: length of each clip."""
    text: Tensor
    """(B, L, d_text): token features of the five texts, encoded one by one, in order: the hierarchical texts."""
    text_field: Tensor
    """(B, L) int64: which of the five texts a token is of, 0 to 4; -1 where there is none."""
    full: Tensor
    """(B, M, d_text): token features of the five texts encoded as one: the full text."""
    full_mask: Tensor
    """(B, M) bool: True where there is a token."""
    audio: Tensor | None
    """(B, T, d_audio): features of the speech, one a motion frame; None without speech."""
    motion: Tensor | None = None
    """(B, T, 56) float32: the true FLAME parameters, zero beyond the end; None where they are asked for."""
    padded: int = 0
    """T: frames of the longest clip, rounded up to a multiple of four."""

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: True where there is a frame."""
        return length_mask(self.frames, self.padded)

    @property
    def tokens(self) -> Tensor:
        """(B,) int64: motion tokens of each clip, the last one perhaps of fewer than four frames."""
        return (self.frames + RATE - 1) // RATE

    @property
    def text_mask(self) -> Tensor:
        """(B, L) bool: True where there is a token."""
        return self.text_field >= 0

    @property
    def sentence(self) -> Tensor:
        """(B, d_text): mean of the full text's token features."""
        return masked_mean(self.full, self.full_mask)

    @property
    def sentences(self) -> Tensor:
        """(B, 5, d_text): mean of each text's token features; zeros for an empty text."""
        return torch.stack([masked_mean(self.text, self.text_field == field) for field in range(5)], dim=1)

    def __len__(self) -> int:
        return len(self.frames)

    def asked(self) -> "Batch":
        """The same batch without its motions, as a generator is asked."""
        return replace(self, motion=None)


def length_mask(lengths: Tensor, padded: int) -> Tensor:
    """(B, padded) bool: True at the first ``lengths`` positions of each row."""
    return torch.arange(padded, device=lengths.device) < lengths[:, None]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(B, d): mean over the positions (B, L, d) where the mask (B, L) is True; zeros where it never is."""
    weight = mask[..., None].to(values.dtype)
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1)


def clip_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over a clip's valid frames, then over clips, so that each clip weighs the same.

    Args:
        values: (B, T, ...): one number or several a frame.
        mask: (B, T) bool.

    Returns:
        A scalar.
    """
    per_frame = values.flatten(2).mean(2) if values.dim() > 2 else values
    return masked_mean(per_frame[..., None], mask).mean()
