"""The card beside trained retrieval weights: where they come from and how good they are."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import InputError, Problem

CARD = "card.json"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetrievalScores(_Record):
    """How well a network finds the right item on one split, by Euclidean distance.

    Queries are texts; for audio they are motions, as in the released script.
    """

    n: int
    """Clips."""
    r_precision_1: float | None
    """Exact expectation over random galleries of 32; None with fewer clips than a gallery."""
    r_precision_2: float | None
    r_precision_3: float | None
    full_r_precision_1: float
    """Share of queries whose own item is the nearest of all ``n``."""
    median_rank: float
    """Of the own item among all ``n``, 1 for the nearest."""


class NetworkCard(_Record):
    """One trained network."""

    file: str
    """Weights and normalisation statistics, beside the card."""
    sha256: str
    """Of that file."""
    encoder: str
    """Frozen encoder of the condition: a name such as ``minilm`` or ``logmel``, or a folder."""
    encoder_sha256: str
    text_fields: tuple[str, ...] = ()
    layout: Literal["joined", "fields"] = "fields"
    window: int | None = None
    similarity: Literal["cosine", "euclidean"]
    """What the contrastive loss compared latents by."""
    parameters: int
    """Number of stored weights."""
    steps: int
    """Optimiser steps in all."""
    selected_step: int
    """Step with the best R-precision on validation: the one that is stored."""
    seconds: float
    """Training time."""
    device: str
    scores: dict[str, RetrievalScores]
    """By split, taken with the weights as stored."""
    probes: dict[str, RetrievalScores] = {}
    """On the last split, after the truth was altered in one way: what the network is blind to keeps its score."""


class EvaluatorCard(_Record):
    """A set of trained retrieval networks."""

    schema_version: Literal[1] = 1
    track: str
    """Track id of the training data."""
    splits: dict[str, str]
    """Hash of the clip ids of each split."""
    clips: dict[str, int]
    """Number of clips of each split."""
    seed: int
    head: str
    head_sha256: str
    n_face: int
    licence: str = "MIT"
    networks: dict[Literal["text", "audio"], NetworkCard]
    versions: dict[str, str] = {}
    """Libraries it was trained with."""


def read_card(folder: Path) -> EvaluatorCard:
    """The card of a folder of trained evaluators.

    Raises:
        InputError: Missing, unreadable, or of another layout; all faults listed.
    """
    path = folder / CARD
    try:
        return EvaluatorCard.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(Problem("no such file", str(path), "the card of trained evaluators")) from error
    except ValidationError as error:
        faults = [
            Problem(fault["msg"], f"{path}, {'.'.join(map(str, fault['loc'])) or 'whole file'}")
            for fault in error.errors()
        ]
        raise InputError(faults) from error
