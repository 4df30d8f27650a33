"""What each step of a training is made of: its clips, its random numbers, its learning rate, its running mean.

Imports torch: import this module inside functions only.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmark.storage import content_hash
from reference_models.recipe import Schedule

State = dict[str, Tensor]
_POOL = 8
"""Batches among which clips are sorted by length."""


def batch_items(lengths: list[int], batch: int, seed: int, first: int = 0) -> Iterator[list[int]]:
    """Endless batches of clip indices, a function of the seed alone, from batch number ``first`` on.

    Each epoch is shuffled, then clips of about equal length are put together, so that little is padded.
    """
    batch = min(batch, len(lengths))
    per_epoch = len(lengths) // batch
    epoch, skip = divmod(first, per_epoch)
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(lengths))
        found: list[list[int]] = []
        for start in range(0, len(order), _POOL * batch):
            pool = sorted(order[start : start + _POOL * batch].tolist(), key=lambda item: lengths[item])
            found += [pool[at : at + batch] for at in range(0, len(pool), batch)]
        whole = [items for items in found if len(items) == batch]
        yield from [whole[at] for at in rng.permutation(len(whole))][skip:]
        epoch, skip = epoch + 1, 0


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Makes dropout and everything else that is drawn a function of the step."""
    torch.manual_seed(int(content_hash(str(seed), str(step), str(rank))[:12], 16))


def optimizer_of(network: torch.nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW; what is no matrix (biases, norms, positions) does not decay."""
    trained = [value for value in network.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in trained if value.dim() > 1], "weight_decay": schedule.weight_decay},
        {"params": [value for value in trained if value.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=schedule.learning_rate, betas=schedule.betas, fused=True
    )


def learning_rate(schedule: Schedule, step: int) -> float:
    """The learning rate of a step.

    >>> learning_rate(Schedule(steps=100, learning_rate=1.0, warm_up=10), 4)
    0.5
    """
    rise = min(1.0, (step + 1) / max(schedule.warm_up, 1))
    if schedule.decay == "constant":
        return schedule.learning_rate * rise
    fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))
    return schedule.learning_rate * min(rise, fall)


@torch.no_grad()
def follow(mean: State, state: State, decay: float) -> None:
    """Moves a running mean of weights towards the weights; what is not floating point is taken over."""
    floats = [key for key, value in state.items() if value.is_floating_point()]
    torch._foreach_lerp_([mean[key] for key in floats], [state[key] for key in floats], 1 - decay)
    for key in state.keys() - set(floats):
        mean[key].copy_(state[key])
