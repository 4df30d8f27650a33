"""SelfTalk: speech to a face at once, in training heard again from the lips it has made.

The animator is one decoder layer whose target and memory are the speech. A lip reader has to tell from the predicted
lips alone what a frozen listener makes of the speech; it is left out when motions are asked for. One output a speech:
nothing is drawn.

Source:
    Peng et al. 2023 (SelfTalk), section 3; its text slot as in Wu et al. 2024 (MMHead), section 6.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from benchmark.protocol import EXPRESSION, JAW
from reference_models.batch import Batch, clip_mean, length_mask
from reference_models.data import Clips
from reference_models.parts.audio_path import AudioPath
from reference_models.parts.clusters import cluster_centres, nearest_centre
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import FaceTarget, Output
from reference_models.parts.post_norm import Memory, PostNormLayer
from reference_models.parts.text_slot import Slot, TextSlot
from reference_models.recipe import Context, Recipe, Schedule

_BLANK = 0


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of SelfTalk."""

    width: int = 96
    """Width of the animator."""
    heads: int = 4
    """Heads of an attention of the animator."""
    hidden: int = 192
    """Width between the two linear maps of its layer."""
    audio_layers: int = 2
    """Convolutions on the speech features; 0 where the frozen encoder has seen the context."""
    dropout: float = 0.1
    """In training."""
    attention_dropout: float = 0.0
    """Of attention weights, in training."""
    slot: Slot = "style"
    """Where the text enters."""
    output: Output = "vertices"
    """Face vertices, or parameters."""
    lip_width: int = 48
    """Width of the lip reader."""
    lip_layers: int = 1
    """Layers of the lip reader's encoder, and of its decoder."""
    lip_heads: int = 4
    """Heads of an attention of the lip reader."""
    lip_hidden: int = 96
    """Width between the two linear maps of its layers."""
    doubled: bool = False
    """Whether the lip reader works at twice the rate of the motion, as the original's recogniser does."""
    units: int = 32
    """Acoustic units that stand for the letters of a transcript."""
    velocity: float = 1.0
    """Weight of the error of frame differences."""
    latent: float = 0.1
    """Weight of the error of the speech features read from lips."""
    ctc: float = 0.01
    """Weight of the units read from lips."""
    reads_truth: bool = False
    """Whether the lip reader learns from the true lips too, which tie it to real lip motion."""


class Heard(NamedTuple):
    """What the frozen listener makes of a batch's speech."""

    features: Tensor
    """(B, N, audio_width): normalised features, zero beyond a clip's end."""
    frames: Tensor
    """(B,): length of each clip in features."""
    units: Tensor
    """(B, N) int64: runs of acoustic units, 1 and up, zero after the last one."""
    said: Tensor
    """(B,): runs of each clip."""


class SelfTalk(nn.Module):
    """The animator, and the lip reader that only training knows."""

    centres: Tensor
    lips: Tensor

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        self.config, head = config, context.head_model
        self.target = FaceTarget(config.output, head)
        self.audio = AudioPath(context.audio_width, config.width, config.audio_layers, config.dropout)
        self.text = TextSlot(config.slot, context.text_width, config.width, self.target.width)
        self.layer = PostNormLayer(
            config.width, config.heads, config.hidden, config.dropout, "all", config.attention_dropout
        )
        self.out = nn.Linear(config.width, self.target.width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        if config.output == "vertices":
            places = torch.from_numpy(np.searchsorted(head.region_ids, np.unique(head.lip_ids)))
            lips = (3 * places[:, None] + torch.arange(3)).flatten()
        else:
            lips = torch.cat([torch.arange(56)[EXPRESSION], torch.arange(56)[JAW]])
        self.register_buffer("lips", lips, persistent=False)  # (d_lips,): where they are among what is predicted
        self.reader = LipReader(config, len(lips), context.audio_width)
        self.register_buffer("centres", torch.zeros(config.units, context.audio_width))

    def fit(self, clips: Clips) -> None:
        """Takes the scales of motion and speech, and the acoustic units, from training clips."""
        assert clips.audio is not None
        self.target.fit(clips)
        self.audio.fit(clips)
        centres = cluster_centres(clips.audio.to(self.centres.device).float() / self.audio.deviation, self.config.units)
        self.centres.copy_(centres - self.audio.mean / self.audio.deviation)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Errors of motion and its differences, and of what the lip reader reads; the first selects."""
        truth, made = self.target.target(batch), self._animate(batch)
        motion = clip_mean((made - truth).square(), batch.mask)
        step = (made[:, 1:] - made[:, :-1]) - (truth[:, 1:] - truth[:, :-1])
        velocity = clip_mean(step.square(), batch.mask[:, 1:])
        heard = self._listen(batch)
        latent, ctc = self._read(made, batch, heard)
        if self.config.reads_truth:
            true_latent, true_ctc = self._read(truth, batch, heard)
            latent, ctc = latent + true_latent, ctc + true_ctc
        loss = motion + self.config.velocity * velocity + self.config.latent * latent + self.config.ctc * ctc
        return {"loss": loss, "motion": motion, "velocity": velocity, "latent": latent, "ctc": ctc, "selection": motion}

    @torch.no_grad()
    def generate(self, batch: Batch, draws: Draws) -> Tensor:  # noqa: ARG002 - nothing is drawn
        """Motions at once: vertices (B, T, n_region, 3) in metres, or parameters (B, T, 56)."""
        return self.target.motion(self._animate(batch))

    def animate(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Speech tokens (B, T, width), valid where the mask (B, T) is True, to displacements (B, T, V).

        Nothing tells the order of tokens but what is in them.
        """
        seen = mask[:, None, None]
        return self.out(self.layer(tokens, tokens, seen, seen)).float()  # type: ignore[no-any-return]

    def _animate(self, batch: Batch) -> Tensor:
        tokens = self.audio(batch) + self.text.style(batch, self.config.width)
        return self.animate(tokens, batch.mask) + self.text.offset(batch)

    @torch.no_grad()
    def _listen(self, batch: Batch) -> Heard:
        """The speech as the frozen listener hears it."""
        assert batch.audio is not None
        with torch.autocast(batch.audio.device.type, enabled=False):
            features = (batch.audio - self.audio.mean) / self.audio.deviation * batch.mask[..., None]
            frames = batch.frames
            if self.config.doubled:
                features, frames = _doubled(features), 2 * frames - 1
            mask = length_mask(frames, features.shape[1])
            units, count = _runs(nearest_centre(features, self.centres) + 1, mask)
            return Heard(features * mask[..., None], frames, units, count)

    def _read(self, motion: Tensor, batch: Batch, heard: Heard) -> tuple[Tensor, Tensor]:
        """Errors of features and units read from the lips of motions (B, T, V)."""
        lips = motion[..., self.lips] * batch.mask[..., None]
        features, logits = self.reader(lips, heard.frames)
        mask = length_mask(heard.frames, features.shape[1])
        latent = clip_mean((features.float() - heard.features).square(), mask)
        return latent, unit_loss(logits, heard)


class LipReader(nn.Module):
    """Lips to what was said: an encoder and a decoder fed with the same, as speech features and as units."""

    def __init__(self, config: Config, lips: int, features: int) -> None:
        super().__init__()
        width = config.lip_width
        self.doubled = config.doubled
        self.into = nn.Linear(lips, width)

        def layers(memory: Memory) -> nn.ModuleList:
            sizes = (width, config.lip_heads, config.lip_hidden, config.dropout, memory, config.attention_dropout)
            return nn.ModuleList(PostNormLayer(*sizes) for _ in range(config.lip_layers))

        self.encoder, self.decoder = layers("none"), layers("all")
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.features, self.units = nn.Linear(width, features), nn.Linear(width, config.units + 1)

    def forward(self, lips: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Reads.

        Args:
            lips: (B, T, d_lips).
            frames: (B,) lengths of what is read, of N positions: T, or 2 T - 1 at twice the rate.

        Returns:
            Speech features (B, N, audio_width) and logits of units (B, N, 1 + units), the blank first.
        """
        values = self.into(lips)
        values = _doubled(values) if self.doubled else values
        seen = length_mask(frames, values.shape[1])[:, None, None]
        memory = values
        for layer in self.encoder:
            memory = layer(memory, mask=seen)
        memory = self.norms[0](memory)
        for layer in self.decoder:
            values = layer(values, memory, seen, seen)
        values = self.norms[1](values)
        return self.features(values), self.units(values)


def unit_loss(logits: Tensor, heard: Heard) -> Tensor:
    """Connectionist temporal classification of units: per run, then over clips; finite for clips without any.

    Args:
        logits: (B, N, 1 + units), the blank first.
        heard: The runs and the lengths.

    Source:
        Graves et al. 2006, section 4.1.
    """
    with torch.autocast(logits.device.type, enabled=False):
        chances = logits.float().log_softmax(-1).transpose(0, 1)
        loss = ctc_loss(
            chances, heard.units, heard.frames, heard.said, blank=_BLANK, reduction="none", zero_infinity=True
        )
        return (loss / heard.said.clamp(min=1)).mean()


def _runs(units: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Units (B, N), valid where the mask is True, without repetitions: (B, N) padded with zeros, and how many."""
    starts = mask.clone()
    starts[:, 1:] &= units[:, 1:] != units[:, :-1]
    place = torch.where(starts, starts.cumsum(1) - 1, units.shape[1])  # all that starts no run goes to a bin too many
    runs = units.new_zeros(len(units), units.shape[1] + 1).scatter_(1, place, units)
    return runs[:, :-1], starts.sum(1)


def _doubled(values: Tensor) -> Tensor:
    """(B, T, d) to (B, 2 T - 1, d): linear interpolation, every other value the original one."""
    between = (values[:, 1:] + values[:, :-1]) / 2
    pairs = torch.stack([values[:, :-1], between], dim=2).flatten(1, 2)
    return torch.cat([pairs, values[:, -1:]], dim=1)


PRESETS: dict[str, dict[str, Recipe]] = {
    "selftalk": {
        "embedded": Recipe(
            Config(), Schedule(steps=2000, batch=16, learning_rate=2e-3, ema=0.998, validate_every=100)
        ),
        "paper": Recipe(
            Config(
                width=512, hidden=1024, audio_layers=0, lip_width=768, lip_layers=6, lip_heads=8, lip_hidden=2048,
                doubled=True, attention_dropout=0.1,
            ),
            Schedule(
                steps=400_000, batch=16, learning_rate=1e-4, warm_up=0, decay="constant", betas=(0.9, 0.999),
                clip=None, validate_every=5000,
            ),
            "distilbert-base-uncased",
            "wav2vec2-base-960h",
        ),
    },
}  # fmt: skip
"""Recipes of the network of this file."""

DEVIATIONS: dict[str, tuple[str, ...]] = {
    "selftalk": (
        "The text's features are added to the speech tokens, or, as an option, take the place of the template; the "
        "original has no style and a template of each subject, ours is constant.",
        "Speech features are frozen; the original fine-tunes a large wav2vec 2.0. Embedded preset: log-mel features.",
        "No recogniser: the lip reader is to give back the frozen speech features, not a recogniser's hidden states.",
        "No transcript: letters are acoustic units, classes of k-means over speech features, with repetitions removed.",
        "Targets are divided by one number, their root mean square, so that errors of motion and differences weigh 1 "
        "instead of 1000 each, and what is read from lips as much less as in the original.",
        "The lips are each counted once, where the original's list has some twice.",
        "With parameters as output, an option, the lip reader reads expression and jaw in place of lips.",
        "Clips are batched with masks, and each clip weighs the same whatever its length.",
        "Weights are selected by the error of motion on validation clips, not taken last.",
        "Embedded preset: a smaller lip reader, at the rate of the motion; convolutions on the speech features; no "
        "dropout of attention weights.",
    ),
}
"""What differs from the original."""
