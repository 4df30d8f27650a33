"""What models of motion tokens share: the frozen networks below them, the ends of sequences, motions from tokens."""

from typing import Generic, Literal, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from reference_models.batch import RATE, Batch, length_mask

Length = Literal["forced", "predicted"]
"""Who says how long a motion is: the condition, or the model's own end token."""
Kind = TypeVar("Kind")
_DROPPED = 1 / 3


class Tokenizer(Protocol):
    """What a motion tokenizer offers."""

    codes: int
    """Size of the codebook."""

    def encode(self, motion: Tensor, frames: Tensor) -> Tensor:
        """Motions (B, T, 56) to tokens (B, T / 4)."""

    def decode(self, tokens: Tensor, frames: Tensor) -> Tensor:
        """Tokens (B, J) to motions (B, 4 J, 56)."""


class Needed(Generic[Kind]):
    """A trained network below this one: frozen, no part of its weights, but on its device when used.

    Args:
        network: The network; it is put in evaluation mode and takes no gradient.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval().requires_grad_(False)
        self._device: torch.device | None = None

    def on(self, device: torch.device) -> Kind:
        """The network, on this device."""
        if device != self._device:
            self._network.to(device)
            self._device = device
        return cast(Kind, self._network)


@torch.no_grad()
def tokens_of(tokenizer: Tokenizer, batch: Batch) -> Tensor:
    """(B, J) int64: tokens of a batch's true motions, zeros beyond the ends."""
    assert batch.motion is not None
    tokens = tokenizer.encode(batch.motion, batch.frames)
    return tokens.masked_fill(~length_mask(batch.tokens, tokens.shape[1]), 0)


def shortened(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Drops one token in a third of the sequences, at head or tail alike; a sequence keeps at least one.

    Args:
        tokens: (B, J).
        lengths: (B,) tokens of each sequence.

    Returns:
        Tokens and lengths of the same shapes.

    Source:
        Guo et al. 2022 (TM2T) and Zhang et al. 2023 (T2M-GPT), their released training code.
    """
    chance, side = torch.rand(2, len(tokens), device=tokens.device)
    dropped = (chance < _DROPPED) & (lengths > 1)
    shift = (dropped & (side < 0.5)).long()
    index = torch.arange(tokens.shape[1], device=tokens.device) + shift[:, None]
    return tokens.gather(1, index.clamp(max=tokens.shape[1] - 1)), lengths - dropped.long()


def with_end(tokens: Tensor, lengths: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """Sequences to predict: tokens, then the end token.

    Args:
        tokens: (B, J).
        lengths: (B,) tokens of each sequence.
        end: The end token.

    Returns:
        Targets (B, J + 1), holding the end token from the end on; and a mask (B, J + 1), True up to the first of them.
    """
    steps = tokens.shape[1] + 1
    longer = torch.cat([tokens, tokens.new_full((len(tokens), 1), end)], dim=1)
    return longer.masked_fill(~length_mask(lengths, steps), end), length_mask(lengths + 1, steps)


def motion_of(tokenizer: Tokenizer, tokens: Tensor, count: Tensor, batch: Batch) -> Tensor:
    """Motions of predicted tokens, as long as asked: longer ones are cut, shorter ones hold their last frame.

    Args:
        tokens: (B, J), J whole tokens of ``batch.padded`` frames.
        count: (B,) tokens that each clip has; less than one counts as one.
        batch: The conditions.

    Returns:
        (B, T, 56).
    """
    frames = torch.minimum(batch.frames, count.clamp(min=1) * RATE)
    motion = tokenizer.decode(tokens, frames)
    index = torch.arange(batch.padded, device=tokens.device).minimum(frames[:, None] - 1)  # (B, T)
    return motion.gather(1, index[..., None].expand(-1, -1, motion.shape[-1]))
