"""Choosing tokens from logits: temperature, top-k and top-p, by given random numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_k: int | None = None
    """Only the k most likely tokens; None for all."""
    top_p: float = 1.0
    """Only the fewest tokens whose probabilities reach p."""
    guidance: float = 1.0
    """Classifier-free guidance: logits go this far from those without conditions towards those with; 1 is none."""


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Draws one token a row by the inverse of the cumulative distribution.

    Args:
        logits: (B, K); minus infinity bans a token.
        uniform: (B,) random numbers in [0, 1).
        sampling: How.

    Returns:
        (B,) int64.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits.float() / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    ordered, index = logits.sort(dim=-1, descending=True, stable=True)
    probability = ordered.softmax(-1)
    reached = probability.cumsum(-1)
    probability = probability.masked_fill(reached - probability >= sampling.top_p, 0.0)
    cumulative = probability.cumsum(-1)
    place = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)
    last = (probability > 0).sum(-1) - 1
    return index.gather(1, torch.minimum(place, last)[:, None]).squeeze(1)


def guided(with_conditions: Tensor, without: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance of predictions of any shape.

    Source:
        Ho & Salimans 2022, equation 6.
    """
    return without + scale * (with_conditions - without)
