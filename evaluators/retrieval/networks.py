"""The released retrieval networks: transformer encoders of motion and of text or audio, and a decoder.

Attributes carry the released names, so that released files load by key.

Imports torch: import this module inside functions only.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

TOKENS = 2
"""Learned tokens in front of every sequence: the mean and the log-variance of the latent."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of one pair of encoders and their decoder; the defaults are the released ones."""

    motion_features: int
    """Coordinates a frame: three a face vertex."""
    condition_features: int
    """Width of the frozen text or audio features."""
    head_pose: int = 0
    """Head-pose values a frame with their own projection; 0 where the motion encoder takes none, 3 as released."""
    latent: int = 256
    feed_forward: int = 1024
    layers: int = 6
    heads: int = 4
    head_pose_width: int = 56
    """Part of the latent width that the head pose's projection fills."""
    dropout: float = 0.1


def sinusoids(length: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Sinusoidal positions (Vaswani et al. 2017, section 3.5), sine and cosine interleaved: (length, width)."""
    position = torch.arange(length, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    return torch.stack([torch.sin(position * rate), torch.cos(position * rate)], dim=-1).flatten(1)


def _layer_options(sizes: Sizes) -> tuple[int, int, int, float, Literal["gelu"]]:
    return sizes.latent, sizes.heads, sizes.feed_forward, sizes.dropout, "gelu"


class Encoder(nn.Module):
    """A sequence to the mean and log-variance of its latent."""

    def __init__(self, sizes: Sizes, features: int, head_pose: int = 0) -> None:
        super().__init__()
        own_width = sizes.latent - (sizes.head_pose_width if head_pose else 0)
        self.tokens = nn.Parameter(torch.randn(TOKENS, sizes.latent))
        self.projection = nn.Linear(features, own_width)
        if head_pose:
            self.headpose_projection = nn.Linear(head_pose, sizes.head_pose_width)
        layer = nn.TransformerEncoderLayer(*_layer_options(sizes), batch_first=True)
        self.seqTransEncoder = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)

    def forward(self, sequence: Tensor, mask: Tensor, head_pose: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encodes padded sequences.

        Args:
            sequence: (B, T, features).
            mask: (B, T), true where the sequence is real.
            head_pose: (B, T, head pose), where the encoder takes it.

        Returns:
            Mean and log-variance, (B, latent) each.
        """
        projected = self.projection(sequence)
        if head_pose is not None:
            projected = torch.cat([projected, self.headpose_projection(head_pose)], dim=-1)
        whole = torch.cat([self.tokens.expand(len(sequence), -1, -1), projected], dim=1)  # (B, 2 + T, latent)
        whole = whole + sinusoids(whole.shape[1], whole.shape[2], whole.device)
        padded = torch.cat([mask.new_zeros(len(mask), TOKENS), ~mask], dim=1)
        encoded = self.seqTransEncoder(whole, src_key_padding_mask=padded)
        return encoded[:, 0], encoded[:, 1]


class Decoder(nn.Module):
    """A latent back to a motion, from positions alone: used in training, never in evaluation."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.latent = sizes.latent
        layer = nn.TransformerDecoderLayer(*_layer_options(sizes), batch_first=True)
        self.seqTransDecoder = nn.TransformerDecoder(layer, sizes.layers)
        self.final_layer = nn.Linear(sizes.latent, sizes.motion_features)
        if sizes.head_pose:
            self.final_layer_headpose = nn.Linear(sizes.latent, sizes.head_pose)

    def forward(self, latent: Tensor, mask: Tensor) -> tuple[Tensor, Tensor | None]:
        """Decodes latents.

        Args:
            latent: (B, latent).
            mask: (B, T), true for frames to decode; the others come back as zeros.

        Returns:
            Motion (B, T, motion features), and head pose (B, T, head pose) where there is one.
        """
        positions = sinusoids(mask.shape[1], self.latent, latent.device).expand(len(latent), -1, -1)
        decoded = self.seqTransDecoder(positions, latent[:, None], tgt_key_padding_mask=~mask)
        shown = mask[..., None]
        pose = self.final_layer_headpose(decoded) * shown if hasattr(self, "final_layer_headpose") else None
        return self.final_layer(decoded) * shown, pose


class RetrievalNetwork(nn.Module):
    """Motion encoder, condition encoder and decoder.

    The condition is text or audio: the released files call its encoder ``text_encoder`` in both cases.

    Source:
        Petrovich et al. 2023, TMR; Petrovich et al. 2021, ACTOR; MMHead (2024), figure 5.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.motion_encoder = Encoder(sizes, sizes.motion_features, sizes.head_pose)
        self.text_encoder = Encoder(sizes, sizes.condition_features)
        self.motion_decoder = Decoder(sizes)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.sizes.latent

    def embed_condition(self, features: Tensor, mask: Tensor) -> Tensor:
        """Mean latents (B, latent) of padded text or audio features (B, L, condition features)."""
        mean: Tensor = self.text_encoder(features, mask)[0]
        return mean

    def embed_motion(self, features: Tensor, mask: Tensor, head_pose: Tensor | None = None) -> Tensor:
        """Mean latents (B, latent) of padded motions (B, T, motion features)."""
        mean: Tensor = self.motion_encoder(features, mask, head_pose)[0]
        return mean
