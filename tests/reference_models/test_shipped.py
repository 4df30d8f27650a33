"""The weights that come with the project: whole, small, loadable without pickle, and able to generate."""

from pathlib import Path
from typing import cast

import pytest
import torch

from benchmark.storage import sha256_file
from reference_models.batch import Batch
from reference_models.catalogue import NETWORKS
from reference_models.data import Clips
from reference_models.parts.draws import Draws
from reference_models.recipe import Network
from reference_models.weights import WEIGHTS, load_network, read_card, readme
from tests.reference_models.toy import toy_clips

FOLDERS = sorted(path.parent for path in WEIGHTS.glob("*/*/*/card.json"))
TOKEN_MODELS_MB, TALKING_HEADS_MB = 18.0, 12.0
MEGABYTE = 1e6


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


def batch_for(text_width: int, audio_width: int) -> tuple[Clips, Batch]:
    clips = toy_clips(3, audio=audio_width > 0, text_width=text_width, audio_width=max(audio_width, 1))
    return clips, clips.batch([0, 1, 2])


def test_there_are_shipped_weights() -> None:
    assert {folder.name for folder in FOLDERS} >= {"vqvae", "mm2face", "t2m_gpt", "tm2t", "mdm"}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_the_card_names_the_bytes_that_lie_beside_it(folder: Path) -> None:
    card = read_card(folder)
    file = folder / "weights.safetensors"
    assert sha256_file(file) == card.sha256
    assert file.stat().st_size == card.bytes
    assert f"{card.track.partition('@')[0]}" == f"mini/{folder.parent.name.partition('@')[0]}"
    assert (folder / "README.md").read_text(encoding="utf-8") == readme(card)
    for need in NETWORKS[card.name].needs:
        assert read_card(folder.parent / need).sha256 == card.needs[need]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_the_weights_load_strictly_and_generate(folder: Path) -> None:
    card = read_card(folder)
    network = load_network(card.name, card.track)
    assert isinstance(network, torch.nn.Module)
    _, batch = batch_for(card.text_width, card.audio_width)
    asked = batch if NETWORKS[card.name].name == "VQVAE" else batch.asked()
    with torch.no_grad():
        motions = cast("Network", network).generate(asked, Draws([1, 2, 3]))
    assert motions.shape[:2] == (3, batch.padded)
    assert bool(torch.isfinite(motions).all())


def test_the_weights_stay_small() -> None:
    sizes = {folder: read_card(folder).bytes / MEGABYTE for folder in FOLDERS}
    talking = sum(size for folder, size in sizes.items() if NETWORKS[folder.name].talking_only)
    assert talking <= TALKING_HEADS_MB
    assert sum(sizes.values()) - talking <= TOKEN_MODELS_MB


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_only_networks_that_hear_ask_for_speech(folder: Path) -> None:
    """A network that ignores speech was once given a card that names an audio encoder: no clip could be generated."""
    card = read_card(folder)
    hears = NETWORKS[card.name].hears and card.track.startswith("mini/talking")
    assert (card.audio_encoder is not None) == hears
    assert (card.audio_width > 0) == hears
