"""What talking-head models predict: displacements of the face region from the neutral face, or parameters."""

from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.head import HeadModel
from benchmark.protocol import PARAMETERS
from reference_models.batch import Batch
from reference_models.data import Clips
from reference_models.parts.normalise import Normaliser

Output = Literal["vertices", "parameters"]
_FRAMES = 5000


class FaceTarget(nn.Module):
    """Training targets of width V and the way back to a motion.

    ``vertices``: displacements (B, T, n_region * 3) of the face region from the neutral face, zero shape and neck at
    zero, divided by one number, their root mean square over the training frames, so that learning rates mean the same
    for both outputs. ``parameters``: all 56 normalised by groups.

    Args:
        output: Which.
        head: Head model of the vertices.
    """

    neutral: Tensor
    unit: Tensor

    def __init__(self, output: Output, head: HeadModel) -> None:
        super().__init__()
        self.output = output
        self.width = len(head.region_ids) * 3 if output == "vertices" else PARAMETERS
        self._head = head
        self.normaliser = Normaliser()
        neutral = torch.from_numpy(head.template[head.region_ids]).float().flatten()  # (n_region * 3,)
        self.register_buffer("neutral", neutral, persistent=False)
        self.register_buffer("unit", torch.ones(()))

    def fit(self, clips: Clips) -> None:
        """Takes the scale from training clips."""
        assert clips.motion is not None
        if self.output == "parameters":
            self.normaliser.fit(clips.motion)
            return
        chosen = torch.linspace(0, len(clips.motion) - 1, min(_FRAMES, len(clips.motion))).long()
        moved = self._displacement(clips.motion.cpu()[chosen].to(self.neutral.device))
        self.unit.copy_(moved.square().mean().sqrt())

    def target(self, batch: Batch) -> Tensor:
        """(B, T, V) of a batch's true motions, single precision."""
        assert batch.motion is not None
        with torch.no_grad(), torch.autocast(batch.motion.device.type, enabled=False):
            if self.output == "parameters":
                return self.normaliser(batch.motion)  # type: ignore[no-any-return]
            return self._displacement(batch.motion) / self.unit

    def motion(self, prediction: Tensor) -> Tensor:
        """Predictions (B, T, V) as parameters (B, T, 56), or as vertices (B, T, n_region, 3) in metres."""
        if self.output == "parameters":
            return self.normaliser.inverse(prediction)
        placed = prediction.float() * self.unit + self.neutral
        return placed.view(*placed.shape[:-1], self.width // 3, 3)

    def _displacement(self, motion: Tensor) -> Tensor:
        self._head = self._head.on(motion.device)
        vertices = self._head.vertices(motion, self._head.region_ids)
        return vertices.flatten(-2) - self.neutral
