"""Imitator: a causal transformer makes viseme features of the speech; a small network dresses them in the style.

The features are fed back as they are, with neither face nor style in the loop, so that the text, which takes the place
of the speaker's style, can only map visemes to faces, frame by frame.

Source:
    Thambiraja et al., Imitator: Personalized Speech-driven 3D Facial Animation, ICCV 2023.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad

from reference_models.batch import Batch, clip_mean
from reference_models.data import Clips
from reference_models.parts.attention import sinusoids
from reference_models.parts.audio_path import AudioPath
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import FaceTarget, Output
from reference_models.parts.feedback_decoder import FeedbackDecoder
from reference_models.parts.text_slot import Slot, TextSlot
from reference_models.recipe import Context, Recipe, Schedule


@dataclass(frozen=True)
class ImitatorConfig:
    """Hyper-parameters."""

    output: Output = "vertices"
    """What is predicted."""
    slot: Slot = "style"
    """Where the text enters."""
    width: int = 64
    """Width of the viseme features."""
    heads: int = 4
    """Attention heads."""
    layers: int = 1
    """Decoder layers of the viseme transformer."""
    maps: int = 5
    """Linear maps of the motion decoder."""
    dropout: float = 0.1
    """Of the viseme transformer, in training."""
    positions: Literal["none", "constant", "frames"] = "none"
    """Position codes: none; as in the published code the first frame's code for all, which is none but for biases; or
    each frame's own."""
    audio_layers: int = 0
    """Convolutions that give the speech features context; the original has none."""
    velocity_weight: float = 10.0
    """Of the error of frame differences."""
    closure_weight: float = 0.0
    """Of the error at lip closures, where they are given; batches hold none, so it is off. The original's is 5."""


class Imitator(nn.Module):
    """Speech to visemes, visemes and text to a face.

    Args:
        config: Hyper-parameters.
        context: Widths of the features, and the head model.
    """

    def __init__(self, config: ImitatorConfig, context: Context) -> None:
        super().__init__()
        self.config = config
        self.face = FaceTarget(config.output, context.head_model)
        self.text = TextSlot(config.slot, context.text_width, config.width, self.face.width)
        self.audio = AudioPath(context.audio_width, config.width, config.audio_layers, config.dropout)
        self.decoder = FeedbackDecoder(config.width, config.heads, config.layers, 2 * config.width, config.dropout)
        self.motion = _motion_decoder(config.width, self.face.width, config.maps)

    def fit(self, clips: Clips) -> None:
        """Takes the scales of faces and of speech features from training clips."""
        self.face.fit(clips)
        self.audio.fit(clips)

    def losses(self, batch: Batch, closures: Tensor | None = None) -> dict[str, Tensor]:
        """Squared error of the face and of its frame differences, and of lip closures where they are given.

        Args:
            batch: With true motions.
            closures: (B, T) bool, True at the middle of a closure of the lips.
        """
        target = self.face.target(batch)
        found = self._show(batch, self.visemes(batch)).float()  # (B, T, V)
        face = clip_mean(mse_loss(found, target, reduction="none"), batch.mask)
        velocity = clip_mean(mse_loss(found.diff(dim=1), target.diff(dim=1), reduction="none"), batch.mask[:, 1:])
        loss = face + self.config.velocity_weight * velocity
        parts = {"face": face.detach(), "velocity": velocity.detach()}
        if closures is not None:
            closure = weighted_error(found - target, batch.mask, bumps(closures))
            loss, parts = loss + self.config.closure_weight * closure, {**parts, "closure": closure.detach()}
        return {"loss": loss, **parts}

    def generate(self, batch: Batch, draws: Draws) -> Tensor:  # noqa: ARG002 - nothing is drawn
        """Motions by the cached loop."""
        return self.face.motion(self._show(batch, self.visemes(batch)))

    def generate_uncached(self, batch: Batch) -> Tensor:
        """The same motions as the original finds them: each frame runs all earlier ones anew."""
        constants, memory, lags = self._constants(batch), self.audio(batch), self._lags(batch)
        tokens, hidden = constants[:, :1], constants[:, :0]
        for frame in range(1, batch.padded + 1):
            hidden = self.decoder.given(tokens, memory[:, :frame], lags[:, :frame])
            tokens = torch.cat([tokens, hidden[:, -1:] + constants[:, frame : frame + 1]], dim=1)
        return self.face.motion(self._show(batch, hidden))

    def visemes(self, batch: Batch) -> Tensor:
        """(B, T, width) viseme features of the speech alone."""
        constants, memory = self._constants(batch), self.audio(batch)
        return self.decoder(constants, memory, self._lags(batch))  # type: ignore[no-any-return]

    def _constants(self, batch: Batch) -> Tensor:
        """(B, T, width): what every token holds besides the features of the frame before; the first starts at zero."""
        codes = sinusoids(batch.padded, self.config.width).to(batch.frames.device)
        if self.config.positions == "constant":
            codes = codes[:1].expand_as(codes)
        elif self.config.positions == "none":
            codes = torch.zeros_like(codes)
        return codes.expand(len(batch), -1, -1)

    def _lags(self, batch: Batch) -> Tensor:
        return torch.zeros(self.config.heads, batch.padded, device=batch.frames.device)

    def _show(self, batch: Batch, visemes: Tensor) -> Tensor:
        """(B, T, V) faces of viseme features (B, T, width)."""
        styled = visemes + self.text.style(batch, self.config.width)
        face: Tensor = self.motion(styled)
        return face + self.text.offset(batch) if self.config.slot == "offset" else face


def bumps(closures: Tensor) -> Tensor:
    """(B, T) weights around closures (B, T) bool: a Gaussian of one frame, cut off after two; the higher one counts."""
    peaks = pad(closures.float(), (2, 2))
    frames = closures.shape[1]
    shifted = [peaks[:, 2 + lag : 2 + lag + frames] * math.exp(-lag * lag / 2) for lag in range(-2, 3)]
    return torch.stack(shifted).amax(0)


def weighted_error(error: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Mean over clips and their frames of the squared error (B, T, V) times a weight (B, T) a frame.

    Source:
        Thambiraja et al. 2023, section 3.2: the lip contact loss of m, b and p.
    """
    return clip_mean(error.square() * weight[..., None], mask)


def _motion_decoder(width: int, target: int, maps: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(maps - 1):
        layers += [nn.Linear(width, width), nn.LeakyReLU(0.01)]
    layers.append(nn.Linear(width, target))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    nn.init.zeros_(layers[-1].weight)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


PRESETS: dict[str, dict[str, Recipe]] = {
    "imitator": {
        "embedded": Recipe(
            ImitatorConfig(audio_layers=3),
            Schedule(steps=1300, batch=32, learning_rate=1e-3, ema=0.998, validate_every=100),
        ),
        "paper": Recipe(
            ImitatorConfig(positions="constant"),
            Schedule(
                steps=100_000,
                batch=32,
                learning_rate=1e-4,
                warm_up=0,
                decay="constant",
                betas=(0.9, 0.999),
                clip=None,
            ),
            text_encoder="distilbert-base-uncased",
            audio_encoder="wav2vec2-base-960h",
        ),
    }
}

DEVIATIONS: dict[str, tuple[str, ...]] = {
    "imitator": (
        "The text takes the place of the one-hot speaker: a linear map of its mean token is the style added to the "
        "viseme features (slot style), or a constant offset of every frame (slot offset).",
        "The lip closure loss is off: it needs the times of m, b and p, and neither their source nor the original's "
        "recipe is public.",
        "There is no adaptation to a speaker: the suite has no speakers to adapt to.",
        "The audio encoder is frozen and its features are cached and normalised; the original fine-tunes wav2vec 2.0.",
        "The embedded preset reads log-mel features through three residual convolutions, which see 0.6 s of speech to "
        "either side, and has no position codes; the original's are one constant.",
        "Only the face region is predicted, as displacements from one neutral face over their root mean square, or all "
        "56 parameters normalised by groups; the original predicts whole meshes in metres around the speaker's own.",
        "Batches of clips with each clip weighing the same in the loss; the original trains one clip a step.",
        "Dropout is drawn once a frame, not anew for the whole prefix at each frame; the learning rate is not "
        "lowered on a plateau, and in the embedded preset it warms up and decays.",
        "Attention to the single audio frame of the same time is a linear map: its weight is always one.",
    )
}
