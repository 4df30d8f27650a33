"""MM2Face: a transformer that writes motion tokens one by one, led by texts and, where there is some, by speech.

The clip's full text (ft), its five texts encoded one by one (ht) and its speech (a) enter either as a prefix of the
motion tokens, by self-attention, or as a memory, by cross-attention. Texts are open to every motion token; of the
speech, token j sees its own four frames only. The fusion says what enters where, e.g. ft|ht+a: self | cross.

Source:
    MMHead 2024, stage 2 of MM2Face, and table 4 for the five fusions.
"""

from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.protocol import MAX_FRAMES, TEXT_FIELDS
from reference_models.batch import RATE, Batch, clip_mean, length_mask
from reference_models.data import Clips
from reference_models.parts.draws import Draws
from reference_models.parts.fusion import FUSIONS, Block, Fusion, Room, without_texts
from reference_models.parts.motion_tokens import Needed, Tokenizer
from reference_models.parts.sampling import Sampling, choose, guided
from reference_models.recipe import Context, Recipe, Schedule

_LONGEST = MAX_FRAMES // RATE


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of MM2Face."""

    fusion: str = FUSIONS[0]
    """One of ``FUSIONS``: sources by self-attention | by cross-attention."""
    width: int = 132
    """Width of the transformer."""
    layers: int = 4
    """Blocks."""
    heads: int = 6
    """Attention heads."""
    hidden: int = 360
    """Width within the feed-forward parts."""
    dropout: float = 0.15
    """Of inputs and of what each part of a block adds."""
    knows_length: bool = True
    """Whether a token knows how many tokens the motion has and how many are left."""
    corruption: float = 0.15
    """Share of input tokens that training replaces by random ones."""
    condition_dropout: float = 0.1
    """Share of training clips that lose all their texts; guidance needs it."""
    field_dropout: float = 0.1
    """Share of the five texts encoded one by one that training hides; one stays."""
    label_smoothing: float = 0.0
    """Of the training loss."""
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=1.0, top_p=0.95, guidance=2.0))
    """How tokens are drawn."""
    silent_guidance: float | None = 5.0
    """Guidance on tracks without speech, where the texts lead alone; None for that of ``sampling``."""

    def __post_init__(self) -> None:
        if self.fusion not in FUSIONS:
            mend = nearest_names(self.fusion, FUSIONS)
            raise InputError(Problem("no such fusion", "mm2face", " or ".join(FUSIONS), self.fusion, mend))


_FAITHFUL = Config(
    width=512,
    layers=8,
    heads=8,
    hidden=2048,
    dropout=0.1,
    knows_length=False,
    corruption=0.0,
    condition_dropout=0.0,
    field_dropout=0.0,
    sampling=Sampling(),
    silent_guidance=None,
)
PRESETS = {
    "mm2face": {
        "embedded": Recipe(
            Config(),
            Schedule(steps=600, batch=32, learning_rate=6e-4, weight_decay=0.02, ema=0.998, validate_every=100),
        ),
        "small": Recipe(  # for ablations on a laptop: every fusion in minutes, all with the same budget
            Config(width=64, layers=2, heads=4, hidden=192),
            Schedule(steps=1600, batch=16, learning_rate=1e-3, weight_decay=0.02, ema=0.998, validate_every=200),
        ),
        "paper": Recipe(
            _FAITHFUL,
            Schedule(steps=100_000, batch=64, learning_rate=1e-4, decay="constant", validate_every=2000),
            text_encoder="distilbert-base-uncased",
            audio_encoder="wav2vec2-base-960h",
        ),
    }
}
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "mm2face": (
        "Sizes, optimiser, schedule and the form of norms and positions are our choice: the paper states none of them.",
        "The number of tokens is given with the clip; no end token is learned.",
        "Only motion tokens use cross-attention, the texts before them do not.",
        "A text token also carries its position and a learned embedding of which text it is of.",
        "A learned token stands where a clip has no text at all.",
        "Speech enters as one linear map of a token's four frames, normalised by the training clips.",
        "Embedded preset: smaller, with MiniLM for DistilBERT and a log-mel spectrogram for wav2vec 2.0.",
        "Embedded preset: a token knows how many tokens the motion has and how many are left.",
        "Embedded preset: training replaces input tokens by random ones and hides texts by chance.",
        "Embedded preset: sampling uses top-p and classifier-free guidance by the texts.",
    )
}


def ablation(recipe: Recipe, fusion: str) -> Recipe:
    """The same recipe with another fusion.

    Args:
        recipe: Of MM2Face.
        fusion: One of ``FUSIONS``.

    Raises:
        InputError: No such fusion.

    Source:
        MMHead 2024, table 4.
    """
    return replace(recipe, config=replace(recipe.config, fusion=fusion))


class MM2Face(nn.Module):
    """Motions from texts and speech by way of a frozen tokenizer's tokens."""

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        if context.audio_width == 0 and config.silent_guidance is not None:
            config = replace(config, sampling=replace(config.sampling, guidance=config.silent_guidance))
        self.config, width = config, config.width
        self.tokenizer: Needed[Tokenizer] = Needed(context.needs["vqvae"])
        self.codes = cast(Tokenizer, context.needs["vqvae"]).codes
        self.fusion = Fusion(config.fusion, width, context)
        self.token = _embedding(self.codes + 1, width)  # the last one begins every motion
        self.place = _embedding(_LONGEST, width)
        self.total = _embedding(_LONGEST + 1, width) if config.knows_length else None
        self.left = _embedding(_LONGEST + 1, width) if config.knows_length else None
        self.dropout = nn.Dropout(config.dropout)
        sizes = (width, config.heads, config.hidden, config.dropout)
        self.blocks = nn.ModuleList(Block(*sizes, crossed=bool(self.fusion.cross)) for _ in range(config.layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, self.codes)

    def fit(self, clips: Clips) -> None:
        """Takes the scale of the speech features from the training clips."""
        self.fusion.fit(clips)

    def forward(
        self, batch: Batch, tokens: Tensor, dropped: Tensor | None = None, shown: Tensor | None = None
    ) -> Tensor:
        """Logits (B, n + 1, codes) of the first n + 1 tokens, each from those before it.

        Args:
            batch: Conditions.
            tokens: (B, n) int64: the first n tokens.
            dropped: (B,) bool: clips whose texts are all hidden.
            shown: (B, 5) bool: which of the five texts are not hidden.
        """
        sources = self.fusion(batch, dropped, shown)
        prefix, steps = sources.prefix.shape[1], tokens.shape[1] + 1
        inputs = self.inputs(batch, pad(tokens, (1, 0), value=self.codes))
        x = self.dropout(torch.cat([sources.prefix, inputs], dim=1))
        sees = sources.sees[:, :, : prefix + steps, : prefix + steps]
        for block in self.blocks:
            x = block(x, sees, sources.memory, sources.sees_memory[:, :, :steps], prefix)
        return self.head(self.norm(x[:, prefix:]))  # type: ignore[no-any-return]

    def inputs(self, batch: Batch, previous: Tensor, first: int = 0) -> Tensor:
        """(B, n, width): tokens (B, n) as inputs of the positions from ``first`` on."""
        place = torch.arange(first, first + previous.shape[1], device=previous.device)
        x: Tensor = self.token(previous) + self.place(place.clamp(max=_LONGEST - 1))
        if self.total is not None and self.left is not None:
            total = batch.tokens[:, None]
            x = x + self.total(total.clamp(max=_LONGEST)) + self.left((total - place).clamp(0, _LONGEST))
        return x

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross entropy of the true motion's tokens: a mean over a clip's tokens, then over clips."""
        tokens, valid = self._encode(batch), length_mask(batch.tokens, batch.padded // RATE)  # (B, J)
        inputs, dropped, shown = self._corrupt(tokens[:, :-1]) if self.training else (tokens[:, :-1], None, None)
        logits = self(batch, inputs, dropped, shown).float().transpose(1, 2)  # (B, codes, J)
        smoothing = self.config.label_smoothing
        loss = clip_mean(cross_entropy(logits, tokens, reduction="none", label_smoothing=smoothing), valid)
        report = {"loss": loss, "accuracy": clip_mean((logits.argmax(1) == tokens).float(), valid)}
        if not self.training:
            report["selection"] = clip_mean(cross_entropy(logits, tokens, reduction="none"), valid)
        return report

    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        """Motions (B, T, 56), drawn token by token."""
        return self._decode(self.sample(batch, draws), batch)

    def generate_uncached(self, batch: Batch, draws: Draws) -> Tensor:
        """The same motions (B, T, 56) the naive way: every step computes all that came before it anew."""
        return self._decode(self.sample_uncached(batch, draws), batch)

    @torch.no_grad()
    def sample(self, batch: Batch, draws: Draws) -> Tensor:
        """Tokens (B, J), with nothing computed twice."""
        streams = [Steps(self, asked) for asked in self._asked(batch)]
        token = batch.frames.new_full((len(batch),), self.codes)
        drawn = []
        for _ in range(batch.padded // RATE):
            token = self._choose([steps(token) for steps in streams], draws)
            drawn.append(token)
        return torch.stack(drawn, dim=1)

    @torch.no_grad()
    def sample_uncached(self, batch: Batch, draws: Draws) -> Tensor:
        """Tokens (B, J), with everything computed at each step."""
        streams = self._asked(batch)
        tokens = batch.frames.new_zeros(len(batch), 0)
        for _ in range(batch.padded // RATE):
            logits = [self(asked, tokens)[:, -1] for asked in streams]
            tokens = torch.cat([tokens, self._choose(logits, draws)[:, None]], dim=1)
        return tokens

    def _asked(self, batch: Batch) -> list[Batch]:
        """What to run for a batch: with guidance, its clips and then the same clips without their texts.

        Cut off, not hidden: the second half then costs about half of the first.
        """
        return [batch] if self.config.sampling.guidance == 1 else [batch, without_texts(batch)]

    def _choose(self, logits: list[Tensor], draws: Draws) -> Tensor:
        """(B,) tokens by the logits (B, codes) of what was asked."""
        best = logits[0].float()
        if len(logits) == 2:
            best = guided(best, logits[1].float(), self.config.sampling.guidance)
        return choose(best, draws.uniform(best.device), self.config.sampling)

    def _corrupt(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By chance: input tokens partly replaced, clips without texts (B,), texts shown (B, 5)."""
        config, size, device = self.config, len(tokens), tokens.device
        wrong = torch.rand(tokens.shape, device=device) < config.corruption
        tokens = torch.where(wrong, torch.randint(self.codes, tokens.shape, device=device), tokens)
        dropped = torch.rand(size, device=device) < config.condition_dropout
        chance = torch.rand(size, len(TEXT_FIELDS), device=device)
        shown = (chance >= config.field_dropout) | (chance == chance.amax(1, keepdim=True))
        return tokens, dropped, shown

    def _encode(self, batch: Batch) -> Tensor:
        """(B, J) true tokens, zeros beyond a clip's end."""
        assert batch.motion is not None
        with torch.no_grad(), torch.autocast(batch.motion.device.type, enabled=False):
            tokens = self.tokenizer.on(batch.motion.device).encode(batch.motion, batch.frames)
        return tokens * length_mask(batch.tokens, tokens.shape[1])

    def _decode(self, tokens: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            return self.tokenizer.on(tokens.device).decode(tokens, batch.frames)


class Steps:
    """MM2Face one token at a time: keys and values of all that came before are kept.

    Args:
        model: In evaluation mode.
        batch: Conditions.
        dropped: (B,) bool: clips whose texts are all hidden.
    """

    def __init__(self, model: MM2Face, batch: Batch, dropped: Tensor | None = None) -> None:
        self._model, self._batch, self._done = model, batch, 0
        self._sources = model.fusion(batch, dropped)
        sizes = self._sources.sees.shape[-1], self._sources.memory.shape[1]
        self._caches = [(Room(sizes[0]), Room(sizes[1])) for _ in model.blocks]
        if prefix := self._sources.prefix.shape[1]:
            self._run(self._sources.prefix, self._sources.sees[:, :, :prefix, :prefix], prefix)

    def __call__(self, previous: Tensor) -> Tensor:
        """Logits (B, codes) of the next token, given the one before it (B,); before the first, that is ``codes``."""
        place = self._sources.prefix.shape[1] + self._done
        x = self._model.inputs(self._batch, previous[:, None], self._done)
        x = self._run(x, self._sources.sees[:, :, place : place + 1, : place + 1], 0)
        self._done += 1
        return self._model.head(self._model.norm(x))[:, 0]  # type: ignore[no-any-return]

    def _run(self, x: Tensor, sees: Tensor, prefix: int) -> Tensor:
        memory, sees_memory = self._sources.memory, self._sources.sees_memory[:, :, self._done : self._done + 1]
        for block, caches in zip(self._model.blocks, self._caches, strict=True):
            x = block(x, sees, memory, sees_memory, prefix, caches)
        return x


def _embedding(size: int, width: int) -> nn.Embedding:
    table = nn.Embedding(size, width)
    nn.init.normal_(table.weight, std=0.02)
    return table
