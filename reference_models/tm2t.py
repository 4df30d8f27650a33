"""TM2T: a recurrent network that translates texts into motion tokens, taught also by translating back.

A bidirectional GRU reads the features of all tokens of the five texts; a GRU cell with attention to them writes motion
tokens one after the other. In training, tokens drawn from the network go through a frozen captioner, and the captioner
should find the clip's text in them: what is lost in translation costs. Speech is not used.

Source:
    Guo et al. 2022, "TM2T: Stochastic and Tokenized Modeling for the Reciprocal Generation of 3D Human Motions and
    Texts".
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax, leaky_relu

from reference_models.batch import RATE, Batch, length_mask
from reference_models.data import Clips
from reference_models.parts.both_ways import BothWays
from reference_models.parts.captioner import Captioner, CaptionerConfig, tied_table, token_loss
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

_FORCED_FIRST, _FORCED_LAST = 0.9, 0.1
_ENCODERS = ("distilbert-base-uncased", "wav2vec2-base-960h")
_PAPER = Schedule(
    30_000, batch=64, learning_rate=2e-4, warm_up=0, decay="constant", betas=(0.9, 0.999), clip=0.5, validate_every=500
)


@dataclass(frozen=True)
class Config:
    """Hyper-parameters of the translator."""

    width: int
    """Width of the decoder's state and of the motion tokens' embedding."""
    text: int
    """Width of the text encoder's state in each direction."""
    attention: int
    """Width of what attention compares and of what it brings; most of a step's time goes with it."""
    forcing_steps: int
    """Training steps over which the probability of teacher forcing falls from 0.9 to 0.1."""
    back_translation: float = 1.0
    """Weight of the captioner's loss on drawn tokens; 0 leaves the captioner out."""
    dropout: float = 0.0
    """Of the text features and of the embedded tokens."""
    shorten: bool = True
    """Whether in training a third of the sequences lose a token at one end."""
    length: Length = "forced"
    """Whether motions are as long as asked, or until the end token is most likely and then hold their last frame."""
    sampling: Sampling = field(default_factory=lambda: Sampling(top_k=100))
    """How tokens are drawn. Guidance is not used."""
    compat_flip: bool = False
    """Leaves the backward states in reversed order, as the public code does: attention mixes them with other words."""
    compat_unmasked_attention: bool = False
    """Attends to padding too, as the public code does: a motion then depends on the batch it is made in."""


PRESETS: dict[str, dict[str, Recipe]] = {
    "tm2t_captioner": {
        "embedded": Recipe(
            CaptionerConfig(width=128, layers=2, heads=4, hidden=256, words=256),
            Schedule(400, batch=64, learning_rate=3e-4, validate_every=100),
        ),
        "paper": Recipe(CaptionerConfig(width=512, layers=4, heads=8, hidden=2048, words=1024), _PAPER, *_ENCODERS),
    },
    "tm2t": {
        "embedded": Recipe(
            Config(width=128, text=128, attention=64, forcing_steps=500, dropout=0.1),
            Schedule(500, batch=64, learning_rate=5e-4, clip=0.5, ema=0.998, validate_every=100),
        ),
        "paper": Recipe(Config(width=1024, text=512, attention=1024, forcing_steps=3500), _PAPER, *_ENCODERS),
    },
}
_FEATURES = "Texts are read as frozen MiniLM (embedded) or DistilBERT (paper) token features, not as GloVe vectors."
_TRAINING = (
    "The embedded preset is smaller, with other rates, batches, dropout and decay.",
    "A loss is the mean over a batch's tokens, not their sum.",
    "A third of the sequences lose a token in training as in the original, but clips are never cut at random starts.",
)
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "tm2t_captioner": (
        "Words are the nearest of 256 (embedded) or 1024 (paper) centroids of text token features, found by k-means on "
        "training texts: word ids are not part of the data. The original has the words of a GloVe vocabulary.",
        "It writes up to 64 words of abstract action, facial and head movements; the original 20 of one sentence.",
        "No end token is read after the motion tokens, in training as in back-translation; the original reads one in "
        "training only.",
        _TRAINING[0],
        _TRAINING[1],
        "Motion sequences keep all their tokens in training; the original drops one at an end of a third of them.",
        "It writes nothing in the benchmark; it is there for the translator's loss.",
    ),
    "tm2t": (
        _FEATURES,
        "All tokens of the five texts are read; the original reads 20 words of one sentence.",
        "The backward states stay aligned with their words and attention does not see padding; the public code flips "
        "them once more and attends to padding (compat_flip and compat_unmasked_attention bring this back).",
        "The captioner is in evaluation mode in back-translation; the public code leaves its dropout on.",
        "Both losses are minimised in one step; the public code takes one step for each.",
        "Tokens drawn for back-translation are as many as the clip has; the original's end where its end token is the "
        "most likely.",
        "Teacher forcing falls over the whole training in the embedded preset; over 35 of 300 epochs in the original.",
        "Weights are chosen by validation loss with true tokens read; the original's with its own tokens read.",
        *_TRAINING,
        "Motions have the asked length, no end; the original ends where the end token is the most likely. "
        "With length=predicted it ends so too, but no clip is dropped: an empty motion holds its first token.",
        "There is no adversarial loss of the tokenizer, and all 56 parameters go in and come out.",
        "Speech is not used.",
    ),
}


class Read(NamedTuple):
    """Texts as the decoder sees them."""

    keys: Tensor
    """(B, L, attention)."""
    values: Tensor
    """(B, L, attention)."""
    bias: Tensor
    """(B, L): minus infinity where there is no token."""
    state: Tensor
    """(B, width): the decoder's first state."""

    def twice(self) -> "Read":
        """The same texts for two decodings at once."""
        return Read(*(torch.cat([value, value]) for value in self))


class TM2T(nn.Module):
    """The translator.

    Args:
        config: Hyper-parameters.
        context: Needs ``tm2t_tokenizer``, and for back-translation in training ``tm2t_captioner``.
    """

    step: Tensor

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__()
        self.config = config
        self._tokenizer: Needed[Tokenizer] = Needed(context.needs["tm2t_tokenizer"])
        captioner = context.needs.get("tm2t_captioner")
        self._captioner: Needed[Captioner] | None = Needed(captioner) if captioner is not None else None
        self.end = self._tokenizer.on(torch.device("cpu")).codes
        width, text, attention = config.width, config.text, config.attention
        self.text = nn.Linear(context.text_width, text)
        self.reader = BothWays(text, flip=config.compat_flip)
        self.state = nn.Linear(2 * text, width)
        self.query = nn.Linear(width, attention)
        self.key = nn.Linear(2 * text, attention, bias=False)
        self.value = nn.Linear(2 * text, attention)
        self.merge = nn.Linear(attention + width, width)
        self.norm = nn.LayerNorm(width)
        self.cell = nn.GRUCell(width, width)
        self.table = tied_table(self.end + 2, width)  # codes, end, start
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.ended_first = 0
        """Motions asked for whose first token was the end token, with ``length="predicted"``."""

    def fit(self, clips: Clips) -> None:
        """Takes nothing: the tokenizer has the normalisation, the captioner the words."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the tokens, and of the text that the captioner finds in tokens drawn by the network.

        Both decodings run side by side. With teacher forcing the true tokens are read, without it the most likely
        ones; in evaluation the true ones.

        Raises:
            ValueError: Back-translation without a captioner.
        """
        weight = self.config.back_translation
        if weight and self._captioner is None:
            raise ValueError("back-translation needs the network tm2t_captioner")
        tokens, lengths = tokens_of(self._tokenizer.on(batch.frames.device), batch), batch.tokens
        forced = self._forced()
        if self.training and self.config.shorten:
            tokens, lengths = shortened(tokens, lengths)
        targets, valid = with_end(tokens, lengths, self.end)  # (B, J + 1)
        clips, steps = targets.shape
        drawn: list[Tensor] = []

        def follow(j: int, logits: Tensor) -> Tensor:
            new = self.table(torch.where(forced, targets[:, j], logits[:clips].argmax(-1)))
            if not weight:
                return new  # type: ignore[no-any-return]
            drawn.append(gumbel_softmax(logits[clips:, : self.end], hard=True))
            return torch.cat([new, drawn[-1] @ self.table.weight[: self.end]])

        text = self.read(batch)
        logits = self.decode(text.twice() if weight else text, steps, follow)
        report = {"tokens": token_loss(logits[:clips], targets, valid)}
        if weight and self._captioner is not None:
            captioner = self._captioner.on(tokens.device)
            report["back"] = captioner.caption_loss(torch.stack(drawn[:-1], dim=1), batch)
        return {"loss": report["tokens"] + weight * report.get("back", 0.0), **report}

    def _forced(self) -> Tensor:
        """Scalar bool: whether this batch is taught by true tokens. Counts the steps of training."""
        if not self.training:
            return torch.ones_like(self.step, dtype=torch.bool)
        done = (self.step / self.config.forcing_steps).clamp(max=1)
        self.step += 1
        return torch.rand((), device=done.device) < _FORCED_FIRST + (_FORCED_LAST - _FORCED_FIRST) * done

    def read(self, batch: Batch) -> Read:
        """Encodes the texts in both directions, each clip from its own end."""
        with torch.autocast(batch.text.device.type, enabled=False):
            lengths = batch.text_mask.sum(1).clamp(min=1)
            memory, last = self.reader(self.dropout(self.text(batch.text)), lengths)
            visible = length_mask(lengths, memory.shape[1]) | self.config.compat_unmasked_attention
            bias = torch.zeros_like(memory[..., 0]).masked_fill(~visible, -torch.inf)
            return Read(self.key(memory), self.value(memory), bias, self.state(last))

    def decode(self, text: Read, steps: int, follow: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Runs the decoder.

        Args:
            text: Texts of B decodings.
            steps: Tokens to write.
            follow: Gives the embedding (B, width) of token j, given j and its logits (B, codes + 1).

        Returns:
            (B, steps, codes + 1).
        """
        with torch.autocast(text.keys.device.type, enabled=False):
            state = text.state
            new = self.table.weight[-1].expand_as(state)
            written: list[Tensor] = []
            for j in range(steps):
                scores = (text.keys @ self.query(state)[..., None]).squeeze(-1) / self.config.attention**0.5 + text.bias
                seen = (scores.softmax(-1)[:, None] @ text.values).squeeze(1)  # (B, attention)
                merged = self.norm(self.merge(torch.cat([seen, self.dropout(new)], dim=-1)))
                state = self.cell(leaky_relu(merged, 0.2), state)
                written.append(state @ self.table.weight[:-1].T)
                new = follow(j, written[-1])
            return torch.stack(written, dim=1)

    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        """(B, T, 56) parameters."""
        tokens, count = self.sample(batch, draws)
        self.ended_first += int((count == 0).sum())
        with torch.no_grad():
            return motion_of(self._tokenizer.on(tokens.device), tokens, count, batch)

    @torch.no_grad()
    def sample(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        """Draws tokens.

        Returns:
            Tokens (B, J), and (B,) how many came before the end token was the most likely; all J where it is banned.
        """
        tokens: list[Tensor] = []
        ends: list[Tensor] = []

        def follow(_: int, logits: Tensor) -> Tensor:
            ends.append(logits.argmax(-1) == self.end)
            codes = logits[:, : self.end]
            tokens.append(choose(codes, draws.uniform(logits.device), self.config.sampling))
            return self.table(tokens[-1])  # type: ignore[no-any-return]

        self.decode(self.read(batch), batch.padded // RATE, follow)
        running = (~torch.stack(ends, dim=1)).long().cumprod(1)  # (B, J)
        if self.config.length == "forced":
            running = torch.ones_like(running)
        return torch.stack(tokens, dim=1), running.sum(1)
