"""A reference model in words: what it is, and how the weights shipped for each track came about."""

import ast
from importlib import import_module
from pathlib import Path
from textwrap import fill

from benchmark.tracks import FROZEN_TRACKS
from reference_models.catalogue import NETWORKS, chain
from reference_models.weights import CARD_FILE, WEIGHTS, WeightsCard, read_card, weights_folder

MODULES = Path(__file__).resolve().parent.parent / "reference_models"
WIDTH = 110


def describe_model(name: str, root: Path = WEIGHTS) -> str:
    """A model's documentation, what differs from the original, and the cards of its weights.

    Args:
        name: A model of the catalogue.
        root: Folder of weights.
    """
    networks = chain(name)
    lines = [f"{name}  {model_docstring(name)}", ""]
    if len(networks) > 1:
        lines += [f"networks trained in this order: {', '.join(networks)}", ""]
    for network in networks:
        if deviations := _deviations(network):
            lines += [f"what differs from the original: {network}"]
            lines += [*(fill(f"- {text}", WIDTH, subsequent_indent="  ") for text in deviations), ""]
    shipped = [
        read_card(folder)
        for track in FROZEN_TRACKS
        for network in networks
        if ((folder := weights_folder(network, track, root)) / CARD_FILE).is_file()
    ]
    lines += [line for card in shipped for line in [*_weights(card), ""]]
    if not shipped:
        lines += ["no weights are shipped; mmbench train makes some"]
    return "\n".join(lines).rstrip()


def model_docstring(name: str) -> str:
    """Documentation of a model's module, read without importing it: a list needs no torch."""
    source = (MODULES / f"{NETWORKS[name].module}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or name


def _deviations(network: str) -> tuple[str, ...]:
    try:
        found: dict[str, tuple[str, ...]] = import_module(f"reference_models.{NETWORKS[network].module}").DEVIATIONS
    except ModuleNotFoundError:
        return ("(told where torch is installed: pip install 'mmbench[eval]')",)
    return found.get(network, ())


def _weights(card: WeightsCard) -> list[str]:
    validation = ", ".join(f"{key} {value:.4g}" for key, value in card.validation.items())
    done = f"{card.steps} steps in {card.seconds:.0f} s on {card.device}"
    return [
        f"weights of {card.name} for {card.track}",
        f"  size      {card.parameters:,} parameters, {card.bytes / 1e6:.2f} MB, SHA-256 {card.sha256}",
        f"  training  preset {card.preset}, seed {card.seed}: {done}",
        f"  selected  step {card.best_step} by the validation split: {validation}",
        f"  features  text {card.text_encoder}, speech {card.audio_encoder or 'none'}, head {card.head}",
    ]
