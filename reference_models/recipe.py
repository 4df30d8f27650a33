"""What a network is built on and how it is trained: plain records, no framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmark.head import HeadModel
    from reference_models.batch import Batch
    from reference_models.data import Clips
    from reference_models.parts.draws import Draws

PresetName = Literal["embedded", "small", "paper"]


@dataclass(frozen=True)
class Schedule:
    """How a network is trained."""

    steps: int
    """Optimiser steps."""
    batch: int = 64
    """Clips a step, over all processes."""
    learning_rate: float = 2e-4
    """Highest learning rate."""
    warm_up: int = 100
    """Steps over which the learning rate rises to it."""
    decay: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does afterwards: falls to a twentieth by the last step, or stays."""
    betas: tuple[float, float] = (0.9, 0.99)
    """AdamW's moments."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    clip: float | None = 1.0
    """Largest norm of the gradient; None for any."""
    ema: float | None = None
    """Decay of the running mean of the weights that is validated and kept; None keeps the weights themselves."""
    validate_every: int = 200
    """Steps between validations; the weights of the best one are kept."""
    seed: int = 0
    """Of initialisation, batches and dropout."""


@dataclass(frozen=True)
class Recipe:
    """A network's hyper-parameters and its schedule: what a preset is."""

    config: Any
    """The network's own dataclass of hyper-parameters."""
    schedule: Schedule
    """How it is trained."""
    text_encoder: str = "minilm"
    """Frozen text encoder: ``minilm``, or the name of a folder the user gives, e.g. DistilBERT."""
    audio_encoder: str = "logmel"
    """Frozen audio encoder: ``logmel``, or the name of a folder the user gives, e.g. wav2vec 2.0."""


@dataclass(frozen=True)
class Context:
    """What a network is built on besides its hyper-parameters."""

    text_width: int
    """Width of a text token's features."""
    audio_width: int
    """Width of a frame's speech features; 0 on tracks without speech."""
    head: "HeadModel | None" = None
    """Head model, for networks that give vertices or weigh errors by them; the open head when None."""
    needs: Mapping[str, "nn.Module"] = field(default_factory=dict)
    """Trained, frozen networks this one is built on, by name. They are no part of its weights."""

    @property
    def head_model(self) -> "HeadModel":
        """The head model in use."""
        from benchmark.head import open_head

        return self.head or open_head()


class Network(Protocol):
    """What every trainable module of the reference models offers, besides being a ``torch.nn.Module``.

    It is built by ``Class(config, context)``, its normalisation and whatever else it takes from data are buffers.
    """

    def fit(self, clips: "Clips") -> None:
        """Takes normalisation from the training clips, before the first step. Never sees another split."""

    def losses(self, batch: "Batch") -> dict[str, "Tensor"]:
        """Scalars by name: ``loss`` is minimised in training; in evaluation mode the weights of the lowest
        ``selection`` are kept, or of the lowest ``loss`` where there is none.
        """

    def generate(self, batch: "Batch", draws: "Draws") -> "Tensor":
        """Motions for a batch, in evaluation mode: (B, T, 56) parameters, or (B, T, n_region, 3) vertices in metres.

        Frames beyond a clip's length may hold anything. ``batch.motion`` is None, but for the reconstruction of
        tokenizers. Networks that are only a step towards a generator have no such method.
        """
