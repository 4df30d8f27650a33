"""CodeTalker: speech to codes of single frames of the face, each frame decoded from the codes of all before it.

Stage 1, FaceCodes, learns the codes from motions alone. Stage 2, CodeTalker, predicts them frame by frame, fed with
what stage 1 decodes of its own past. Text takes the place of the style. One output a speech: nothing is drawn.

Source:
    Xing et al. 2023 (CodeTalker), sections 3.1 and 3.2; its text slot as in Wu et al. 2024 (MMHead), section 6.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmark.protocol import MAX_FRAMES
from reference_models.batch import Batch, clip_mean, length_mask
from reference_models.data import Clips
from reference_models.parts.attention import KeysAndValues
from reference_models.parts.audio_path import AudioPath
from reference_models.parts.draws import Draws
from reference_models.parts.face_codes import CodesConfig, FaceCodes
from reference_models.parts.face_target import Output
from reference_models.parts.motion_tokens import Needed
from reference_models.parts.periodic import periodic_bias, periodic_codes
from reference_models.parts.post_norm import PostNormLayer
from reference_models.parts.text_slot import Slot, TextSlot
from reference_models.recipe import Context, Recipe, Schedule

__all__ = ["DEVIATIONS", "PRESETS", "CodeTalker", "CodesConfig", "Config", "FaceCodes"]


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of stage 2."""

    width: int = 128
    """Width of the transformer."""
    layers: int = 2
    """Decoder layers."""
    heads: int = 4
    """Heads of an attention."""
    hidden: int = 256
    """Width between a layer's two linear maps."""
    period: int = 25
    """Frames over which positions repeat, and the bias of attention stays."""
    audio_layers: int = 2
    """Convolutions on the speech features; 0 where the frozen encoder has seen the context."""
    dropout: float = 0.1
    """In training."""
    attention_dropout: float = 0.0
    """Of attention weights, in training."""
    slot: Slot = "style"
    """Where the text enters."""
    output: Output = "vertices"
    """As in stage 1."""
    own: float = 0.0
    """Share of past frames in training that are the network's own of a first pass, not the truth's."""
    window: int | None = None
    """Frames stage 1 decodes of the past in each step of generating; None for all, as the original."""
    rollout: int = 32
    """Frames generated in evaluation, from their own past, to select weights by."""


class CodeTalker(nn.Module):
    """Stage 2: a causal transformer over decoded frames that predicts the next frame's codes."""

    bias: Tensor
    places: Tensor

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        codes = context.needs["codetalker_codes"]
        assert isinstance(codes, FaceCodes)
        if codes.config.output != config.output:
            raise ValueError(f"stage 1 gives {codes.config.output}, stage 2 is to give {config.output}")
        self.config, width = config, config.width
        self._needed = Needed[FaceCodes](codes)
        self.audio = AudioPath(context.audio_width, width, config.audio_layers, config.dropout)
        self.text = TextSlot(config.slot, context.text_width, width, codes.target.width)
        self.into = nn.Linear(codes.target.width, width)
        self.layers = nn.ModuleList(
            PostNormLayer(width, config.heads, config.hidden, config.dropout, "own", config.attention_dropout)
            for _ in range(config.layers)
        )
        self.out = nn.Linear(width, codes.width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.dropout = nn.Dropout(config.dropout)
        bias = periodic_bias(config.heads, MAX_FRAMES, config.period)
        self.register_buffer("bias", bias, persistent=False)  # (heads, T, T)
        self.register_buffer("places", periodic_codes(MAX_FRAMES, width, config.period), persistent=False)  # (T, width)

    @property
    def codes(self) -> FaceCodes:
        """Stage 1, where this network is."""
        return self._needed.on(self.out.weight.device)

    def fit(self, clips: Clips) -> None:
        """Takes the scale of speech features from training clips; that of motions is stage 1's."""
        self.audio.fit(clips)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Errors of motion and of features with the true past; in evaluation those of a rollout select."""
        audio, style, offset = self._conditions(batch)
        truth = self.codes.target.target(batch) - offset
        goal, _ = self.codes.quantise(self.codes.encode(truth.detach(), batch.frames), batch.mask)
        features = self._features(self._past(truth.detach(), audio, style, batch), audio, style)
        made = self._decode(features, batch.frames)
        motion = clip_mean((made - truth).square(), batch.mask)
        code = clip_mean((features - goal.detach()).square(), batch.mask)
        losses = {"loss": motion + code, "motion": motion, "code": code}
        if not self.training:
            losses["selection"] = self._rollout_error(batch, truth)
        return losses

    @torch.no_grad()
    def generate(self, batch: Batch, draws: Draws) -> Tensor:  # noqa: ARG002 - nothing is drawn
        """Motions frame by frame: vertices (B, T, n_region, 3) in metres, or parameters (B, T, 56)."""
        features = torch.cat(list(self.steps(batch, batch.padded)), dim=1)
        made = self._decode(features, batch.frames)
        return self.codes.target.motion(made + self.text.offset(batch))

    def steps(self, batch: Batch, frames: int) -> Iterator[Tensor]:
        """Features (B, 1, stage 1's width) of one frame after the other, each from its own decoded past."""
        audio, style, _ = self._conditions(batch)
        caches = [KeysAndValues() for _ in self.layers]
        token, past = style, style.new_zeros(len(batch), 0, self.codes.width)
        for frame in range(frames):
            values = token + self.places[frame]
            for layer, cache in zip(self.layers, caches, strict=True):
                seen = self.bias[:, frame : frame + 1, : frame + 1]
                values = layer(values, audio[:, frame : frame + 1], seen, cache=cache)
            features = self.out(values).float()
            yield features
            codes, _ = self.codes.quantise(features, features.new_ones(len(batch), 1).bool())
            past = torch.cat([past, codes], dim=1)[:, -(self.config.window or frames) :]
            whole = torch.full_like(batch.frames, past.shape[1])
            token = self.into(self.codes.decode(past, whole, last=True)) + style

    def _conditions(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | float]:
        """Speech (B, T, width), style (B, 1, width), and what the text adds to every frame."""
        return self.audio(batch), self.text.style(batch, self.config.width), self.text.offset(batch)

    def _past(self, truth: Tensor, audio: Tensor, style: Tensor, batch: Batch) -> Tensor:
        """(B, T, V): the frames that are fed back in training, some of them perhaps the network's own."""
        if not self.training or self.config.own == 0:
            return truth
        with torch.no_grad():
            made = self._decode(self._features(truth, audio, style), batch.frames)
            chosen = torch.rand(*made.shape[:2], 1, device=made.device) < self.config.own
            return torch.where(chosen, made, truth)

    def _features(self, past: Tensor, audio: Tensor, style: Tensor) -> Tensor:
        """All frames' features (B, T, stage 1's width) at once from the frames before them (B, T, V)."""
        frames = past.shape[1]
        tokens = torch.cat([style, self.into(past[:, :-1]) + style], dim=1)
        values, bias = self.dropout(tokens + self.places[:frames]), self.bias[:, :frames, :frames]
        for layer in self.layers:
            values = layer(values, audio, bias)
        return self.out(values).float()  # type: ignore[no-any-return]

    def _decode(self, features: Tensor, frames: Tensor) -> Tensor:
        """Features (B, T, stage 1's width) quantised and decoded: (B, T, V)."""
        codes, _ = self.codes.quantise(features, length_mask(frames, features.shape[1]))
        return self.codes.decode(codes, frames).float()

    def _rollout_error(self, batch: Batch, truth: Tensor) -> Tensor:
        """Squared error of the first frames when each is fed with what was made before it."""
        frames = min(self.config.rollout, batch.padded)
        features = torch.cat(list(self.steps(batch, frames)), dim=1)
        made = self._decode(features, batch.frames.clamp(max=frames))
        return clip_mean((made - truth[:, :frames]).square(), batch.mask[:, :frames])


_CODES = Schedule(steps=1000, batch=16, learning_rate=5e-4, ema=0.998, validate_every=100)
_EMBEDDED = Schedule(steps=800, batch=16, learning_rate=3e-4, ema=0.998, validate_every=100)
_PAPER = Schedule(
    steps=400_000, batch=16, learning_rate=1e-4, warm_up=0, decay="constant", betas=(0.9, 0.999), clip=None,
    validate_every=5000,
)  # fmt: skip
_ENCODERS = ("distilbert-base-uncased", "wav2vec2-base-960h")

PRESETS: dict[str, dict[str, Recipe]] = {
    "codetalker_codes": {
        "embedded": Recipe(CodesConfig(norm="layer", dropout=0.0), _CODES),
        "paper": Recipe(
            CodesConfig(width=1024, layers=6, heads=8, codes_per_frame=16),
            replace(_PAPER, weight_decay=0.01),
            *_ENCODERS,
        ),
    },
    "codetalker": {
        "embedded": Recipe(Config(own=0.5), _EMBEDDED),
        "paper": Recipe(
            Config(width=1024, layers=6, hidden=2048, audio_layers=0, attention_dropout=0.1), _PAPER, *_ENCODERS
        ),
    },
}
"""Recipes of the networks of this file."""

_BOTH = (
    "Clips are batched with masks: convolutions hold a clip's own last frame and norms count its own frames, where the "
    "original's results change with the batch.",
    "The face is shown from a constant neutral template; targets are divided by one number, their root mean square.",
    "Parameters as output, an option, are not in the original.",
)
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "codetalker_codes": (
        *_BOTH,
        "The original's attention divides by the root of the full width, ours by that of a head's.",
        "Attention's projections have biases, and GELU is exact.",
        "Embedded preset: norms over the channels of a frame. The original's, over the frames of a clip, delete what a "
        "clip holds throughout, such as a smile: nine tenths of it were lost in a trial on parameters, against four.",
        "Embedded preset: narrower, one block a side, 8 codes a frame, no dropout.",
    ),
    "codetalker": (
        *_BOTH,
        "The text's features take the place of the style, or, as an option, of the template.",
        "The first token is the style alone in training as in prediction; the original trains with another one.",
        "Speech features are frozen; the original fine-tunes wav2vec 2.0.",
        "Cross-attention, in which a frame sees only its own speech, is written as the linear map it is.",
        "Embedded preset: half of the past frames in training are the network's own of a first pass, since with true "
        "ones alone it does not learn to go on from its own.",
        "Embedded preset: narrower, no dropout of attention weights, and convolutions on log-mel features.",
        "The first step decodes one frame, not one frame twice, which comes to the same.",
        "Weights are selected by the error of a rollout of the first frames on validation clips, not taken last.",
    ),
}
"""What differs from the originals."""
