"""A recurrent network that reads padded sequences in both directions, each from its own end."""

import torch
from torch import Tensor, nn

from reference_models.batch import length_mask


class BothWays(nn.Module):
    """Two GRUs with learned first states; the same as one over packed sequences, but lengths stay on the device.

    Args:
        width: Width of the input and of the states of each direction.
        flip: Leaves the backward states in the order in which they were made, beside other positions' forward states.

    Source:
        Cho et al. 2014, section 2.3, for the unit.
    """

    def __init__(self, width: int, flip: bool = False) -> None:
        super().__init__()
        self.flip = flip
        self.ahead = nn.GRU(width, width, batch_first=True)
        self.back = nn.GRU(width, width, batch_first=True)
        self.first = nn.Parameter(torch.zeros(2, 1, 1, width))

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Reads.

        Args:
            values: (B, N, width).
            lengths: (B,) at least 1.

        Returns:
            States (B, N, 2 width), zeros beyond the ends; and the last states of both directions (B, 2 width).
        """
        mask = length_mask(lengths, values.shape[1])
        place = torch.arange(values.shape[1], device=lengths.device)
        mirror = torch.where(mask, lengths[:, None] - 1 - place, place)[..., None].expand_as(values)  # (B, N, width)
        first = self.first.expand(-1, 1, len(values), -1).contiguous()
        ahead, _ = self.ahead(values, first[0])
        back, _ = self.back(values.gather(1, mirror), first[1])
        states = torch.cat([ahead, back if self.flip else back.gather(1, mirror)], dim=-1)
        ends = (lengths - 1)[:, None, None].expand(-1, 1, values.shape[2])
        last = torch.cat([ahead.gather(1, ends), back.gather(1, ends)], dim=-1).squeeze(1)
        return states * mask[..., None], last
