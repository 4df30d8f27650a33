"""A trained reference model as a generator: conditions through the frozen encoders, motions out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark.errors import InputError, Problem
from benchmark.protocol import Condition, Motion
from benchmark.storage import content_hash
from reference_models.pins import check_pins, read_pins
from reference_models.weights import WEIGHTS, find_weights, load_network, read_card

if TYPE_CHECKING:
    from torch import Tensor

    from reference_models.recipe import Network

BATCH = 32
"""Clips of about equal length that a network is asked for at a time."""


class ReferenceGenerator:
    """Generates motions with trained weights. A clip's motion depends on its texts, speech, length and the seed alone.

    Args:
        name: Network of the catalogue.
        track: Track the weights were trained for, with version.
        roots: Folders of weights, searched in order.
        batch: Clips the network is asked for at a time.
        fusion: Variant of MM2Face's ablation; None for the model itself.
        text_encoder: Folder of the frozen text encoder, where the card names one that is not shipped.
        audio_encoder: The same for audio.
        device: Torch device.

    Raises:
        InputError: No weights, other weights than their card says, or an encoder that is not there.
    """

    def __init__(
        self,
        name: str,
        track: str,
        roots: Sequence[Path] = (WEIGHTS,),
        batch: int = BATCH,
        fusion: str | None = None,
        *,
        text_encoder: str | None = None,
        audio_encoder: str | None = None,
        device: str = "cpu",
    ) -> None:
        from benchmark import features

        card = read_card(find_weights(name, track, roots, fusion))
        self._network = cast("Network", load_network(name, track, roots, device, fusion))
        self._text = features.text_encoder(_place(card.text_encoder, text_encoder, "minilm"), device)
        hears = card.audio_encoder is not None
        self._audio = features.audio_encoder(_place(card.audio_encoder, audio_encoder, "logmel")) if hears else None
        self._batch, self._device = batch, device

    def generate(self, conditions: Sequence[Condition], seed: int) -> list[Motion]:
        """One motion a condition, in order: parameters, or vertices of mesh methods."""
        import torch

        from reference_models.data import features_of
        from reference_models.parts.draws import Draws

        clips = features_of(conditions, None, self._text, self._audio).to(self._device)
        seeds = [row_seed(condition, seed) for condition in conditions]
        order = sorted(range(len(conditions)), key=lambda row: conditions[row].frames)  # little padding in a batch
        motions: dict[int, Motion] = {}
        for first in range(0, len(order), self._batch):
            rows = order[first : first + self._batch]
            with torch.no_grad():
                made = self._network.generate(clips.batch(rows), Draws([seeds[row] for row in rows]))
            for row, motion in zip(rows, made, strict=True):
                motions[row] = as_motion(motion, conditions[row].frames)
        return [motions[row] for row in range(len(conditions))]


def pinned(name: str, track: str, folder: Path) -> ReferenceGenerator:
    """The generator of a submission, which runs on the weights its ``weights.json`` names and on no others.

    Args:
        name: Network of the catalogue.
        track: Track the submission is asked on; on a corpus of the user's the weights of the same task answer.
        folder: The submission.

    Raises:
        InputError: No weights for this track, or others than named.
    """
    path = folder / "weights.json"
    pins = read_pins(path)
    own = pins.track(track)
    check_pins(name, own, pins, path)
    return ReferenceGenerator(
        name,
        own,
        pins.roots,
        fusion=pins.fusion,
        text_encoder=pins.text_encoder,
        audio_encoder=pins.audio_encoder,
    )


def row_seed(condition: Condition, seed: int) -> int:
    """Seed of one clip: from the call's seed, the five texts, their sum and the length, never from id or place."""
    from reference_models.data import six_texts

    return int(content_hash(str(seed), six_texts(condition.texts), str(condition.frames))[:15], 16)


def as_motion(made: "Tensor", frames: int) -> Motion:
    """A network's output (T, 56) or (T, n_region, 3) cut to its clip's frames."""
    array = made[:frames].float().cpu().numpy().copy()
    return Motion(parameters=array) if array.ndim == 2 else Motion(vertices=array)


def _place(named: str | None, folder: str | None, shipped: str) -> str | Path:
    """What the feature functions take: the shipped encoder's name, or the folder in its place."""
    if named == shipped:
        return shipped
    if folder is None:
        mend = "name its folder in weights.json: text_encoder, audio_encoder"
        raise InputError(Problem("the weights' encoder is not shipped", "weights.json", str(named), "no folder", mend))
    return Path(folder)
