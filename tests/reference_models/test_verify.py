"""Shipped weights are held to their cards, and submissions to the weights they name."""

import json
import shutil
from pathlib import Path

from reference_models.verify import pin_problems, weights_problems
from reference_models.weights import WEIGHTS
from tests.conftest import ROOT

TRACK = "mini/talking@1"


def test_the_shipped_weights_and_pins_are_whole() -> None:
    assert weights_problems() == [] == pin_problems(ROOT / "submissions")


def test_other_bytes_another_place_and_other_needed_weights_are_told(tmp_path: Path) -> None:
    for name in ("vqvae", "mm2face"):
        shutil.copytree(WEIGHTS / TRACK / name, tmp_path / TRACK / name)
    assert weights_problems(tmp_path) == []
    shutil.copytree(tmp_path / TRACK / "vqvae", tmp_path / TRACK / "elsewhere")
    file = tmp_path / TRACK / "vqvae" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    card = tmp_path / TRACK / "mm2face" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "needs": {"vqvae": "other"}}))
    found = {(Path(fault.where).parent.name, fault.what) for fault in weights_problems(tmp_path)}
    assert found == {
        ("elsewhere", "other place than the card's"),
        ("mm2face", "other weights of vqvae than the card's"),
        ("vqvae", "other bytes than the card's"),
    }


def test_pins_of_other_weights_and_a_card_alone_are_told(tmp_path: Path) -> None:
    (tmp_path / "vqvae").mkdir()
    (tmp_path / "vqvae" / "weights.json").write_text(json.dumps({"weights": {TRACK: {"vqvae": "other"}}}))
    [problem] = pin_problems(tmp_path)
    assert problem.what == "other weights than the submission names" and problem.expected == "other"
    (tmp_path / "vqvae" / "card.json").write_text("{}")
    assert [fault.what for fault in weights_problems(tmp_path)] == ["a card without weights"]
