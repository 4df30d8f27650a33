"""The file ``weights.json`` of a submission: which weights it runs on, so that its code's hash covers their bytes."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import InputError, Problem
from benchmark.storage import write_json
from reference_models.catalogue import NETWORKS
from reference_models.weights import WEIGHTS, find_weights, fusion_name, read_card

PINS_FILE = "weights.json"


class Pins(BaseModel):
    """What ``weights.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    weights: dict[str, dict[str, str]]
    """By track, the SHA-256 of every network's weights by name."""
    root: str | None = None
    """Folder of weights that is looked into before the shipped ones."""
    fusion: str | None = None
    """Variant of MM2Face's ablation; None for the model itself."""
    text_encoder: str | None = None
    """Folder of the frozen text encoder, where the weights' card names one that is not shipped."""
    audio_encoder: str | None = None
    """The same for audio."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders of weights, in the order they are searched."""
        return (Path(self.root), WEIGHTS) if self.root else (WEIGHTS,)

    def track(self, asked: str) -> str:
        """The track whose weights answer for a track: itself, or on a corpus of the user's the one of the same task.

        Raises:
            InputError: There are no weights for such a track.
        """
        task = asked.partition("@")[0].rpartition("/")[2]
        alike = [own for own in self.weights if own.partition("@")[0].rpartition("/")[2] == task]
        found = asked if asked in self.weights else next(iter(alike if asked.endswith("@local") else []), None)
        if found is None:
            raise InputError(Problem("no weights for this track", asked, " or ".join(self.weights) or "weights", asked))
        return found


def read_pins(path: Path) -> Pins:
    """Reads ``weights.json``.

    Raises:
        InputError: It is not there, or holds something else.
    """
    try:
        return Pins.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        mend = "train the model, then run scripts/reference_weights.py"
        raise InputError(Problem("the submission names no weights", str(path), "a file", "none", mend)) from error
    except (ValueError, ValidationError) as error:
        raise InputError(Problem("no list of weights", str(path), "hashes by track and network", str(error))) from error


def write_pins(path: Path, pins: Pins) -> None:
    """Writes ``weights.json``."""
    write_json(path, pins.model_dump(exclude_none=True))


def weight_hashes(
    name: str, track: str, roots: Sequence[Path] = (WEIGHTS,), fusion: str | None = None
) -> dict[str, str]:
    """SHA-256 of the weights of a network and of all it is built on, by name, as their cards say.

    Raises:
        InputError: Weights are missing.
    """
    card = read_card(find_weights(name, track, roots, fusion))
    hashes = {name if fusion is None else f"{name}.{fusion_name(fusion)}": card.sha256}
    for need in NETWORKS[name].needs:
        hashes |= weight_hashes(need, track, roots)
    return hashes


def check_pins(name: str, track: str, pins: Pins, path: Path) -> None:
    """Makes sure that the weights found are those the submission names.

    Raises:
        InputError: Every network whose weights are others.
    """
    found = weight_hashes(name, track, pins.roots, pins.fusion)
    named = pins.weights[track]
    mend = "run scripts/reference_weights.py, and score anew: results name the bytes they are of"
    wrong = [
        Problem("other weights than the submission names", f"{path}: {network}", named.get(network, "none"), sha, mend)
        for network, sha in found.items()
        if named.get(network) != sha
    ]
    if wrong:
        raise InputError(wrong)
