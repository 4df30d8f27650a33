"""MDM: a transformer that takes the noise off a whole motion, guided by text, in fifty steps.

Speech is ignored. Two variants: ``encoder`` prepends one token of the pooled text and the diffusion step to the frames,
as the paper does; ``decoder`` lets the frames attend to the tokens of the five texts, which its authors later found to
be stronger.

Source:
    Tevet et al. 2023, "Human Motion Diffusion Model", and the variants of its public implementation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.protocol import MAX_FRAMES, PARAMETERS, TEXT_FIELDS
from reference_models.batch import Batch, clip_mean
from reference_models.data import Clips
from reference_models.parts.attention import Attention, FeedForward, sinusoids
from reference_models.parts.diffusion import Denoiser, Diffusion
from reference_models.parts.draws import Draws
from reference_models.parts.normalise import Normaliser, Space
from reference_models.parts.sampling import guided
from reference_models.recipe import Context, Recipe, Schedule

_WAVES = 4


@dataclass(frozen=True)
class MDMConfig:
    """Hyper-parameters of MDM."""

    variant: Literal["encoder", "decoder"] = "decoder"
    """``encoder``: one token of text and step before the frames. ``decoder``: frames attend to the texts' tokens."""
    width: int = 128
    """Width of the transformer."""
    layers: int = 4
    """Its depth."""
    heads: int = 4
    """Attention heads."""
    hidden: int = 384
    """Width inside the feed-forward blocks."""
    dropout: float = 0.1
    """Everywhere, in training."""
    pre_norm: bool = False
    """Normalises before each block instead of after."""
    progress: bool = False
    """Tells each frame how far through the clip it is, besides its position."""
    steps: int = 50
    """Diffusion steps, all of them taken when sampling."""
    text_dropout: float = 0.1
    """Share of training clips whose text is withheld."""
    guidance: float = 2.5
    """Scale of classifier-free guidance; 1 is none."""
    space: Space = "groups"
    """Normalisation of the motion, and so what its squared error means."""
    neck: float = 1.0
    """Weight of the neck in it: the deviation its coordinates get."""
    velocity: float = 0.0
    """Weight of the squared error of frame differences."""


@dataclass(frozen=True)
class Told:
    """What the network is told besides the noisy motion: computed once for all steps."""

    mask: Tensor
    """(B, T) bool: True where there is a frame."""
    place: Tensor
    """(B, T, width): codes of position."""
    text: Tensor
    """(B, L, width): projected text tokens, or the one pooled text."""
    text_mask: Tensor
    """(B, L) bool: True where there is a token that may be seen."""


class Block(nn.Module):
    """Self-attention over frames, attention to the texts in the decoder variant, and a feed-forward block."""

    def __init__(self, config: MDMConfig) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.cross = Attention(config.width, config.heads, config.dropout) if config.variant == "decoder" else None
        self.feed_forward = FeedForward(config.width, config.hidden, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(2 if self.cross is None else 3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor | None, memory_mask: Tensor | None) -> Tensor:
        """Frames (B, T, width) by a mask (B, 1, 1, T), and a memory (B, N, width) by one (B, 1, 1, N)."""
        parts: list[Callable[[Tensor], Tensor]] = [lambda y: self.dropout(self.attention(y, mask=mask))]
        if (cross := self.cross) is not None:
            parts.append(lambda y: self.dropout(cross(y, memory, memory_mask)))
        parts.append(self.feed_forward)
        for norm, part in zip(self.norms, parts, strict=True):
            x = x + part(norm(x)) if self.pre_norm else norm(x + part(x))
        return x


class MDM(nn.Module):
    """Motion diffusion model.

    Args:
        config: Hyper-parameters.
        context: Width of the text features, and the head model for the space of vertices.
    """

    table: Tensor

    def __init__(self, config: MDMConfig, context: Context) -> None:
        super().__init__()
        self.config, self._context = config, context
        width = config.width
        self.normaliser = Normaliser()
        self.diffusion = Diffusion(config.steps)
        self.register_buffer("table", sinusoids(max(MAX_FRAMES + 1, config.steps), width), persistent=False)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.text = nn.Linear(context.text_width, width)
        self.field = nn.Embedding(len(TEXT_FIELDS), width) if config.variant == "decoder" else None
        self.progress = nn.Linear(2 * _WAVES, width) if config.progress else None
        self.enter = nn.Linear(PARAMETERS, width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.last_norm = nn.LayerNorm(width) if config.pre_norm else nn.Identity()
        self.leave = nn.Linear(width, PARAMETERS)

    def fit(self, clips: Clips) -> None:
        """Takes the normalisation from training clips."""
        assert clips.motion is not None
        head = self._context.head_model if self.config.space == "vertices" else None
        self.normaliser.fit(clips.motion, self.config.space, head, self.config.neck)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the predicted clean motion, each clip weighing the same, and of its frame differences."""
        assert batch.motion is not None
        with torch.autocast(batch.motion.device.type, enabled=False):
            clean = self.normaliser(batch.motion)
        withheld = torch.rand(len(batch), device=clean.device) < self.config.text_dropout
        told = self.told(batch, ~withheld if self.training else torch.ones_like(withheld))
        motion, velocity = [], []
        for noisy, step in self.diffusion.tasks(clean):
            error = self.denoise(noisy, step, told).float() - clean
            motion.append(clip_mean(error.square(), batch.mask))
            velocity.append(clip_mean(error.diff(dim=1).square(), batch.mask[:, 1:]))
        terms = {"motion": torch.stack(motion).mean(), "velocity": torch.stack(velocity).mean()}
        return {"loss": terms["motion"] + self.config.velocity * terms["velocity"], **terms}

    def told(self, batch: Batch, knows: Tensor) -> Told:
        """What a batch tells; rows (B,) that are False in ``knows`` are told no text."""
        first = 1 if self.field is None else 0  # the token before the frames has position 0
        place = self.table[first : batch.padded + first].expand(len(batch), -1, -1)
        if self.progress is not None:
            place = place + self.progress(progress_waves(batch.frames, batch.padded))
        if self.field is None:
            text = self.text(batch.sentence * knows[:, None])[:, None]
            return Told(batch.mask, place, text, torch.ones_like(knows)[:, None])
        text = self.text(batch.text) + self.field(batch.text_field.clamp(min=0))
        return Told(batch.mask, place, text, batch.text_mask & knows[:, None])

    def denoise(self, noisy: Tensor, step: Tensor, told: Told) -> Tensor:
        """Clean motions (B, T, 56), normalised, from noisy ones and their diffusion steps (B,)."""
        time = self.time(self.table[step])[:, None]  # (B, 1, width)
        x = self.enter(noisy) + told.place
        seen = torch.ones_like(step, dtype=torch.bool)[:, None]  # (B, 1)
        mask, memory, memory_mask = told.mask, None, None
        if self.field is None:
            x = torch.cat([told.text + time + self.table[0], x], dim=1)
            mask = torch.cat([seen, mask], dim=1)
        else:
            memory = torch.cat([time, told.text + time], dim=1)  # (B, 1 + L, width)
            memory_mask = torch.cat([seen, told.text_mask], dim=1)[:, None, None]
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, mask[:, None, None], memory, memory_mask)
        return self.leave(self.last_norm(x[:, -noisy.shape[1] :]))  # type: ignore[no-any-return]

    @torch.no_grad()
    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        """Motions (B, T, 56), of the lengths asked for."""
        coordinates = self.diffusion.ddpm(self.denoiser(batch, self.config.guidance), batch.padded, PARAMETERS, draws)
        return self.normaliser.inverse(coordinates)

    def denoiser(self, batch: Batch, guidance: float) -> Denoiser:
        """Denoises with guidance: rows with and without text go through the network together."""
        all_rows = torch.ones_like(batch.frames, dtype=torch.bool)
        told = self.told(batch, all_rows)
        if guidance == 1:
            return lambda noisy, step: self.denoise(noisy, step, told)
        both = _joined(told, self.told(batch, ~all_rows))

        def denoise(noisy: Tensor, step: Tensor) -> Tensor:
            with_text, without = self.denoise(noisy.repeat(2, 1, 1), step.repeat(2), both).float().chunk(2)
            return guided(with_text, without, guidance)

        return denoise


def progress_waves(frames: Tensor, padded: int) -> Tensor:
    """(B, padded, 8): slow waves over the relative progress through clips of these lengths (B,)."""
    progress = (torch.arange(padded, device=frames.device) + 0.5) / frames[:, None]
    rate = math.pi * 2.0 ** torch.arange(_WAVES, device=frames.device)
    angle = progress[..., None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def _joined(first: Told, second: Told) -> Told:
    """Rows of both."""
    return Told(*(torch.cat([getattr(first, field.name), getattr(second, field.name)]) for field in fields(Told)))


PRESETS = {
    "mdm": {
        "embedded": Recipe(
            MDMConfig(width=112, pre_norm=True, progress=True, space="vertices", velocity=0.5),
            Schedule(steps=1000, batch=32, learning_rate=5e-4, ema=0.999, validate_every=200),
        ),
        "paper": Recipe(
            MDMConfig(variant="encoder", width=512, layers=8, hidden=1024),
            Schedule(
                steps=600_000,
                batch=64,
                learning_rate=1e-4,
                warm_up=1,
                decay="constant",
                betas=(0.9, 0.999),
                clip=None,
                ema=0.9999,
                validate_every=5000,
            ),
            text_encoder="distilbert-base-uncased",
            audio_encoder="wav2vec2-base-960h",
        ),
    }
}
DEVIATIONS = {
    "mdm": (
        "Predicts 56 FLAME parameters a frame instead of the 263 body features of HumanML3D.",
        "Ignores speech: the method has no input for it.",
        "The text comes from the suite's frozen text encoder, not CLIP; the encoder variant averages its tokens.",
        "The decoder variant adds a learned embedding of which of the five texts a token is of, and one memory token "
        "of the diffusion step alone; a withheld text is masked instead of set to zero.",
        "Attention and loss always leave padding out, which the original does only when asked.",
        "Clips are used whole: no random crops and no shortening by one unit.",
        "Dropout inside the feed-forward blocks acts on their output only.",
        "The weights kept are those of the lowest validation loss at four fixed steps, not of the lowest FID.",
        "Embedded preset: the decoder variant, far smaller, normalised before each block instead of after, told the "
        "relative progress through the clip, trained on vertex-weighted parameters with a small velocity term and with "
        "a warm-up, a decaying learning rate and clipped gradients.",
    )
}
