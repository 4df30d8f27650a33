"""Vector quantisers: a codebook that follows its vectors by running means, and one learned by gradient."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from reference_models.parts.clusters import nearest_centre


class Quantised(NamedTuple):
    """What a quantiser makes of latents."""

    latents: Tensor
    """(B, J, d): the nearest codes, gradients passed straight through to the latents."""
    tokens: Tensor
    """(B, J) int64."""
    commitment: Tensor
    """(B, J): mean squared distance that pulls latents to their codes."""
    codebook: Tensor
    """(B, J): mean squared distance that pulls codes to their latents; zeros where running means do."""


class RunningCodebook(nn.Module):
    """Codes are running means of the latents nearest to them; codes that fall out of use start anew at a latent.

    The running sums and whether they were begun are buffers, so that a resumed training goes on with the same codes.

    Args:
        codes: Number of codes K.
        width: Numbers a code.
        decay: Of the running means.
        least: A code used less often than this share of an even use starts anew.

    Source:
        van den Oord et al. 2017, appendix A.1; Zhang et al. 2023 (T2M-GPT), section 3.1, whose absolute threshold is
        scaled to the tokens a step here.
    """

    codebook: Tensor
    count: Tensor
    total: Tensor
    begun: Tensor

    def __init__(self, codes: int, width: int, decay: float = 0.99, least: float = 0.125) -> None:
        super().__init__()
        self.decay, self.least = decay, least
        self.register_buffer("codebook", torch.zeros(codes, width))
        self.register_buffer("count", torch.zeros(codes))
        self.register_buffer("total", torch.zeros(codes, width))
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, latents: Tensor, mask: Tensor) -> Quantised:
        """Quantises latents (B, J, d); positions where the mask (B, J) is False change no code."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            flat, valid = latents.detach().flatten(0, 1), mask.flatten().float()
            if self.training:
                self._begin(flat, valid)
            tokens = nearest_centre(flat, self.codebook)
            if self.training:
                self._follow(flat, valid, tokens)
            codes = self.codebook[tokens].view_as(latents)
            commitment = (latents - codes).square().mean(-1)
            passed = latents + (codes - latents).detach()
            return Quantised(passed, tokens.view(mask.shape), commitment, torch.zeros_like(commitment))

    def _begin(self, flat: Tensor, valid: Tensor) -> None:
        """The first step's latents become codes."""
        first = torch.where(self.begun, self.codebook, drawn(flat, valid, len(self.codebook)))
        share = _summed(valid.sum()) / len(self.codebook)
        self.count.copy_(torch.where(self.begun, self.count, share.expand_as(self.count)))
        self.total.copy_(torch.where(self.begun, self.total, first * share))
        self.codebook.copy_(first)
        self.begun.fill_(True)

    def _follow(self, flat: Tensor, valid: Tensor, tokens: Tensor) -> None:
        """Moves codes to their latents and starts unused ones anew."""
        used = one_hot(tokens, len(self.codebook)).float() * valid[:, None]  # (N, K)
        count, total = _summed(used.sum(0)), _summed(used.T @ flat)
        self.count.lerp_(count, 1 - self.decay)
        self.total.lerp_(total, 1 - self.decay)
        even = count.sum() / len(self.codebook)
        unused = (self.count < self.least * even)[:, None]
        candidates = drawn(flat, valid, len(self.codebook))
        self.total.copy_(torch.where(unused, candidates * even, self.total))
        self.count.copy_(torch.where(unused[:, 0], even.expand_as(self.count), self.count))
        self.codebook.copy_(self.total / self.count.clamp(min=1e-6)[:, None])


class LearnedCodebook(nn.Module):
    """Codes are parameters, pulled to the latents by the codebook loss; they begin at latents of the first step.

    Args:
        codes: Number of codes K.
        width: Numbers a code.

    Source:
        van den Oord et al. 2017, equation 3; used by TM2T (Guo et al. 2022).
    """

    begun: Tensor

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.codebook = nn.Parameter(torch.empty(codes, width).uniform_(-1 / codes, 1 / codes))
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, latents: Tensor, mask: Tensor) -> Quantised:
        """Quantises latents (B, J, d); positions where the mask (B, J) is False give no code its start."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            if self.training:
                self._begin(latents.detach().flatten(0, 1), mask.flatten().float())
            tokens = nearest_centre(latents.detach().flatten(0, 1), self.codebook.detach())
            codes = self.codebook[tokens].view_as(latents)
            commitment = (latents - codes.detach()).square().mean(-1)
            pulled = (latents.detach() - codes).square().mean(-1)
            passed = latents + (codes - latents).detach()
            return Quantised(passed, tokens.view(mask.shape), commitment, pulled)

    @torch.no_grad()
    def _begin(self, flat: Tensor, valid: Tensor) -> None:
        """The first step's latents become codes."""
        self.codebook.copy_(torch.where(self.begun, self.codebook, drawn(flat, valid, len(self.codebook))))
        self.begun.fill_(True)


def drawn(flat: Tensor, valid: Tensor, codes: int) -> Tensor:
    """(K, d): latents (N, d) of this step drawn with replacement, the same ones in every process."""
    chosen = torch.multinomial(valid + 1e-12, codes, replacement=True)
    return _from_first(flat[chosen])


def _summed(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
    return values


def _from_first(values: Tensor) -> Tensor:
    """The first process's values in every process."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        values = values.contiguous()
        torch.distributed.broadcast(values, 0)
    return values
