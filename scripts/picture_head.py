"""Draws the open head's contact sheet: ``python scripts/picture_head.py docs/open_head.png``."""

import sys
from pathlib import Path

import numpy as np
import torch

from benchmark.head import open_head
from benchmark.mini.channels import CHANNELS
from benchmark.mini.open_head import channel_matrix, vertex_colours
from benchmark.render import render, sheet, write_png

POSES: tuple[tuple[float, dict[str, float]], ...] = (
    (0.0, {}),
    (0.0, {"eyeBlink": 1.0}),
    (0.0, {"mouthSmile": 1.0, "cheekSquint": 0.6}),
    (0.25, {}),
    (0.0, {"mouthPucker": 1.0}),
    (0.0, {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.7}),
    (0.0, {"noseSneer": 1.0, "mouthUpperUp": 0.5}),
    (0.1, {"mouthFunnel": 0.8}),
)


def parameters(jaw: float, activations: dict[str, float]) -> torch.Tensor:
    """FLAME parameters (56,) of muscle activations; a name without a side moves both."""
    channels = np.zeros(len(CHANNELS))
    for name, value in activations.items():
        for side in ("",) if name in CHANNELS else ("Left", "Right"):
            channels[CHANNELS.index(name + side)] = value
    motion = np.zeros(56)
    motion[:50], motion[53] = channels @ channel_matrix(), jaw
    return torch.from_numpy(motion).float()


def main(path: Path) -> None:
    """Writes the sheet: each pose from the front and from the side."""
    head, colours = open_head(), vertex_colours()
    poses = [head.vertices(parameters(jaw, activations)).numpy() for jaw, activations in POSES]
    faces = [render(pose, head.faces, colours, size=240, yaw=yaw, span=0.24) for yaw in (0.0, -0.5) for pose in poses]
    write_png(path, sheet(faces, len(POSES)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
