"""The motion tokenizer: a VQ-VAE that turns four frames of FLAME parameters into one token.

Stage 1 of MM2Face, also under T2M-GPT; with a codebook learned by gradient it is TM2T's tokenizer. As a row of the
board it is the ceiling of all that speak in tokens: the truth, encoded and decoded.

Source:
    Wu et al. 2024 (MMHead), section 5 (MM2Face), stage 1; blocks of Zhang et al. 2023 (T2M-GPT), section 3.1.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.protocol import PARAMETERS
from reference_models.batch import RATE, Batch, clip_mean, length_mask
from reference_models.data import Clips
from reference_models.parts.convolution import Decoder, Encoder
from reference_models.parts.draws import Draws
from reference_models.parts.normalise import Normaliser, Space
from reference_models.parts.quantiser import LearnedCodebook, Quantised, RunningCodebook
from reference_models.recipe import Context, Recipe, Schedule


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of the tokenizer."""

    codes: int = 512
    """Size of the codebook."""
    code_width: int = 64
    """Numbers a code."""
    width: int = 92
    """Channels of the convolutions."""
    depth: int = 3
    """Residual blocks a stage."""
    codebook: Literal["running", "learned"] = "running"
    """Codes by running means with reset, or by gradient as in TM2T."""
    reconstruction: Literal["l2", "l1"] = "l2"
    """Error of the motion."""
    velocity: float = 0.5
    """Weight of the error of first differences in time: alpha of the paper."""
    commitment: float = 0.25
    """Weight of the pull of latents to codes: beta of the paper."""
    space: Space = "vertices"
    """What an error of the motion means."""
    neck: float = 4.5
    """Deviation of the neck's coordinates, against one of the others."""


class VQVAE(nn.Module):
    """Encoder, codebook and decoder; motions of any length, padded to whole tokens by holding the last frame."""

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        self.config, self._head = config, context.head_model
        self.codes = config.codes
        self.normaliser = Normaliser()
        self.encoder = Encoder(PARAMETERS, config.width, config.code_width, config.depth)
        self.decoder = Decoder(PARAMETERS, config.width, config.code_width, config.depth)
        book = RunningCodebook if config.codebook == "running" else LearnedCodebook
        self.quantiser = book(config.codes, config.code_width)

    def fit(self, clips: Clips) -> None:
        """Takes the normalisation from training frames."""
        assert clips.motion is not None
        self.normaliser.fit(clips.motion, self.config.space, self._head, self.config.neck)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction, velocity and codebook terms; in evaluation the reconstruction selects."""
        assert batch.motion is not None
        target = self._held(batch.motion, batch.frames)
        quantised, lengths = self._quantise(target, batch.frames)
        made = self.decoder(quantised.latents, lengths).float()
        error = self._error(made - target)
        motion = clip_mean(error, batch.mask)
        step = self._error((made[:, 1:] - made[:, :-1]) - (target[:, 1:] - target[:, :-1]))
        velocity = clip_mean(step, batch.mask[:, 1:])
        token_mask = length_mask(lengths, quantised.tokens.shape[1])
        pull = clip_mean(self.config.commitment * quantised.commitment + quantised.codebook, token_mask)
        loss = motion + self.config.velocity * velocity + pull
        return {"loss": loss, "motion": motion, "velocity": velocity, "pull": pull, "selection": motion + velocity}

    @torch.no_grad()
    def encode(self, motion: Tensor, frames: Tensor) -> Tensor:
        """Tokens of motions.

        Args:
            motion: (B, T, 56) parameters, T a multiple of four.
            frames: (B,) lengths.

        Returns:
            (B, T / 4) int64; beyond a clip's last token they mean nothing.
        """
        was_training = self.training
        self.eval()
        quantised, _ = self._quantise(self._held(motion, frames), frames)
        self.train(was_training)
        return quantised.tokens

    @torch.no_grad()
    def decode(self, tokens: Tensor, frames: Tensor) -> Tensor:
        """Motions of tokens (B, J) of clips of these lengths (B,): (B, 4 J, 56) parameters."""
        made = self.decoder(self.quantiser.codebook[tokens], _tokens(frames))
        return self.normaliser.inverse(made)

    def generate(self, batch: Batch, draws: Draws) -> Tensor:  # noqa: ARG002 - nothing is drawn
        """Reconstructs the batch's own motions: (B, T, 56) parameters."""
        assert batch.motion is not None
        return self.decode(self.encode(batch.motion, batch.frames), batch.frames)

    def _quantise(self, coordinates: Tensor, frames: Tensor) -> tuple[Quantised, Tensor]:
        lengths = _tokens(frames)
        latents = self.encoder(coordinates, lengths * RATE)
        return self.quantiser(latents, length_mask(lengths, latents.shape[1])), lengths

    def _held(self, motion: Tensor, frames: Tensor) -> Tensor:
        """Normalised motions (B, T, 56), the last frame held beyond a clip's end."""
        with torch.autocast(motion.device.type, enabled=False):
            last = torch.minimum(torch.arange(motion.shape[1], device=motion.device), frames[:, None] - 1)
            held = motion.gather(1, last[..., None].expand(-1, -1, motion.shape[2]))
            return self.normaliser(held)  # type: ignore[no-any-return]

    def _error(self, difference: Tensor) -> Tensor:
        return difference.abs() if self.config.reconstruction == "l1" else difference.square()


def _tokens(frames: Tensor) -> Tensor:
    return (frames + RATE - 1) // RATE


_EMBEDDED = Schedule(
    steps=1000, batch=64, learning_rate=1e-3, betas=(0.9, 0.99), ema=0.998, validate_every=100, warm_up=100
)
_PAPER = Schedule(steps=300_000, batch=256, learning_rate=2e-4, warm_up=1000, clip=None, validate_every=2000)

PRESETS: dict[str, dict[str, Recipe]] = {
    "vqvae": {
        "embedded": Recipe(Config(), _EMBEDDED),
        "paper": Recipe(
            Config(code_width=512, width=512, depth=3, space="groups", neck=1.0, commitment=0.02, velocity=0.5),
            _PAPER,
            "distilbert-base-uncased",
            "wav2vec2-base-960h",
        ),
    },
    "tm2t_tokenizer": {
        "embedded": Recipe(
            Config(width=88, depth=1, codebook="learned", reconstruction="l1", velocity=0.5, commitment=1.0),
            replace(_EMBEDDED, ema=None),
        ),
        "paper": Recipe(
            Config(
                codes=1024, code_width=1024, width=1024, depth=1, codebook="learned", reconstruction="l1",
                velocity=0.0, commitment=1.0, space="groups", neck=1.0,
            ),
            replace(_PAPER, batch=128, learning_rate=1e-4),
            "distilbert-base-uncased",
            "wav2vec2-base-960h",
        ),
    },
}  # fmt: skip
"""Recipes of the networks of this file."""
PRESETS["vqvae"]["small"] = PRESETS["vqvae"]["embedded"]  # small models are built on the same tokenizer

DEVIATIONS: dict[str, tuple[str, ...]] = {
    "vqvae": (
        "The paper states neither codebook size, width nor loss weights: they are ours.",
        "Whole clips with masks instead of random windows of 64 frames; the last frame is held to a whole token.",
        "The threshold below which a code starts anew is scaled to the tokens a step; it takes a random latent.",
        "Embedded preset: errors are those of face vertices in units of their deviation, with more weight on the neck.",
    ),
    "tm2t_tokenizer": (
        "No adversarial term, which is not in the paper's objective; no foot contacts.",
        "Blocks as in the tokenizer of T2M-GPT (dilated convolutions) instead of plain ones.",
        "Whole clips with masks instead of windows of 64 frames.",
        "Codes begin at latents of the first step: from the original's values near zero, seven in eight stay unused.",
        "Embedded preset: errors are those of face vertices in units of their deviation, with more weight on the neck; "
        "an error of first differences in time is added.",
    ),
}
"""What differs from the originals."""
