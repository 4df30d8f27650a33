"""Weights on disk: half-precision safetensors beside a card that says how they came about."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError, Problem
from benchmark.storage import atomic_path, sha256_file, write_json
from reference_models.catalogue import NETWORKS
from reference_models.recipe import Context, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmark.head import HeadModel

WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS_FILE, CARD_FILE, README_FILE = "weights.safetensors", "card.json", "README.md"


@dataclass(frozen=True)
class WeightsCard:
    """How a network's weights came about: everything that building them again needs."""

    name: str
    """Name of the network."""
    track: str
    """Track whose training split they learned, with version."""
    preset: str
    """Preset of the recipe."""
    sha256: str
    """Of the weights file."""
    parameters: int
    """Trained numbers."""
    bytes: int
    """Size of the weights file."""
    config: dict[str, Any]
    """Hyper-parameters."""
    schedule: dict[str, Any]
    """How they were trained."""
    text_width: int
    """Width of a text token's features."""
    audio_width: int
    """Width of a frame's speech features; 0 without speech."""
    text_encoder: str
    """Frozen text encoder."""
    audio_encoder: str | None
    """Frozen audio encoder; None where there is no speech."""
    head: str
    """Head model in use."""
    device: str
    """What it was trained on."""
    seconds: float
    """Wall time of the training."""
    steps: int
    """Steps done."""
    best_step: int
    """Step whose weights these are: the best on the validation split."""
    seed: int
    """Of initialisation, batches and dropout."""
    validation: dict[str, float]
    """Losses of these weights on the validation split, before rounding to half precision."""
    needs: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the weights of networks it is built on."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that trained it."""

    @property
    def recipe(self) -> Recipe:
        """The preset's recipe with the hyper-parameters of these weights."""
        preset = NETWORKS[self.name].recipe(self.name, self.preset)
        return Recipe(_restored(preset.config, self.config), preset.schedule, preset.text_encoder, preset.audio_encoder)


def weights_folder(name: str, track: str, root: Path = WEIGHTS) -> Path:
    """Where a network's weights for a track lie."""
    return root / track / name


def read_card(folder: Path) -> WeightsCard:
    """The card beside weights.

    Raises:
        InputError: There is none, or it is no card.
    """
    path = folder / CARD_FILE
    try:
        return WeightsCard(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        mend = f"mmbench train {folder.name} --track {folder.parent.parent.name}/{folder.parent.name}"
        raise InputError(Problem("there are no weights", str(folder), CARD_FILE, "nothing", mend)) from error
    except (ValueError, TypeError) as error:
        raise InputError(Problem("no card of weights", str(path), "a card", str(error))) from error


def save_weights(folder: Path, state: Mapping[str, "Tensor"], card: Mapping[str, Any]) -> WeightsCard:
    """Writes weights as half precision with their card; what is not floating point keeps its type.

    Args:
        folder: Folder of one network and track.
        state: The network's state dictionary.
        card: The card's fields but for hash and size.
    """
    from safetensors.torch import save_file

    halves = {key: _shipped(key, value) for key, value in state.items()}
    with atomic_path(folder / WEIGHTS_FILE) as temporary:
        save_file(halves, temporary)
    file = folder / WEIGHTS_FILE
    facts = asdict(WeightsCard(**card, sha256=sha256_file(file), bytes=file.stat().st_size))
    write_json(folder / CARD_FILE, facts)
    written = read_card(folder)  # as anyone reads it: tuples have become lists
    with atomic_path(folder / README_FILE) as temporary:
        temporary.write_text(readme(written), encoding="utf-8")
    return written


def load_network(
    name: str,
    track: str,
    roots: Sequence[Path] = (WEIGHTS,),
    device: str = "cpu",
    fusion: str | None = None,
    head: "HeadModel | None" = None,
) -> "nn.Module":
    """A trained network in evaluation mode, with the networks it is built on.

    Args:
        name: Network of the catalogue.
        track: Track id with version.
        roots: Folders of weights, searched in order.
        device: Torch device.
        fusion: Variant of MM2Face's ablation; None for the model itself.
        head: Head model of mesh outputs; the open head when None.

    Raises:
        InputError: No weights, or other bytes, tensors or needed networks than the card says.
    """
    folder = find_weights(name, track, roots, fusion)
    card = read_card(folder)
    found = sha256_file(folder / WEIGHTS_FILE)
    if found != card.sha256:
        raise InputError(Problem("these are other weights", str(folder / WEIGHTS_FILE), card.sha256, found))
    needs = {}
    for need in NETWORKS[name].needs:
        sha256 = card.needs[need]
        own = read_card(find_weights(need, track, roots)).sha256
        if own != sha256:
            raise InputError(Problem("built on other weights", str(folder), f"{need} {sha256}", own))
        needs[need] = load_network(need, track, roots, device, head=head)
    network: nn.Module = NETWORKS[name].network(
        card.recipe.config, Context(card.text_width, card.audio_width, head, needs)
    )
    _load_state(network, folder / WEIGHTS_FILE)
    return network.to(device).eval().requires_grad_(False)


def find_weights(name: str, track: str, roots: Iterable[Path] = (WEIGHTS,), fusion: str | None = None) -> Path:
    """Folder of a network's weights in the first root that has them.

    Raises:
        InputError: None has.
    """
    variant = name if fusion is None else f"{name}.{fusion_name(fusion)}"
    folders = [weights_folder(variant, track, root) for root in roots]
    for folder in folders:
        if (folder / CARD_FILE).is_file():
            return folder
    mend = f"mmbench train {name} --track {track}"
    raise InputError(Problem("there are no weights", f"{variant} for {track}", str(folders[0]), "nothing", mend))


def fusion_name(fusion: str) -> str:
    """A fusion variant as part of a file's name.

    >>> fusion_name("ft+ht|a"), fusion_name("|ft+ht+a")
    ('ftht_a', 'none_fthta')
    """
    own, cross = fusion.replace("+", "").split("|")
    return f"{own or 'none'}_{cross or 'none'}"


def _load_state(network: "nn.Module", path: Path) -> None:
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(path), strict=True)
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(Problem("weights do not fit the network", str(path), got=str(error).split("\n")[0])) from error


def _shipped(key: str, value: "Tensor") -> "Tensor":
    """Half precision, but for the normalisation, where a small matrix decides how far every number can be trusted."""
    import torch

    value = value.detach().cpu().contiguous()
    return value.half() if value.dtype == torch.float32 and "normaliser" not in key else value


def _restored(example: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass of the example's kind with values read from JSON: nested ones rebuilt, lists as tuples."""
    restored = {}
    for key, value in values.items():
        own = getattr(example, key)
        if is_dataclass(own):
            restored[key] = _restored(own, value)
        else:
            restored[key] = tuple(value) if isinstance(value, list) else value
    return type(example)(**restored)


def readme(card: WeightsCard) -> str:
    """The card as a page for people."""
    from importlib import import_module

    module = import_module(f"reference_models.{NETWORKS[card.name].module}")
    deviations = "\n".join(f"- {line}" for line in module.DEVIATIONS.get(card.name, ()))
    config = "\n".join(f"- {key}: {value}" for key, value in card.config.items())
    schedule = ", ".join(f"{key} {value}" for key, value in card.schedule.items())
    validation = ", ".join(f"{key} {value:.4g}" for key, value in card.validation.items())
    needs = ", ".join(f"{name} {sha[:12]}" for name, sha in card.needs.items()) or "none"
    speech = card.audio_encoder or "none"
    return f"""# {card.name} for {card.track}

{(module.__doc__ or "").strip()}

## Weights
- {card.parameters:,} parameters, {card.bytes / 1e6:.2f} MB in half precision, SHA-256 {card.sha256}
- built on: {needs}

## Training
- preset {card.preset}, seed {card.seed}, {card.steps} steps in {card.seconds:.0f} s on {card.device}
- weights of step {card.best_step}, the best on the validation split: {validation}
- texts through {card.text_encoder}, speech through {speech}, head {card.head}
- {schedule}

## Hyper-parameters
{config}

## What differs from the original
{deviations or "- nothing"}
"""
