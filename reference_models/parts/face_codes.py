"""Stage 1 of CodeTalker: every frame of a face as a few codes of one codebook.

Source:
    Xing et al. 2023 (CodeTalker), section 3.1.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, leaky_relu

from reference_models.batch import Batch, clip_mean, length_mask
from reference_models.data import Clips
from reference_models.parts.attention import Attention, FeedForward, sinusoids
from reference_models.parts.face_target import FaceTarget, Output
from reference_models.parts.quantiser import LearnedCodebook, Quantised, RunningCodebook
from reference_models.recipe import Context

Norm = Literal["instance", "layer", "none"]
_CONTEXT = 2
_LEAST_VARIANCE = 1e-5


@dataclass(frozen=True)
class CodesConfig:
    """Hyper-parameters of stage 1."""

    width: int = 96
    """Numbers a frame between the motion and its codes, all codes of a frame together."""
    layers: int = 1
    """Attention blocks of the encoder, and of the decoder."""
    heads: int = 4
    """Heads of an attention."""
    codes_per_frame: int = 8
    """Groups a frame's numbers are cut into, each with a code of its own."""
    entries: int = 256
    """Size of the codebook, one for all groups."""
    codebook: Literal["learned", "running"] = "learned"
    """Codes by gradient, as the original's, or by running means with reset."""
    norm: Norm = "instance"
    """After the convolutions: over a clip's frames, as the original's, over a frame's channels, or none."""
    position: Literal["constant", "none"] = "constant"
    """The original adds the first position's code to every frame; or nothing."""
    dropout: float = 0.1
    """After positions, in training."""
    commitment: float = 0.25
    """Weight of the pull of features to their codes."""
    output: Output = "vertices"
    """Face vertices, or parameters."""


class Trunk(nn.Module):
    """Convolution over five frames, norm, linear map, position, attention blocks: most of encoder and decoder."""

    place: Tensor

    def __init__(self, config: CodesConfig) -> None:
        super().__init__()
        width = config.width
        self.norm = config.norm
        self.convolution = nn.Conv1d(width, width, 2 * _CONTEXT + 1)
        self.linear = nn.Linear(width, width)
        place = sinusoids(1, width)[0] if config.position == "constant" else torch.zeros(width)
        self.register_buffer("place", place, persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))

    def forward(self, values: Tensor, frames: Tensor) -> Tensor:
        """(B, T, width) of clips of these lengths (B,) to (B, T, width)."""
        mask = length_mask(frames, values.shape[1])
        values = leaky_relu(self.convolution(_held(values, frames).transpose(1, 2)), 0.2).transpose(1, 2)
        values = self.dropout(self.linear(_normalised(values, mask, self.norm)) + self.place)
        for block in self.blocks:
            values = block(values, mask[:, None, None])
        return values


class Block(nn.Module):
    """Self-attention and two linear maps, each normalised before and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = FeedForward(width, width * 3 // 2)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """(B, T, width), and which frames are seen (B, 1, 1, T), to (B, T, width)."""
        values = values + self.attention(self.before(values), mask=mask)
        return values + self.feed(self.between(values))  # type: ignore[no-any-return]


def _held(values: Tensor, frames: Tensor) -> Tensor:
    """(B, T + 4, d): two frames more at either end, the first frame held before a clip and the last one after it."""
    place = torch.arange(-_CONTEXT, values.shape[1] + _CONTEXT, device=values.device).clamp(min=0)
    index = torch.minimum(place, frames[:, None] - 1)
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


def _normalised(values: Tensor, mask: Tensor, norm: Norm) -> Tensor:
    """(B, T, d) at zero mean and unit variance over the valid frames of each clip, or over channels."""
    if norm == "none":
        return values
    with torch.autocast(values.device.type, enabled=False):
        values = values.float()
        if norm == "layer":
            return layer_norm(values, values.shape[-1:])
        valid = mask[..., None].float()
        count = valid.sum(1, keepdim=True)
        centred = (values - (values * valid).sum(1, keepdim=True) / count) * valid
        variance = centred.square().sum(1, keepdim=True) / count
        return centred * (variance + _LEAST_VARIANCE).rsqrt()


class FaceCodes(nn.Module):
    """Stage 1: every frame of a motion as a few codes of one codebook, and back."""

    def __init__(self, config: CodesConfig, context: Context) -> None:
        super().__init__()
        if config.width % config.codes_per_frame:
            raise ValueError(f"{config.width} numbers a frame cannot be cut into {config.codes_per_frame} codes")
        self.config, self.width = config, config.width
        self.target = FaceTarget(config.output, context.head_model)
        self.into = nn.Linear(self.target.width, config.width)
        self.encoder, self.decoder = Trunk(config), Trunk(config)
        book = LearnedCodebook if config.codebook == "learned" else RunningCodebook
        self.book = book(config.entries, config.width // config.codes_per_frame)
        self.out = nn.Linear(config.width, self.target.width)

    def fit(self, clips: Clips) -> None:
        """Takes the scale of motions from training clips."""
        self.target.fit(clips)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Absolute error of the reconstruction, and the pull of codes and features to each other."""
        target = self.target.target(batch)
        features, quantised = self.quantise(self.encode(target, batch.frames), batch.mask)
        error = (self.decode(features, batch.frames).float() - target).abs()
        motion = clip_mean(error, batch.mask)
        pull = quantised.codebook + self.config.commitment * quantised.commitment
        pull = clip_mean(pull.view(len(batch), batch.padded, -1), batch.mask)
        used = self._perplexity(quantised.tokens, batch.mask)
        return {"loss": motion + pull, "motion": motion, "pull": pull, "perplexity": used, "selection": motion}

    def encode(self, motion: Tensor, frames: Tensor) -> Tensor:
        """Motions (B, T, V) of clips of these lengths (B,) to features (B, T, width), not yet quantised."""
        return self.encoder(leaky_relu(self.into(motion), 0.2), frames)  # type: ignore[no-any-return]

    def quantise(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Quantised]:
        """Features (B, T, width) as their nearest codes (B, T, width), and all else about it, codes in a row."""
        groups = self.config.codes_per_frame
        rows, frames, width = features.shape
        codes = features.reshape(rows, frames * groups, width // groups)
        quantised = self.book(codes, mask.repeat_interleave(groups, dim=1))
        return quantised.latents.view(rows, frames, width), quantised

    def decode(self, features: Tensor, frames: Tensor, last: bool = False) -> Tensor:
        """Quantised features (B, T, width) of clips of these lengths (B,) to motions.

        Every frame depends on all of its clip. Returns (B, T, V), or only the last frame (B, 1, V).
        """
        values = self.decoder(features, frames)
        return self.out(values[:, -1:] if last else values)  # type: ignore[no-any-return]

    def _perplexity(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """How many codes the batch uses as if evenly."""
        valid = mask.repeat_interleave(self.config.codes_per_frame, dim=1).flatten().float()
        count = torch.zeros(self.config.entries, device=tokens.device).index_add_(0, tokens.flatten(), valid)
        entropy: Tensor = torch.special.entr(count / count.sum()).sum()
        return entropy.exp()
