"""Features cut into a few classes by k-means, and the nearest of some centres."""

import torch
from torch import Tensor

_FRAMES = 20_000
_ROUNDS = 25


def cluster_centres(features: Tensor, count: int) -> Tensor:
    """Centres of k-means begun at evenly spread features, the same for the same features: acoustic units.

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
    return k_means(features, centres, _ROUNDS)


def k_means(features: Tensor, centres: Tensor, rounds: int) -> Tensor:
    """Centres (K, d) of features (N, d) after so many rounds; one that nothing is near to stays where it is."""
    for _ in range(rounds):
        member = nearest_centre(features, centres)
        sums = torch.zeros_like(centres).index_add_(0, member, features)
        size = torch.bincount(member, minlength=len(centres))[:, None]
        centres = torch.where(size > 0, sums / size.clamp(min=1), centres)
    return centres


def nearest_centre(features: Tensor, centres: Tensor) -> Tensor:
    """(...) int64: the nearest of the centres (K, d) to each of the features (..., d)."""
    return (centres.square().sum(1) - 2 * features @ centres.T).argmin(-1)


def _spread(total: int, count: int, device: torch.device) -> Tensor:
    return torch.linspace(0, total - 1, count, device=device).long()
