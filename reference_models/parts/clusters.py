"""Acoustic units: speech features cut into a few classes by k-means."""

import torch
from torch import Tensor

_FRAMES = 20_000
_ROUNDS = 25


def cluster_centres(features: Tensor, count: int) -> Tensor:
    """Centres of k-means, the same for the same features.

    Args:
        features: (N, d); of many, some evenly spread ones are used.
        count: Number of classes K.

    Returns:
        (K, d) on the features' device; classes without members keep the frame they began at.

    Source:
        Lloyd 1982; as units of speech, Hsu et al. 2021 (HuBERT), section II.B.
    """
    chosen = _spread(len(features), min(len(features), _FRAMES), features.device)
    features = features[chosen].float()
    centres = features[_spread(len(features), count, features.device)].clone()
    for _ in range(_ROUNDS):
        member = torch.nn.functional.one_hot(nearest_centre(features, centres), count).float()  # (N, K)
        size = member.sum(0)[:, None]
        centres = torch.where(size > 0, member.T @ features / size.clamp(min=1), centres)
    return centres


def nearest_centre(features: Tensor, centres: Tensor) -> Tensor:
    """(...) int64: the nearest of the centres (K, d) to each of the features (..., d)."""
    return (centres.square().sum(1) - 2 * features @ centres.T).argmin(-1)


def _spread(total: int, count: int, device: torch.device) -> Tensor:
    return torch.linspace(0, total - 1, count, device=device).long()
