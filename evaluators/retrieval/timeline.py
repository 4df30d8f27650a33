"""Text and motion in one space, part by part: the whole clip, its beginning, its middle, its end.

An embedding is made of parts of equal length. The first is about the whole clip, read by a transformer. The others are
each about a stretch of it: means of local features under a soft window over the motion's time, and under the same
window over each text field, for texts tell things in order of time. Nothing else reaches them. So what comes first and
what last, left and right, head and face weigh as much as what happens at all, and all parts being of one length, a
motion that is wrong in one respect can be taught to be as far away as an altogether other one.

Imports torch: import this module inside functions only.

Source:
    Petrovich et al. 2023, TMR, for the contrast of two transformer encoders with a learned token; the parts are ours.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from evaluators.retrieval.layout import PLACE
from evaluators.retrieval.networks import sinusoids

_KERNEL, _LOCAL_KERNEL = 5, 3
_TINY = 1e-6
_WINDOW = 0.6
"""Half width of a part's window, in distances between parts."""


@dataclass(frozen=True)
class TimelineSizes:
    """Sizes of the two encoders."""

    motion_features: int
    """Coordinates a frame: three a face vertex."""
    condition_features: int
    """Width of a token's features, its place in the text left out."""
    head_pose: int = 6
    """Head-pose values a frame."""
    width: int = 112
    feed_forward: int = 224
    layers: int = 2
    heads: int = 4
    parts: int = 4
    """The whole, and this many less one stretches of time."""
    motion_stride: int = 4
    """Frames that become one step of the sequence."""
    condition_stride: int = 2
    """Tokens that become one step of the sequence."""
    phases: int = 3
    """Half waves over the clip that tell each step of the motion its place in it."""


class PartEncoder(nn.Module):
    """A sequence to the parts of its embedding."""

    def __init__(self, sizes: TimelineSizes, features: int, stride: int, head_pose: int = 0) -> None:
        super().__init__()
        width, own = sizes.width, sizes.width // sizes.parts
        self.stride, self.parts, self.phases = stride, sizes.parts, sizes.phases
        self.token = nn.Parameter(0.5 * torch.randn(1, width))
        self.projection = nn.Linear(features, width)
        if head_pose:
            self.headpose_projection = nn.Linear(head_pose, width)
            self.phase_projection = nn.Linear(2 * sizes.phases, width)
        self.stem = nn.Conv1d(width, width, _KERNEL, stride, padding=_KERNEL // 2)
        self.local = nn.Conv1d(width, width, _LOCAL_KERNEL, padding=_LOCAL_KERNEL // 2)
        layer = nn.TransformerEncoderLayer(width, sizes.heads, sizes.feed_forward, 0.0, "gelu", batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)
        self.outputs = nn.ModuleList(nn.Linear(width, own) for _ in range(sizes.parts))

    def forward(self, sequence: Tensor, mask: Tensor, time: Tensor, head_pose: Tensor | None = None) -> Tensor:
        """Encodes padded sequences.

        Args:
            sequence: (B, T, features).
            mask: (B, T), true where the sequence is real.
            time: (B, T), 0 to 1: where in the clip a frame lies, or in its text field a token.
            head_pose: (B, T, head pose), for motions.

        Returns:
            (B, width): the parts one after the other, each of length ``sqrt(width / parts)``.
        """
        hidden = self.projection(sequence)  # (B, T, width)
        if head_pose is not None:
            hidden = hidden + self.headpose_projection(head_pose)
        hidden = gelu(self.stem((hidden * mask[..., None]).mT)).mT  # (B, S, width)
        mask, time = mask[:, :: self.stride], time[:, :: self.stride]
        if head_pose is not None:
            hidden = hidden + self.phase_projection(_half_waves(time, self.phases))
        local = hidden + gelu(self.local((hidden * mask[..., None]).mT)).mT
        whole = torch.cat([self.token.expand(len(hidden), -1, -1), hidden], dim=1)
        whole = whole + sinusoids(whole.shape[1], whole.shape[2], whole.device)
        padded = torch.cat([mask.new_zeros(len(mask), 1), ~mask], dim=1)
        encoded = self.transformer(whole, src_key_padding_mask=padded)
        told = torch.cat([encoded[:, :1], _stretches(local, mask, time, self.parts - 1)], dim=1)
        parts = [normalize(output(told[:, part]), dim=-1) for part, output in enumerate(self.outputs)]
        scaled: Tensor = torch.cat(parts, dim=-1) * math.sqrt(whole.shape[2] / self.parts)
        return scaled


def _stretches(steps: Tensor, mask: Tensor, time: Tensor, count: int) -> Tensor:
    """Means of the steps (B, S, width) under ``count`` windows of time: (B, count, width)."""
    centres = (torch.arange(count, device=mask.device) + 0.5) / count
    window = torch.exp(-(((time[:, None] - centres[:, None]) * count / _WINDOW) ** 2)) * mask[:, None]  # (B, count, S)
    means: Tensor = window @ steps / window.sum(-1, keepdim=True).clamp_min(_TINY)
    return means


def _half_waves(time: Tensor, count: int) -> Tensor:
    """Sines and cosines of 1 to ``count`` half waves over the time (B, S) from 0 to 1: (B, S, 2 * count)."""
    angle = time[..., None] * (math.pi * torch.arange(1, count + 1, device=time.device))
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class TimelineNetwork(nn.Module):
    """Encoders of texts and of motions."""

    def __init__(self, sizes: TimelineSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.motion_encoder = PartEncoder(sizes, sizes.motion_features, sizes.motion_stride, sizes.head_pose)
        self.text_encoder = PartEncoder(sizes, sizes.condition_features, sizes.condition_stride)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.sizes.width

    def embed_condition(self, features: Tensor, mask: Tensor) -> Tensor:
        """Texts (B, L, condition features and place) as embeddings (B, dim); see ``layout.placed``."""
        embedded: Tensor = self.text_encoder(features[..., :-PLACE], mask, features[..., -1])
        return embedded

    def embed_motion(self, features: Tensor, mask: Tensor, head_pose: Tensor | None = None) -> Tensor:
        """Motions (B, T, motion features) with their head pose as embeddings (B, dim)."""
        time = (torch.arange(mask.shape[1], device=mask.device) + 0.5) / mask.sum(1, keepdim=True)
        embedded: Tensor = self.motion_encoder(features, mask, time, head_pose)
        return embedded
