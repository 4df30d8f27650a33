"""Normalisation of FLAME parameters: mean off, groups or vertex effects at unit scale."""

from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.head import HeadModel
from benchmark.protocol import EXPRESSION, JAW, NECK, PARAMETERS

Space = Literal["groups", "vertices"]
_LEAST_DEVIATION = 1e-6
_RIDGE = 0.1
_FRAMES = 20_000
_LEAST_VERTEX_DEVIATION = 1e-4


class Normaliser(nn.Module):
    """A linear map between parameters and coordinates of zero mean and about unit variance.

    ``groups`` divides expression, neck and jaw by one deviation each: dimensions keep their relative size within a
    group, and three angles of neck and jaw are not lost among fifty coefficients.
    ``vertices`` chooses coordinates in which a squared error is the mean squared error of face vertices, each in units
    of its own deviation, plus a tenth of the squared error of the parameters: high components that hardly move a
    vertex no longer weigh as much as those that open the mouth. The neck, which moves no vertex here, has its own
    weight.
    """

    mean: Tensor
    forth: Tensor
    back: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(PARAMETERS))
        self.register_buffer("forth", torch.eye(PARAMETERS))
        self.register_buffer("back", torch.eye(PARAMETERS))

    def forward(self, parameters: Tensor) -> Tensor:
        """Parameters (..., 56) to coordinates (..., 56)."""
        return (parameters - self.mean) @ self.forth

    def inverse(self, coordinates: Tensor) -> Tensor:
        """Coordinates (..., 56) to parameters (..., 56), always in single precision."""
        with torch.autocast(coordinates.device.type, enabled=False):
            return coordinates.float() @ self.back + self.mean

    def fit(self, motion: Tensor, space: Space = "groups", head: HeadModel | None = None, neck: float = 1.0) -> None:
        """Takes the map from training frames.

        Args:
            motion: (N, 56) parameters of training frames.
            space: What squared errors of coordinates mean.
            head: Head model, for ``vertices``.
            neck: Deviation that the neck's coordinates get; more weighs it more.

        Source:
            Guo et al. 2022 (HumanML3D) normalise groups of features by one deviation a group.
        """
        motion = motion.detach().double().cpu()
        mean, std = motion.mean(0), motion.std(0).clamp(min=_LEAST_DEVIATION)
        scale = torch.empty(PARAMETERS, dtype=torch.float64)
        for group in (EXPRESSION, NECK, JAW):
            scale[group] = std[group].square().mean().sqrt()
        forth = torch.diag(1 / scale)
        if space == "vertices":
            if head is None:
                raise ValueError("the space of vertices needs a head model")
            forth[:, :] = _vertex_map(motion, mean, scale, head)
        forth[NECK, NECK] = torch.diag(neck / scale[NECK])
        self.mean.copy_(mean.float())
        self.forth.copy_(forth.float())
        self.back.copy_(torch.linalg.inv(forth).float())


def _vertex_map(motion: Tensor, mean: Tensor, scale: Tensor, head: HeadModel) -> Tensor:
    """(56, 56) map whose squared coordinates are vertex errors: the symmetric root of the metric of vertex effects."""
    chosen = motion[torch.linspace(0, len(motion) - 1, min(len(motion), _FRAMES)).long()].float()
    ids = head.region_ids
    std = head.vertices(chosen, ids).flatten(1).std(0).clamp(min=_LEAST_VERTEX_DEVIATION).cpu()
    step = 0.1 * scale.float()
    ends = mean.float() + torch.diag(step)
    starts = mean.float() - torch.diag(step)
    effect = (head.vertices(ends, ids) - head.vertices(starts, ids)).flatten(1).cpu()  # (56, n_region * 3)
    effect = (effect / (2 * step[:, None]) / std).double()
    metric = effect @ effect.T / effect.shape[1] * PARAMETERS + _RIDGE * torch.diag(1 / scale.square())
    values, vectors = torch.linalg.eigh(metric)
    root: Tensor = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    return root
