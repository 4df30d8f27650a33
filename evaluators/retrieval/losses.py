"""Training losses of the retrieval networks. Imports torch: import this module inside functions only.

Source:
    Petrovich et al. 2023, TMR, section 3, with the weights and temperature of its released configuration.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

FALSE_NEGATIVE = 0.80
"""Texts more alike than this, on TMR's scale of (cosine + 1) / 2, are no negatives of each other."""

Similarity = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms."""

    reconstruction: float = 1.0
    kl: float = 1e-5
    latent: float = 1e-5
    contrastive: float = 0.1
    temperature: float = 0.1


def reconstruction(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Smooth L1 over real frames only.

    Args:
        predicted: (B, T, D).
        target: (B, T, D).
        mask: (B, T), true for real frames.
    """
    error = functional.smooth_l1_loss(predicted, target, reduction="none").mean(-1)
    return (error * mask).sum() / mask.sum()


def gaussian_kl(mean: Tensor, log_variance: Tensor, to_mean: Tensor, to_log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of diagonal Gaussians (B, d), averaged over batch and dimensions."""
    ratio = (log_variance - to_log_variance).exp() + (mean - to_mean) ** 2 / to_log_variance.exp()
    return 0.5 * (ratio - 1 + to_log_variance - log_variance).mean()


def four_kl_terms(text: tuple[Tensor, Tensor], motion: tuple[Tensor, Tensor]) -> Tensor:
    """Text to motion, motion to text, and each to the standard normal."""
    normal = (torch.zeros_like(text[0]), torch.zeros_like(text[1]))
    pairs = ((text, motion), (motion, text), (motion, normal), (text, normal))
    return torch.stack([gaussian_kl(*one, *other) for one, other in pairs]).sum()


def likeness(text: Tensor, motion: Tensor, similarity: Similarity = "cosine") -> Tensor:
    """How near each text (N, d) and motion (M, d) are, (N, M): their cosine, or minus their distance over sqrt(d)."""
    if similarity == "cosine":
        return functional.normalize(text, dim=-1) @ functional.normalize(motion, dim=-1).T
    squared = (text**2).sum(1)[:, None] + (motion**2).sum(1) - 2 * text @ motion.T
    return -(squared.clamp_min(1e-6) / text.shape[1]).sqrt()


def false_negatives(sentences: Tensor, threshold: float = FALSE_NEGATIVE) -> Tensor:
    """Off-diagonal pairs of sentence embeddings (N, k) that mean nearly the same: (N, N) bool."""
    unit = functional.normalize(sentences, dim=-1)
    alike = unit @ unit.T > 2 * threshold - 1
    return alike & ~torch.eye(len(sentences), dtype=torch.bool, device=sentences.device)


def info_nce(
    text: Tensor,
    motion: Tensor,
    temperature: float = 0.1,
    *,
    ignored: Tensor | None = None,
    similarity: Similarity = "cosine",
    more_motions: Tensor | None = None,
    more_ignored: Tensor | None = None,
    more_weight: float = 1.0,
) -> Tensor:
    """Symmetric contrastive loss over a batch of pairs.

    Args:
        text: (N, d) latents of texts or audio.
        motion: (N, d) latents of their motions.
        temperature: Divides the similarities.
        ignored: (N, N) pairs that count as neither positive nor negative, see `false_negatives`.
        similarity: Cosine as in TMR, or minus the Euclidean distance, which is what the metrics rank by.
        more_motions: (M, d) latents of altered motions, negatives of every text.
        more_ignored: (N, M) pairs of these that are none.
        more_weight: How many ordinary negatives one of them counts for.

    Returns:
        Mean of the two directions' cross-entropies.
    """
    logits = likeness(text, motion, similarity) / temperature
    if ignored is not None:
        logits = logits.masked_fill(ignored, -torch.inf)
    rows = logits
    if more_motions is not None:
        more = likeness(text, more_motions, similarity) / temperature + math.log(more_weight)
        rows = torch.cat([logits, more if more_ignored is None else more.masked_fill(more_ignored, -torch.inf)], dim=1)
    diagonal = torch.arange(len(text), device=text.device)
    return 0.5 * (functional.cross_entropy(rows, diagonal) + functional.cross_entropy(logits.T, diagonal))
