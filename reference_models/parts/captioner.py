"""TM2T's captioner: a transformer that reads motion tokens and writes words, by which translations are judged.

Source:
    Guo et al. 2022 (TM2T), the motion-to-text network.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from benchmark.protocol import MAX_FRAMES
from reference_models.batch import RATE, Batch, length_mask
from reference_models.data import Clips
from reference_models.parts.attention import sinusoids
from reference_models.parts.motion_tokens import Needed, Tokenizer, tokens_of, with_end
from reference_models.parts.post_norm import PostNormLayer
from reference_models.parts.words import Words
from reference_models.recipe import Context


@dataclass(frozen=True)
class CaptionerConfig:
    """Hyper-parameters of the captioner."""

    width: int
    """Width of the transformer."""
    layers: int
    """Layers of its encoder, and of its decoder."""
    heads: int
    """Attention heads."""
    hidden: int
    """Width within the feed-forward layers."""
    words: int
    """Size of the vocabulary."""
    longest: int = 64
    """Words of a clip's text that are predicted; the rest is cut off."""
    dropout: float = 0.1
    """In all layers and of their inputs."""


class Captioner(nn.Module):
    """A transformer from motion tokens to words, with one table for words read and words predicted.

    Args:
        config: Hyper-parameters.
        context: Needs ``tm2t_tokenizer``.
    """

    positions: Tensor

    def __init__(self, config: CaptionerConfig, context: Context) -> None:
        super().__init__()
        self.config = config
        self._tokenizer: Needed[Tokenizer] = Needed(context.needs["tm2t_tokenizer"])
        self.codes = self._tokenizer.on(torch.device("cpu")).codes
        self.words = Words(config.words, context.text_width, config.longest)
        self.motion = tied_table(self.codes, config.width)
        self.table = tied_table(config.words + 2, config.width)  # words, end, start
        shape = (config.width, config.heads, config.hidden, config.dropout)
        self.encoder = nn.ModuleList(PostNormLayer(*shape, memory="none") for _ in range(config.layers))
        self.decoder = nn.ModuleList(PostNormLayer(*shape, memory="all") for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        positions = sinusoids(max(MAX_FRAMES // RATE, config.longest + 1), config.width)
        self.register_buffer("positions", positions, persistent=False)

    def fit(self, clips: Clips) -> None:
        """Takes the vocabulary from the training texts."""
        self.words.fit(clips)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the words and the end of the text."""
        tokens = tokens_of(self._tokenizer.on(batch.frames.device), batch)
        return {"loss": self.caption_loss(one_hot(tokens, self.codes).float(), batch)}

    def caption_loss(self, motion: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of a batch's words, given motion tokens.

        Args:
            motion: (B, J, codes) one-hot; a gradient goes through.
            batch: Texts, and lengths of the motions.
        """
        words, lengths = self.words(batch)
        end = self.config.words
        targets, valid = with_end(words, lengths, end)  # (B, W + 1)
        read = torch.cat([torch.full_like(words[:, :1], end + 1), words], dim=1)
        logits = self(motion, length_mask(batch.tokens, motion.shape[1]), read)
        return token_loss(logits, targets, valid)

    def forward(self, motion: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Logits of every next word.

        Args:
            motion: (B, J, codes) one-hot.
            mask: (B, J) bool: True where there is a token.
            words: (B, W) words so far, the start first.

        Returns:
            (B, W, words + 1), the last of them of the end.
        """
        visible = mask[:, None, None]
        memory = self._placed(motion @ self.motion.weight)
        for layer in self.encoder:
            memory = layer(memory, mask=visible)
        steps = words.shape[1]
        causal = torch.ones(steps, steps, dtype=torch.bool, device=words.device).tril()
        hidden = self._placed(self.table(words))
        for layer in self.decoder:
            hidden = layer(hidden, memory, causal, visible)
        return hidden @ self.table.weight[:-1].T

    def _placed(self, embedded: Tensor) -> Tensor:
        scaled = embedded * self.config.width**0.5 + self.positions[: embedded.shape[1]]
        return self.dropout(scaled)  # type: ignore[no-any-return]


def tied_table(rows: int, width: int) -> nn.Embedding:
    """An embedding that may also predict: its rows have about unit length."""
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=width**-0.5)
    return table


def token_loss(logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid tokens of a batch."""
    each = cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")
    return (each * valid).sum() / valid.sum()
