"""Shipped encoders are held to their cards."""

import json
import shutil
from pathlib import Path

from benchmark.tracks import FROZEN_TRACKS
from evaluators.check.files import evaluator_problems, schema_problems
from evaluators.retrieval.load import WEIGHTS


def test_the_shipped_encoders_and_the_schema_are_whole() -> None:
    assert evaluator_problems() == [] == schema_problems()


def test_other_weights_a_stray_file_and_an_absent_set_are_told(tmp_path: Path) -> None:
    track, *others = FROZEN_TRACKS
    shutil.copytree(WEIGHTS / track, tmp_path / track, ignore=shutil.ignore_patterns("second"))
    (tmp_path / track / "text.safetensors").write_bytes(b"other")
    card = json.loads((tmp_path / track / "card.json").read_text())
    (tmp_path / track / "card.json").write_text(json.dumps(card | {"head_sha256": "other"}))
    (tmp_path / "stray").mkdir()
    (tmp_path / "stray" / "x.safetensors").write_bytes(b"x")
    found = [problem.what for problem in evaluator_problems(tmp_path)]
    expected = ["another head than the card's", "another text weights than the card's", "weights without a card"]
    assert found == [*expected, *("a track has no encoders" for _ in others)]


def test_a_broken_card_and_another_schema_are_told(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{}")
    assert any("Field required" in problem.what for problem in evaluator_problems(tmp_path))
    (tmp_path / "schema.json").write_text("{}")
    assert [problem.what for problem in schema_problems(tmp_path / "schema.json")] == ["not the schema of the code"]
