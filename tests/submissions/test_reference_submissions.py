"""The reference submissions: thin, alike, and bound to the bytes of their weights."""

from pathlib import Path

import pytest

from benchmark.submission import load_submission
from benchmark.tracks import FROZEN_TRACKS
from reference_models.catalogue import MODELS, NETWORKS
from reference_models.pins import PINS_FILE, read_pins, weight_hashes
from reference_models.weights import WEIGHTS_FILE, weights_folder
from scripts.reference_weights import write_weights_json
from tests.conftest import ROOT
from tests.reference_models.test_generator import card, write_cards

FOLDERS = {name: ROOT / "submissions" / name for name in MODELS}
PINNED = [name for name in MODELS if (FOLDERS[name] / PINS_FILE).is_file()]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_a_submission_of_its_name_on_the_tracks_it_can_enter(name: str) -> None:
    found = load_submission(FOLDERS[name]).card
    assert found.name == name and found.licence == "MIT" and found.description
    for track in FROZEN_TRACKS.values():
        assert found.enters(track.id) == (track.has_audio or not NETWORKS[name].talking_only)
    assert (FOLDERS[name] / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
    if name == "vqvae":
        assert found.kind == "predictions" and "not a generator" in found.description
        return
    assert found.kind == "code" and found.needs_track and found.output in ("parameters", "vertices")
    assert len((FOLDERS[name] / "generator.py").read_text(encoding="utf-8").splitlines()) < 15
    assert f'pinned("{name}", track' in (FOLDERS[name] / "generator.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PINNED)
def test_a_submission_names_the_weights_that_are_shipped(name: str) -> None:
    pins = read_pins(FOLDERS[name] / PINS_FILE)
    assert pins.root is None and pins.fusion is None
    card_of = load_submission(FOLDERS[name]).card
    assert {track for track in FROZEN_TRACKS if card_of.enters(track)} == set(pins.weights)
    for track, hashes in pins.weights.items():
        assert weight_hashes(name, track) == hashes
        assert all((weights_folder(network, track) / WEIGHTS_FILE).is_file() for network in hashes)


def test_the_lists_of_weights_are_written_for_the_models_and_tracks_that_have_some(tmp_path: Path) -> None:
    root = write_cards(
        tmp_path / "w",
        card("vqvae", "v1"),
        card("mm2face", "m1", needs={"vqvae": "v1"}),
        card("vqvae", "v2", track="mini/text2motion@1"),
    )
    written = write_weights_json(root, ("vqvae", "mm2face", "mdm"), tuple(FROZEN_TRACKS), tmp_path / "s")
    assert [path.parent.name for path in written] == ["vqvae", "mm2face"]
    assert read_pins(written[0]).weights == {"mini/talking@1": {"vqvae": "v1"}, "mini/text2motion@1": {"vqvae": "v2"}}
    assert read_pins(written[1]).weights == {"mini/talking@1": {"mm2face": "m1", "vqvae": "v1"}}
