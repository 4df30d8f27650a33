"""Periodic attention bias and periodic position codes of the autoregressive talking heads."""

import torch
from torch import Tensor

from reference_models.parts.attention import sinusoids


def lag_bias(heads: int, frames: int, period: int) -> Tensor:
    """(heads, frames): what is added to the attention of a frame to the one ``lag`` frames before it.

    The first head's slope is 2^(-8 / heads), each further head's that much smaller; it counts whole periods.

    Source:
        Fan et al. 2022 (FaceFormer), section 3.2, after Press et al. 2022 (ALiBi).
    """
    slopes = 2.0 ** (-8.0 / heads * torch.arange(1, heads + 1))
    return -slopes[:, None] * (torch.arange(frames) // period)


def causal_bias(lags: Tensor) -> Tensor:
    """(heads, T, T) additive mask from a bias by lag (heads, T): minus infinity where a frame would see a later one."""
    frames = lags.shape[1]
    place = torch.arange(frames, device=lags.device)
    lag = place[:, None] - place
    return lags[:, lag.clamp(min=0)].masked_fill(lag < 0, -torch.inf)


def periodic_bias(heads: int, frames: int, period: int) -> Tensor:
    """(heads, frames, frames) causal periodic ALiBi bias: minus slope times whole periods between query and key."""
    return causal_bias(lag_bias(heads, frames, period))


def periodic_codes(frames: int, width: int, period: int) -> Tensor:
    """(frames, width) sinusoidal position codes that start again each period.

    Source:
        Fan et al. 2022 (FaceFormer), section 3.2.
    """
    return sinusoids(period, width).repeat(-(-frames // period), 1)[:frames]
