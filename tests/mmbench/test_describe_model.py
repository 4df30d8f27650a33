"""Reference models are listed without torch and described with what differs and how they were trained."""

from pathlib import Path

from mmbench.describe_model import describe_model, model_docstring
from reference_models.catalogue import MODELS
from tests.conftest import Command
from tests.reference_models.test_generator import card, write_cards


def test_every_model_is_listed_with_one_line(mmbench: Command) -> None:
    listed = mmbench("list", "models")
    assert listed.code == 0
    for name in MODELS:
        [line] = [line for line in listed.out.splitlines() if line.startswith(f"{name} ")]
        assert model_docstring(name).split("\n")[0] in line
        assert ("text2motion" in line) == (name in ("vqvae", "mm2face", "t2m_gpt", "tm2t", "mdm"))


def test_a_model_is_described_with_its_networks_deviations_and_the_cards_of_both_tracks(tmp_path: Path) -> None:
    root = write_cards(
        tmp_path,
        card("mm2face", "m1", parameters=1_234_567, device="NVIDIA H100", seconds=90.0),
        card("mm2face", "m2", track="mini/text2motion@1"),
        card("vqvae", "v1"),
    )
    text = describe_model("mm2face", root)
    for part in ("vqvae, mm2face", "what differs from the original: mm2face", "1,234,567 parameters", "SHA-256 m1"):
        assert part in text
    assert "90 s on NVIDIA H100" in text and "mini/text2motion@1" in text
    assert "no weights are shipped" in describe_model("mm2face", tmp_path / "none")


def test_a_bare_name_is_the_model_and_the_path_its_submission(mmbench: Command) -> None:
    assert "what differs from the original" in mmbench("describe", "mdm").out
    assert 'entry = "generator:build"' in mmbench("describe", "submissions/mdm").out
