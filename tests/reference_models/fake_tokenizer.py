"""A tokenizer for tests, without training."""

import torch
from torch import Tensor, nn


class FakeTokenizer(nn.Module):
    """Sixteen codes from the signs of the first four coefficients of every fourth frame; frames decode to the code."""

    codes = 16

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(56))

    def encode(self, motion: Tensor, frames: Tensor) -> Tensor:
        """Beyond the ends there are tokens that are no codes."""
        high = (motion[:, ::4, :4] > 0).long()  # (B, J, 4)
        tokens = (high * torch.tensor([1, 2, 4, 8], device=motion.device)).sum(-1)
        beyond = torch.arange(tokens.shape[1], device=motion.device) >= (frames[:, None] + 3) // 4
        return tokens.masked_fill(beyond, -7)

    def decode(self, tokens: Tensor, frames: Tensor) -> Tensor:
        """Coefficients that tell the token and the place in it."""
        assert bool(((tokens >= 0) & (tokens < self.codes)).all())
        place = torch.arange(4, device=tokens.device) / 4
        values = (tokens[..., None] + place).flatten(1)  # (B, 4 J)
        values = values * (torch.arange(values.shape[1], device=tokens.device) < frames[:, None])
        return values[..., None] * self.scale
