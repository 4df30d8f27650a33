"""Gaussian diffusion over motions by networks that predict the clean motion."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from reference_models.parts.draws import Draws

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""Noisy motions (B, T, D) and their steps (B,) to clean motions (B, T, D)."""

_OFFSET = 0.008
_LARGEST_BETA = 0.999
_VALIDATION_STEPS = 4


class Diffusion(nn.Module):
    """The chain from clean motions, step 0, to noise, step ``steps - 1``, and two ways back.

    Cosine schedule, fixed small variance of the way back, no clipping.

    Args:
        steps: Length of the chain.

    Source:
        Ho et al. 2020 (DDPM), Nichol & Dhariwal 2021 (section 3.2: the schedule), Song et al. 2021 (DDIM).
    """

    kept: Tensor
    """(steps,): share of the clean motion's variance that is left after a step, the product of all 1 - beta."""
    clean_weight: Tensor
    """(steps,): of the clean motion in the mean of the step before."""
    noisy_weight: Tensor
    """(steps,): of the noisy motion in the mean of the step before."""
    deviation: Tensor
    """(steps,): standard deviation of the step before."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        beta = cosine_betas(steps)
        kept = torch.cumprod(1 - beta, 0)
        before = torch.cat([kept.new_ones(1), kept[:-1]])
        coefficients = {
            "kept": kept,
            "clean_weight": before.sqrt() * beta / (1 - kept),
            "noisy_weight": (1 - beta).sqrt() * (1 - before) / (1 - kept),
            "deviation": (beta * (1 - before) / (1 - kept)).sqrt(),
        }
        for name, values in coefficients.items():
            self.register_buffer(name, values.float(), persistent=False)

    def noised(self, clean: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """Motions (B, T, D) after the steps (B,) of the chain."""
        kept = self.kept[step][:, None, None]
        return kept.sqrt() * clean + (1 - kept).sqrt() * noise

    def tasks(self, clean: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Noisy motions (B, T, D) and their steps (B,), for a loss.

        In training one uniform step a clip. In evaluation mode each clip at the same few steps over the whole chain, so
        that losses of different weights can be compared.
        """
        rows = len(clean)
        if self.training:
            choices = [torch.randint(self.steps, (rows,), device=clean.device)]
        else:
            places = [int((i + 0.5) / _VALIDATION_STEPS * self.steps) for i in range(_VALIDATION_STEPS)]
            choices = [torch.full((rows,), place, device=clean.device) for place in places]
        for step in choices:
            yield self.noised(clean, step, torch.randn_like(clean)), step

    @torch.no_grad()
    def ddpm(self, denoise: Denoiser, frames: int, width: int, draws: Draws) -> Tensor:
        """Samples (B, frames, width) by all steps of the way back, with new noise at each."""
        motion = draws.normal(frames, width, self.kept.device)
        for step in reversed(range(self.steps)):
            clean = denoise(motion, _all(step, motion)).float()
            motion = self.clean_weight[step] * clean + self.noisy_weight[step] * motion
            if step > 0:
                motion = motion + self.deviation[step] * draws.normal(frames, width, self.kept.device)
        return motion

    @torch.no_grad()
    def ddim(self, denoise: Denoiser, frames: int, width: int, draws: Draws, steps: int) -> Tensor:
        """Samples (B, frames, width) by ``steps`` steps spread over the chain, with noise at the start only."""
        motion = draws.normal(frames, width, self.kept.device)
        places = ddim_steps(self.steps, steps)
        for step, following in zip(places, [*places[1:], None], strict=True):
            clean = denoise(motion, _all(step, motion)).float()
            if following is None:
                return clean
            kept, next_kept = self.kept[step], self.kept[following]
            noise = (motion - kept.sqrt() * clean) / (1 - kept).sqrt()
            motion = next_kept.sqrt() * clean + (1 - next_kept).sqrt() * noise
        return motion


def cosine_betas(steps: int) -> Tensor:
    """(steps,) float64: variance of the noise that each step adds.

    Source:
        Nichol & Dhariwal 2021, section 3.2.
    """
    place = torch.arange(steps + 1, dtype=torch.float64) / steps
    kept = torch.cos((place + _OFFSET) / (1 + _OFFSET) * math.pi / 2).square()
    return (1 - kept[1:] / kept[:-1]).clamp(max=_LARGEST_BETA)


def ddim_steps(steps: int, count: int) -> list[int]:
    """At most ``count`` steps from the last one down to 0, evenly spread."""
    count = min(count, steps)
    return [round((steps - 1) * (1 - i / max(count - 1, 1))) for i in range(count)]


def _all(step: int, motion: Tensor) -> Tensor:
    return torch.full((len(motion),), step, device=motion.device)
