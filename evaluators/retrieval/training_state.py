"""The state of a training run, saved so that it goes on exactly where it stopped.

Every random choice of a step is a function of the seed and the step's number, so a state needs no generators.
Imports torch: import this module inside functions only.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchmark.errors import InputError, Problem
from benchmark.storage import atomic_path
from evaluators.retrieval.networks import RetrievalNetwork
from evaluators.retrieval.synchrony import SynchronyNetwork
from evaluators.retrieval.timeline import TimelineNetwork


@dataclass
class TrainingState:
    """A network on its way."""

    network: RetrievalNetwork | TimelineNetwork | SynchronyNetwork
    optimiser: torch.optim.AdamW
    step: int = 0
    """Optimiser steps done."""
    best_score: float = -1.0
    """Best score on validation."""
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights at that step."""
    seconds: float = 0.0
    """Time spent training so far."""

    def save(self, path: Path, run: str) -> None:
        """Writes the state atomically; ``run`` names the settings it belongs to."""
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in self.best.items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{key}": torch.as_tensor(value) for key, value in values.items()}
        numbers = {name: getattr(self, name) for name in ("step", "best_score", "best_step", "seconds")}
        with atomic_path(path) as temporary:
            copied = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
            save_file(copied, temporary, metadata={"run": run, "numbers": json.dumps(numbers)})

    def restore(self, path: Path, run: str) -> None:
        """Goes back to a saved state.

        Raises:
            InputError: It belongs to a run with other data or settings.
        """
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata()
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if metadata["run"] != run:
            mend = "start without resuming, or in another folder"
            raise InputError(Problem("belongs to a run with other data or settings", str(path), mend=mend))
        self.network.load_state_dict(_under(tensors, "network."))
        self.best = _under(tensors, "best.")
        steps: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, "optimiser.").items():
            index, name = key.split(".", 1)
            steps.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": steps})
        for name, number in json.loads(metadata["numbers"]).items():
            setattr(self, name, number)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
