"""T2M-GPT: a causal transformer over motion tokens that begins with the text.

Tokens of the frozen motion tokenizer are predicted one after the other; the text stands before them as one vector, or
as one vector a text. Speech is not used. In training some of the tokens that the network sees are replaced by random
ones, so that it learns to go on after tokens of its own that are not quite right.

Source:
    Zhang et al. 2023, "T2M-GPT: Generating Human Motion from Textual Descriptions with Discrete Representations".
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.protocol import MAX_FRAMES, TEXT_FIELDS
from reference_models.batch import RATE, Batch, masked_mean
from reference_models.data import Clips
from reference_models.parts.attention import Attention, FeedForward, KeysAndValues, sinusoids
from reference_models.parts.draws import Draws
from reference_models.parts.motion_tokens import (
    Length,
    Needed,
    Tokenizer,
    motion_of,
    shortened,
    tokens_of,
    with_end,
)
from reference_models.parts.sampling import Sampling, choose
from reference_models.recipe import Context, Recipe, Schedule

_INITIAL_DEVIATION = 0.02


@dataclass(frozen=True)
class Config:
    """Hyper-parameters."""

    width: int
    """Width of the transformer."""
    blocks: int
    """Number of blocks."""
    heads: int
    """Attention heads."""
    dropout: float = 0.1
    """In attention and feed-forward layers."""
    pkeep: float = 0.5
    """Probability that an input token is kept in training, not replaced by a random one; -1 draws one a batch."""
    shorten: bool = True
    """Whether in training a third of the sequences lose a token at one end."""
    text: Literal["sentence", "sentences"] = "sentence"
    """One vector of the joined text before the tokens, or five vectors of the five texts."""
    length: Length = "forced"
    """Whether motions are as long as asked, or until the end token and then hold their last frame."""
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are drawn. Guidance is not used."""


PRESETS: dict[str, dict[str, Recipe]] = {
    "t2m_gpt": {
        "embedded": Recipe(
            Config(width=112, blocks=4, heads=4, text="sentences"),
            Schedule(2000, batch=64, learning_rate=5e-4, betas=(0.5, 0.9), ema=0.998, validate_every=100),
        ),
        "paper": Recipe(
            Config(width=1024, blocks=18, heads=16),
            Schedule(
                300_000,
                batch=128,
                learning_rate=1e-4,
                warm_up=0,
                betas=(0.5, 0.9),
                weight_decay=1e-6,
                clip=None,
                validate_every=10_000,
            ),
            text_encoder="distilbert-base-uncased",
            audio_encoder="wav2vec2-base-960h",
        ),
    }
}
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "t2m_gpt": (
        "The text vector is the mean of frozen MiniLM (embedded) or DistilBERT (paper) token features, not CLIP's.",
        "The embedded preset puts five vectors, one a text, before the tokens; the original puts one of one text.",
        "The embedded preset has 4 narrow blocks; the original has 18 of width 1024.",
        "Motions have the asked length: the end token is banned; the original stops where it is drawn.",
        "Where the end token may be drawn and comes first, the most likely code is taken; the original takes code 1.",
        "The tokenizer is the benchmark's, with 56 parameters a frame; a last token may hold fewer than four frames.",
        "The learning rate falls as a cosine to a twentieth; the original's falls to it in one step half-way.",
        "The embedded preset warms up, clips gradients, averages weights and has no weight decay.",
        "Weights are chosen by validation likelihood; the original chooses by FID of most likely tokens.",
        "Speech is not used.",
    )
}


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each normalised before and added."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.feed_norm = nn.LayerNorm(config.width)
        self.feed = FeedForward(config.width, 4 * config.width, config.dropout)

    def forward(self, hidden: Tensor, mask: Tensor | None, cache: KeysAndValues | None = None) -> Tensor:
        """(B, N, width) to the same."""
        seen = self.attention(self.attention_norm(hidden), mask=mask, cache=cache)
        hidden = hidden + self.dropout(seen)
        return hidden + self.feed(self.feed_norm(hidden))  # type: ignore[no-any-return]


class T2MGPT(nn.Module):
    """The network.

    Args:
        config: Hyper-parameters.
        context: Needs ``vqvae``.
    """

    positions: Tensor

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        self.config = config
        self._tokenizer: Needed[Tokenizer] = Needed(context.needs["vqvae"])
        self.end = self._tokenizer.on(torch.device("cpu")).codes
        self.first = len(TEXT_FIELDS) if config.text == "sentences" else 1
        self.text = nn.Linear(context.text_width, config.width)
        self.embedding = nn.Embedding(self.end, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, self.end + 1, bias=False)
        positions = sinusoids(self.first + MAX_FRAMES // RATE, config.width)
        self.register_buffer("positions", positions, persistent=False)
        self.apply(_initialise)
        self.ended_first = 0
        """Motions asked for whose first token was the end token, with ``length="predicted"``."""

    def fit(self, clips: Clips) -> None:
        """Takes nothing: the tokenizer has the normalisation."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of a clip's tokens and its end, mean over the clip, then over clips."""
        tokens, lengths = tokens_of(self._tokenizer.on(batch.frames.device), batch), batch.tokens
        if self.training and self.config.shorten:
            tokens, lengths = shortened(tokens, lengths)
        targets, valid = with_end(tokens, lengths, self.end)  # (B, J + 1)
        logits = self(batch, self.corrupted(tokens) if self.training else tokens)
        each = cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")  # (B, J + 1)
        return {"loss": masked_mean(each[..., None], valid).mean()}

    def corrupted(self, tokens: Tensor) -> Tensor:
        """(B, J): tokens, some replaced by random codes."""
        rate = torch.rand((), device=tokens.device) if self.config.pkeep < 0 else self.config.pkeep
        kept = torch.rand(tokens.shape, device=tokens.device) < rate
        return torch.where(kept, tokens, torch.randint_like(tokens, self.end))

    def forward(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Logits of every next token.

        Args:
            batch: Texts.
            tokens: (B, J) tokens so far.

        Returns:
            (B, J + 1, codes + 1): of the first token, after the first, and so on.
        """
        inputs = torch.cat([self.prefix(batch), self.embedding(tokens)], dim=1)
        return self.next_logits(inputs)[:, self.first - 1 :]

    def prefix(self, batch: Batch) -> Tensor:
        """(B, 1 or 5, width): what stands before the tokens."""
        pooled = batch.sentences if self.config.text == "sentences" else batch.sentence[:, None]
        return self.text(pooled)  # type: ignore[no-any-return]

    def next_logits(self, inputs: Tensor, start: int = 0, caches: list[KeysAndValues] | None = None) -> Tensor:
        """Logits after each input.

        Args:
            inputs: (B, N, width) text vectors and embedded tokens; with caches only those that are new.
            start: Position of the first of them.
            caches: One a block, with the keys and values of the positions before.

        Returns:
            (B, N, codes + 1).
        """
        count = inputs.shape[1]
        hidden = inputs + self.positions[start : start + count]
        causal = torch.ones(count, count, dtype=torch.bool, device=inputs.device).tril() if count > 1 else None
        for i, block in enumerate(self.blocks):
            hidden = block(hidden, causal, caches[i] if caches else None)
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]

    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        """(B, T, 56) parameters; each step computes the newest position only."""
        return self._motion(batch, *self.sample(batch, draws))

    def generate_uncached(self, batch: Batch, draws: Draws) -> Tensor:
        """(B, T, 56) parameters, the same as :meth:`generate`; each step computes all positions anew."""
        return self._motion(batch, *self.sample(batch, draws, cached=False))

    @torch.no_grad()
    def sample(self, batch: Batch, draws: Draws, cached: bool = True) -> tuple[Tensor, Tensor]:
        """Draws tokens.

        Returns:
            Tokens (B, J), all of them codes, and (B,) how many came before the end token; all J where it is banned.
        """
        caches = [KeysAndValues() for _ in self.blocks] if cached else None
        inputs, start = self.prefix(batch), 0
        count = torch.zeros_like(batch.frames)
        running = torch.ones_like(batch.frames, dtype=torch.bool)
        tokens: list[Tensor] = []
        for _ in range(batch.padded // RATE):
            logits = self.next_logits(inputs, start, caches)[:, -1].float()
            if self.config.length == "forced":
                logits[:, self.end] = -torch.inf
            token = choose(logits, draws.uniform(logits.device), self.config.sampling)
            running = running & (token != self.end)
            count = count + running
            tokens.append(torch.where(token == self.end, logits[:, : self.end].argmax(-1), token))
            new = self.embedding(tokens[-1])[:, None]  # (B, 1, width)
            if cached:
                inputs, start = new, start + inputs.shape[1]
            else:
                inputs = torch.cat([inputs, new], dim=1)
        return torch.stack(tokens, dim=1), count

    @torch.no_grad()
    def _motion(self, batch: Batch, tokens: Tensor, count: Tensor) -> Tensor:
        self.ended_first += int((count == 0).sum())
        return motion_of(self._tokenizer.on(tokens.device), tokens, count, batch)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_INITIAL_DEVIATION)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
