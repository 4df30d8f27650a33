"""FaceFormer: frame by frame from speech and its own last frame; the text takes the place of the speaker's style.

One post-norm decoder layer looks back at its earlier frames with a periodic bias and at the speech of its own frame
only. Trained through its own loop, as the original is; the loop never leaves the model's width, because the maps to
the face and back collapse into one small matrix.

Source:
    Fan et al., FaceFormer: Speech-Driven 3D Facial Animation with Transformers, CVPR 2022.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad

from reference_models.batch import Batch, clip_mean
from reference_models.data import Clips
from reference_models.parts.audio_path import AudioPath
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import FaceTarget, Output
from reference_models.parts.feedback_decoder import FeedbackDecoder
from reference_models.parts.periodic import lag_bias, periodic_codes
from reference_models.parts.text_slot import Slot, TextSlot
from reference_models.recipe import Context, Recipe, Schedule


@dataclass(frozen=True)
class FaceFormerConfig:
    """Hyper-parameters."""

    output: Output = "vertices"
    """What is predicted."""
    slot: Slot = "style"
    """Where the text enters."""
    width: int = 64
    """Width of tokens; the original has 64 or 128."""
    heads: int = 4
    """Attention heads."""
    layers: int = 1
    """Decoder layers."""
    dropout: float = 0.1
    """In training."""
    period: int = 25
    """Frames of a period of bias and position codes; the original's is its frame rate."""
    audio_layers: int = 0
    """Convolutions that give the speech features context; the original has none."""
    training: Literal["unroll", "teacher"] = "unroll"
    """Through the model's own loop, as the original; or in parallel from true earlier frames."""


class FaceFormer(nn.Module):
    """Speech and text to a face, autoregressively.

    Args:
        config: Hyper-parameters.
        context: Widths of the features, and the head model.
    """

    def __init__(self, config: FaceFormerConfig, context: Context) -> None:
        super().__init__()
        self.config = config
        self.face = FaceTarget(config.output, context.head_model)
        self.text = TextSlot(config.slot, context.text_width, config.width, self.face.width)
        self.audio = AudioPath(context.audio_width, config.width, config.audio_layers, config.dropout)
        self.enter = nn.Linear(self.face.width, config.width)
        self.decoder = FeedbackDecoder(config.width, config.heads, config.layers, 2 * config.width, config.dropout)
        self.leave = nn.Linear(config.width, self.face.width)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def fit(self, clips: Clips) -> None:
        """Takes the scales of faces and of speech features from training clips."""
        self.face.fit(clips)
        self.audio.fit(clips)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the face, each clip weighing the same; measured through the loop in evaluation mode."""
        target = self.face.target(batch)
        if self.training and self.config.training == "teacher":
            prediction = self._taught(batch, target)
        else:
            prediction = self._show(batch, self._loop(batch))
        return {"loss": clip_mean(mse_loss(prediction.float(), target, reduction="none"), batch.mask)}

    def generate(self, batch: Batch, draws: Draws) -> Tensor:  # noqa: ARG002 - nothing is drawn
        """Motions by the cached loop."""
        return self.face.motion(self._show(batch, self._loop(batch)))

    def generate_uncached(self, batch: Batch) -> Tensor:
        """The same motions as the original finds them: each frame runs all earlier ones anew, to the face and back."""
        style, memory = self._style(batch), self.audio(batch)
        bias = self._lags(batch)
        tokens, shown = style[:, :1], self.enter.weight.new_zeros(0)
        for frame in range(1, batch.padded + 1):
            shown = self.leave(self.decoder.given(tokens, memory[:, :frame], bias[:, :frame]))  # (B, frame, V)
            if frame < batch.padded:
                tokens = torch.cat([tokens, self.enter(shown)[:, -1:] + style[:, frame : frame + 1]], dim=1)
        return self.face.motion(shown + self.text.offset(batch))

    def _loop(self, batch: Batch) -> Tensor:
        """(B, T, width) outputs of the decoder fed with its own faces."""
        constants, memory = self._style(batch), self.audio(batch)
        with torch.autocast(memory.device.type, enabled=False):
            feedback = self.leave.weight.T @ self.enter.weight.T  # (width, width): to the face and back
            later = torch.ones(batch.padded, 1, device=memory.device)
            later[0] = 0  # the first token is the style alone
            constants = constants.float() + later * self.enter(self.leave.bias)
        return self.decoder(constants, memory, self._lags(batch), feedback)  # type: ignore[no-any-return]

    def _taught(self, batch: Batch, target: Tensor) -> Tensor:
        earlier = self.enter((target - self.text.offset(batch))[:, :-1])
        tokens = self._style(batch) + pad(earlier, (0, 0, 1, 0))
        return self._show(batch, self.decoder.given(tokens, self.audio(batch), self._lags(batch)))

    def _style(self, batch: Batch) -> Tensor:
        """(B, T, width): what every token holds besides an earlier face: style and place in the period."""
        codes = periodic_codes(batch.padded, self.config.width, self.config.period)
        return self.text.style(batch, self.config.width) + codes.to(batch.frames.device)

    def _lags(self, batch: Batch) -> Tensor:
        return lag_bias(self.config.heads, batch.padded, self.config.period).to(batch.frames.device)

    def _show(self, batch: Batch, hidden: Tensor) -> Tensor:
        """(B, T, V) faces of outputs (B, T, width)."""
        face: Tensor = self.leave(hidden)
        return face + self.text.offset(batch) if self.config.slot == "offset" else face


PRESETS: dict[str, dict[str, Recipe]] = {
    "faceformer": {
        "embedded": Recipe(
            FaceFormerConfig(audio_layers=3),
            Schedule(steps=1500, batch=32, learning_rate=1e-3, ema=0.998, validate_every=100),
        ),
        "paper": Recipe(
            FaceFormerConfig(),
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
    "faceformer": (
        "The text takes the place of the one-hot speaker: a linear map of its mean token is the style (slot style), or "
        "a constant offset of every frame (slot offset).",
        "The audio encoder is frozen and its features are cached and normalised; the original fine-tunes wav2vec 2.0.",
        "The embedded preset reads log-mel features through three residual convolutions before the decoder.",
        "Only the face region is predicted, as displacements from one neutral face over their root mean square, or all "
        "56 parameters normalised by groups; the original predicts whole meshes in metres around the speaker's own.",
        "Batches of clips with each clip weighing the same in the loss; the original trains one clip a step.",
        "Dropout is drawn once a frame, not anew for the whole prefix at each frame; in the embedded preset the "
        "learning rate warms up and decays.",
        "Attention to the single audio frame of the same time is a linear map: its weight is always one.",
        "Validation runs the loop, where the original's is teacher-forced; the best validation's weights are kept.",
        "With training='teacher' frames are learned in parallel from true earlier ones: the original never does so.",
    )
}
