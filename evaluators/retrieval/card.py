"""The card beside trained retrieval weights: where they come from and how good they are."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import InputError, Problem
from evaluators.retrieval.layout import TextLayout

CARD = "card.json"
Kind = Literal["text", "audio"]


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


class ProbeScores(_Record):
    """What one alteration of all clips costs; see `evaluators.retrieval.probes`.

    R@1 is the exact expectation over random galleries of 32, drawn from the whole split; queries are the concerned
    clips only.
    """

    what: str
    """What was altered."""
    concerned: str
    """The clips it concerns, in words."""
    n: int
    """How many these are."""
    truth: float | None
    """R@1 of these clips unaltered; None where there are none."""
    after: float | None
    """R@1 of these clips, all clips altered."""
    loss: float | None
    """``truth`` less ``after``."""
    all_after: float
    """R@1 of all clips, all altered."""
    distance_truth: float
    """Mean distance of what belongs together, over all clips."""
    distance_after: float
    """The same, all clips altered."""


class FieldScores(_Record):
    """R@1 of all clips, galleries of 32, by how a text field is used."""

    without: float | None
    """By all other fields; None where there is no other."""
    alone: float
    """By this field only."""


class FidFloor(_Record):
    """FID between random halves of the truth in a text network's space: smaller differences mean nothing."""

    value: float
    """Mean over splits."""
    n: int
    """Clips in a half."""
    splits: int
    seed: int
    at_split_size: float
    """``value`` brought to the number of clips of the split: the bias falls as 1/n."""


class NetworkReport(_Record):
    """All that is measured of one network on one split."""

    scores: RetrievalScores
    probes: dict[str, ProbeScores] = {}
    fields: dict[str, FieldScores] = {}
    """By text field; empty for audio."""
    fid_floor: FidFloor | None = None
    """Of a text network."""


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
    layout: TextLayout = "fields"
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
    probes: dict[str, ProbeScores] = {}
    """On test, after the truth was altered in one way: what the network is blind to costs nothing."""
    fields: dict[str, FieldScores] = {}
    """On test, by text field; empty for audio."""
    fid_floor: FidFloor | None = None
    """On test; of a text network."""

    def report(self) -> NetworkReport | None:
        """What was measured on test, where probes are taken, or None where nothing was."""
        if "test" not in self.scores:
            return None
        return NetworkReport(
            scores=self.scores["test"], probes=self.probes, fields=self.fields, fid_floor=self.fid_floor
        )


class EvaluatorCard(_Record):
    """A set of trained retrieval networks."""

    schema_version: Literal[2] = 2
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
    networks: dict[Kind, NetworkCard]
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
