"""Random numbers for sampling: each row of a batch has a generator of its own."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.protocol import MAX_FRAMES


class Draws:
    """Random numbers of a batch's rows, each row's from its own seed: a clip's motion does not depend on its batch.

    Drawn on the CPU by numpy, so that they are the same on every device.

    Args:
        seeds: One a row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._rows = [np.random.default_rng(seed) for seed in seeds]

    def uniform(self, device: torch.device) -> Tensor:
        """(B,) float32 in [0, 1): the next number of every row."""
        return torch.tensor([row.random(dtype=np.float32) for row in self._rows], device=device)

    def normal(self, frames: int, width: int, device: torch.device) -> Tensor:
        """(B, frames, width) float32 standard normal numbers.

        Every row draws for the longest clip there can be and keeps what it needs, so that its numbers do not depend on
        how far the batch is padded.
        """
        longest = max(frames, MAX_FRAMES)
        rows = [row.standard_normal((longest, width), dtype=np.float32)[:frames] for row in self._rows]
        return torch.from_numpy(np.stack(rows)).to(device)
