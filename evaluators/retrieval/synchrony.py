"""Frame by frame: does this mouth move to this sound, now?

Speech and face each become a few numbers a frame, made from a quarter of a second around it. Their mean over the clip
is taken off, which takes voice, person and mood with it, and what is left is laid out frame after frame as one long
embedding: its distance tells how well the two go together in time. A late mouth is as wrong as another one's, and a
still one is as far from every speech.

Imports torch: import this module inside functions only.

Source:
    Chung & Zisserman 2016, "Out of time" (SyncNet), for contrast against the own clip at another time; the rest is
    ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from benchmark.protocol import MAX_FRAMES

_KERNEL = 5
_SILENT = 1e-3
"""Length of a clip's codes below which they are rounding: speech that never changes."""


@dataclass(frozen=True)
class SynchronySizes:
    """Sizes of the two encoders."""

    motion_features: int
    """Coordinates a frame: three a face vertex."""
    condition_features: int
    """Width of the frozen audio features."""
    width: int = 96
    layers: int = 3
    code: int = 16
    """Numbers a frame that are compared."""


class FrameEncoder(nn.Module):
    """Residual convolutions over time at full rate, the first and last frame held beyond the ends."""

    def __init__(self, sizes: SynchronySizes, features: int) -> None:
        super().__init__()
        self.projection = nn.Linear(features, sizes.width)
        self.convolutions = nn.ModuleList(nn.Conv1d(sizes.width, sizes.width, _KERNEL) for _ in range(sizes.layers))
        self.output = nn.Linear(sizes.width, sizes.code)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Codes of padded sequences.

        Args:
            sequence: (B, T, features).
            mask: (B, T), true where the sequence is real.

        Returns:
            (B, T, code), of mean zero over each clip's real frames, and zero at the others.
        """
        length = mask.sum(1)
        hidden = self.projection(sequence)  # (B, T, width)
        for convolution in self.convolutions:
            around = pad(_held(gelu(hidden), length).mT, (_KERNEL // 2, _KERNEL // 2), mode="replicate")
            hidden = hidden + convolution(around).mT
        code = self.output(gelu(hidden)) * mask[..., None]
        mean = code.sum(1, keepdim=True) / length[:, None, None]
        centred: Tensor = (code - mean) * mask[..., None]
        return centred


def _held(sequence: Tensor, length: Tensor) -> Tensor:
    """(B, T, D) with the last real frame in place of everything after it."""
    frame = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.minimum(frame[None], length[:, None] - 1)
    return torch.gather(sequence, 1, index[..., None].expand_as(sequence))


class SynchronyNetwork(nn.Module):
    """Encoders of speech and of face motion, and the embeddings made of their codes."""

    def __init__(self, sizes: SynchronySizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.motion_encoder = FrameEncoder(sizes, sizes.motion_features)
        self.audio_encoder = FrameEncoder(sizes, sizes.condition_features)

    @property
    def dim(self) -> int:
        """Width of an embedding: a code for each frame of the longest clip."""
        return MAX_FRAMES * self.sizes.code

    def embed_condition(self, features: Tensor, mask: Tensor) -> Tensor:
        """Speech (B, T, condition features) as embeddings (B, dim) of length one; frames beyond the 200th are cut."""
        return _laid_out(unit(self.audio_encoder(features[:, :MAX_FRAMES], mask[:, :MAX_FRAMES])), self.dim)

    def embed_motion(self, features: Tensor, mask: Tensor, head_pose: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Motions (B, T, motion features) as embeddings (B, dim); a still face is the zero vector.

        They are scaled by the clip's number of frames, not by their own length: a mouth that moves half as much is
        half as far along.
        """
        mask = mask[:, :MAX_FRAMES]
        return _laid_out(per_frame(self.motion_encoder(features[:, :MAX_FRAMES], mask), mask), self.dim)


def unit(code: Tensor) -> Tensor:
    """Codes (B, T, code) scaled to length one over the whole clip."""
    scaled: Tensor = code / code.flatten(1).norm(dim=1).clamp_min(_SILENT)[:, None, None]
    return scaled


def per_frame(code: Tensor, mask: Tensor) -> Tensor:
    """Codes (B, T, code) over the root of each clip's number of frames, from the mask (B, T)."""
    scaled: Tensor = code / mask.sum(1).sqrt()[:, None, None]
    return scaled


def _laid_out(code: Tensor, dim: int) -> Tensor:
    flat = code.flatten(1)
    return pad(flat, (0, dim - flat.shape[1]))


def synchrony_loss(
    network: SynchronyNetwork,
    motion: Tensor,
    audio: Tensor,
    mask: Tensor,
    shifts: list[int],
    temperature: float,
    pull: float,
) -> Tensor:
    """Contrast of each motion's own speech with other clips' and with itself at other times.

    Args:
        network: In training.
        motion: (B, T, motion features), crops of one length where clips allow.
        audio: (B, T, condition features).
        mask: (B, T).
        shifts: Frames by which the own speech comes late, and early, to be told apart.
        temperature: Divides squared distances.
        pull: Weight of the own pair's squared distance: without it a larger motion would be nearer to everything.
    """
    moved = per_frame(network.motion_encoder(motion, mask), mask)
    codes = network.audio_encoder(audio, mask)
    query, items = moved.flatten(1), unit(codes).flatten(1)
    own = (query - items).square().sum(1)
    logits = -_squared(query, items) / temperature
    late = [_moved(codes, sign * shift) for shift in shifts for sign in (1, -1)]
    wrong = [-(query - unit(code * mask[..., None]).flatten(1)).square().sum(1) / temperature for code in late]
    rows = torch.cat([logits, *(column[:, None] for column in wrong)], dim=1)
    target = torch.arange(len(query), device=query.device)
    cross = nn.functional.cross_entropy
    return 0.5 * (cross(rows, target) + cross(logits.mT, target)) + pull * own.mean()


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.mT


def _moved(code: Tensor, frames: int) -> Tensor:
    """Codes (B, T, code) that many frames later, zeros before; earlier where negative."""
    if frames > 0:
        return pad(code, (0, 0, frames, 0))[:, : code.shape[1]]
    return pad(code, (0, 0, 0, -frames))[:, -frames:]
