"""FaceDiffuser: a recurrent network that takes the noise off a facial motion, given speech and text.

Every step sees the speech, the text, the noisy motion and the diffusion step side by side in each frame. What does not
change from step to step is computed once a clip. Parameters are predicted by default, as in the method's BEAT variant;
face vertices, as in its VOCASET variant, on demand.

Source:
    Stan et al. 2023, "FaceDiffuser: Speech-Driven 3D Facial Animation Synthesis Using Diffusion"; the text beside the
    speech as in MMHead (Wu et al. 2024), section 5.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss, max_pool1d

from reference_models.batch import Batch, clip_mean
from reference_models.data import Clips
from reference_models.parts.audio_path import AudioPath
from reference_models.parts.diffusion import Denoiser, Diffusion
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import FaceTarget, Output
from reference_models.recipe import Context, Recipe, Schedule


@dataclass(frozen=True)
class FaceDiffuserConfig:
    """Hyper-parameters of FaceDiffuser."""

    output: Output = "parameters"
    """What is predicted."""
    text: Literal["concat"] = "concat"
    """Where the text enters: beside the speech, in every frame."""
    width: int = 256
    """Width of the recurrent network."""
    layers: int = 2
    """Its depth."""
    dropout: float = 0.3
    """Between its layers, in training."""
    text_width: int = 128
    """Width that the pooled text is mapped to."""
    time_width: int = 64
    """Width of the code of the diffusion step."""
    audio_width: int | None = 112
    """Width that speech features are mapped to; None takes them as they are."""
    audio_layers: int = 3
    """Convolutions over time after that map."""
    steps: int = 500
    """Diffusion steps trained for."""
    sampler: Literal["ddpm", "ddim"] = "ddim"
    """``ddpm`` takes every step back, as the original; ``ddim`` fewer, without new noise."""
    ddim_steps: int = 50
    """Steps of ``ddim``."""


class FaceCode(nn.Module):
    """A noisy face of many vertices as a short code, frame by frame, by pooling over neighbouring features.

    Args:
        vertices: Numbers a frame.
        width: Width of the code.
    """

    def __init__(self, vertices: int, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(vertices, 2 * width)
        self.mix = nn.Conv1d(1, 1, 9, padding=4)

    def forward(self, noisy: Tensor) -> Tensor:
        """(B, T, vertices) to (B, T, width)."""
        features = self.map(noisy).flatten(0, 1)[:, None]  # (B * T, 1, 2 * width): each frame on its own
        pooled = max_pool1d(self.mix(features).relu(), 2)
        return pooled.reshape(*noisy.shape[:2], -1)


class FaceDiffuser(nn.Module):
    """Diffusion over facial motion by a one-directional recurrent network.

    Args:
        config: Hyper-parameters.
        context: Widths of text and speech features, and the head model for vertices.
    """

    def __init__(self, config: FaceDiffuserConfig, context: Context) -> None:
        super().__init__()
        self.config = config
        mesh = config.output == "vertices"
        self.target = FaceTarget(config.output, context.head_model)
        self.diffusion = Diffusion(config.steps)
        self.text = nn.Linear(context.text_width, config.text_width)
        self.time = nn.Sequential(nn.Embedding(config.steps, config.time_width), nn.Mish())
        self.audio: AudioPath | None = None
        if config.audio_width is not None:
            self.audio = AudioPath(context.audio_width, config.audio_width, config.audio_layers)
        self.face = FaceCode(self.target.width, config.width) if mesh else nn.Identity()
        face_width = config.width if mesh else self.target.width
        joined = (config.audio_width or context.audio_width) + config.text_width + face_width + config.time_width
        self.norm = nn.LayerNorm(joined)
        self.gru = nn.GRU(joined, config.width, config.layers, batch_first=True, dropout=config.dropout)
        self.leave = nn.Linear(config.width, self.target.width)
        if mesh:
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)

    def fit(self, clips: Clips) -> None:
        """Takes the normalisation from training clips."""
        self.target.fit(clips)
        if self.audio is not None:
            self.audio.fit(clips)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Huber loss of the predicted clean motion, each clip weighing the same."""
        clean = self.target.target(batch)
        told = self.told(batch)
        errors = []
        for noisy, step in self.diffusion.tasks(clean):
            predicted = self.denoise(noisy, step, told).float()
            errors.append(clip_mean(huber_loss(predicted, clean, reduction="none"), batch.mask))
        return {"loss": torch.stack(errors).mean()}

    def told(self, batch: Batch) -> Tensor:
        """(B, T, audio + text): speech and text of every frame, the same at every diffusion step."""
        assert batch.audio is not None
        audio = batch.audio if self.audio is None else self.audio(batch)
        text = self.text(batch.sentence)[:, None].expand(-1, batch.padded, -1)
        return torch.cat([audio, text], dim=-1)

    def denoise(self, noisy: Tensor, step: Tensor, told: Tensor) -> Tensor:
        """Clean targets (B, T, V) from noisy ones, their diffusion steps (B,) and what is told (B, T, audio + text)."""
        time = self.time(step)[:, None].expand(-1, noisy.shape[1], -1)
        joined = self.norm(torch.cat([told, self.face(noisy), time], dim=-1))
        with torch.autocast(joined.device.type, enabled=False):  # recurrent kernels want their weights' precision
            hidden, _ = self.gru(joined.float())
        return self.leave(hidden)  # type: ignore[no-any-return]

    @torch.no_grad()
    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        """Motions (B, T, 56), or vertices (B, T, n_region, 3) in metres."""
        told = self.told(batch)
        return self._sample(lambda noisy, step: self.denoise(noisy, step, told), batch, draws)

    @torch.no_grad()
    def generate_slow(self, batch: Batch, draws: Draws, hear: Callable[[], Tensor] | None = None) -> Tensor:
        """The same motions, with the speech heard anew at every diffusion step, as the original does.

        Args:
            batch: Clips asked for.
            draws: Random numbers.
            hear: Runs the frozen audio encoder and gives its features (B, T, d_audio); the batch's own when None.

        Returns:
            As :meth:`generate`.
        """

        def denoise(noisy: Tensor, step: Tensor) -> Tensor:
            return self.denoise(noisy, step, self.told(replace(batch, audio=hear()) if hear else batch))

        return self._sample(denoise, batch, draws)

    def _sample(self, denoise: Denoiser, batch: Batch, draws: Draws) -> Tensor:
        frames, width = batch.padded, self.target.width
        if self.config.sampler == "ddpm":
            return self.target.motion(self.diffusion.ddpm(denoise, frames, width, draws))
        return self.target.motion(self.diffusion.ddim(denoise, frames, width, draws, self.config.ddim_steps))


PRESETS = {
    "facediffuser": {
        "embedded": Recipe(
            FaceDiffuserConfig(),
            Schedule(steps=2000, batch=32, learning_rate=2e-3, ema=0.999, validate_every=200),
        ),
        "paper": Recipe(
            FaceDiffuserConfig(text_width=256, time_width=256, audio_width=None, steps=1000, sampler="ddpm"),
            Schedule(
                steps=320_000,
                batch=1,
                learning_rate=1e-4,
                warm_up=1,
                decay="constant",
                betas=(0.9, 0.999),
                clip=None,
                validate_every=5000,
            ),
            text_encoder="distilbert-base-uncased",
            audio_encoder="wav2vec2-base-960h",
        ),
    }
}
DEVIATIONS = {
    "facediffuser": (
        "Predicts 56 FLAME parameters a frame, or the face region's vertices, normalised; the original leaves its "
        "targets as they are.",
        "The pooled text is mapped and set beside the speech in every frame; the original has no text.",
        "Speech features come frozen and one a motion frame from the suite's encoder; the original fine-tunes HuBERT "
        "and stacks two of its frames.",
        "The step's one-hot code and linear map are an embedding, which is the same function without a bias.",
        "Clips are trained in batches, and loss leaves padding out; the original takes one clip at a time.",
        "Speech is heard once a clip and not once a diffusion step, which changes no output.",
        "The vertex variant has no style code that multiplies the hidden state: there is no fixed set of subjects.",
        "The weights kept are those of the lowest validation loss at four fixed diffusion steps, not the last.",
        "Embedded preset: convolutions over normalised log-mel features stand in for the context that HuBERT features "
        "hold, narrower codes of text and step, a warm-up, a decaying learning rate, clipped gradients "
        "and a running mean of the weights; 500 diffusion steps, of which DDIM takes 50 when sampling.",
    )
}
