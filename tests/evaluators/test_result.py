"""The result record: closed, versioned, and equal to its published schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from benchmark.storage import sha256_file
from evaluators.result import SCHEMA_FILE, Result, read_result, schema, write_result
from tests.conftest import ROOT


def make_result(**changes: Any) -> Result:
    score = {"id": "fid@1", "unit": "1", "direction": "lower", "value": 1.5, "n": 3, "per_sample": [1.5]}
    record: dict[str, Any] = {
        "mmbench_version": "0.1.0",
        "created_utc": "2026-01-01T00:00:00+00:00",
        "track": {
            "id": "mini/talking@1",
            "task": "talking",
            "split": "test",
            "n_clips": 3,
            "split_sha256": "a",
            "truth_sha256": "b",
        },
        "submission": {
            "name": "x",
            "version": "1",
            "kind": "code",
            "output": "parameters",
            "stochastic": False,
            "card": {"name": "x"},
            "card_sha256": "c",
            "code_sha256": "d",
            "predictions_sha256": "e",
        },
        "protocol": {
            "name": "strict",
            "gallery": 32,
            "samples": 1,
            "seeds": [1],
            "bootstrap_seed": 1,
            "distance": "Euclidean",
            "head_pose": "own",
            "length_policy": "given",
            "text_fields": ["action"],
            "metrics": ["fid@1"],
        },
        "head": {"name": "open", "sha256": "f", "n_face": 10, "n_lips": 4},
        "evaluators": {"text_motion": {"id": "mini", "sha256": "g", "trained_on": "mini"}},
        "metrics": {"fid": score},
        "truth": {"fid": score},
        "status": {"ok": 3},
        "ranked": True,
        "per_clip_file": "strict.clips.csv",
        "per_clip_sha256": "h",
        "isolation": "process",
        "cost": {"score_seconds": 1.0},
        "machine": {"device": "cpu"},
        "versions": {"python": "3.11"},
    }
    return Result.model_validate(record | changes).sealed()


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    write_result(make_result(), tmp_path / "r.json")
    assert read_result(tmp_path / "r.json") == make_result()


def test_the_published_schema_is_the_records() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == schema()


def test_the_run_id_names_what_was_evaluated_and_how_not_when_where_or_with_what_outcome() -> None:
    first = make_result()
    elsewhere = make_result(created_utc="2030-01-01T00:00:00+00:00", machine={"device": "cuda"}, ranked=False)
    assert elsewhere.run_id == first.run_id and elsewhere.scores_sha256 != first.scores_sha256
    other = first.submission.model_copy(update={"predictions_sha256": "other"})
    assert make_result(submission=other).run_id != first.run_id


def test_an_edited_result_is_refused(tmp_path: Path) -> None:
    write_result(make_result(), tmp_path / "r.json")
    record = json.loads((tmp_path / "r.json").read_text())
    record["metrics"]["fid"]["value"] = 0.1
    (tmp_path / "r.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="edited"):
        read_result(tmp_path / "r.json")


def test_a_newer_schema_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    record = make_result().model_dump(mode="json")
    path = tmp_path / "r.json"
    path.write_text(json.dumps(record | {"schema_version": 2}))
    with pytest.raises(InputError, match="newer"):
        read_result(path)
    path.write_text(json.dumps(record | {"extra": 1, "ranked": "perhaps"}))
    with pytest.raises(InputError) as error:
        read_result(path)
    assert {problem.where.rpartition(": ")[2] for problem in error.value.problems} == {"extra", "ranked"}


def test_no_file_and_no_json_are_input_errors(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{")
    for name in ("r.json", "absent.json"):
        with pytest.raises(InputError):
            read_result(tmp_path / name)


def test_every_committed_row_is_whole_and_its_clips_are_its_own() -> None:
    rows = sorted((ROOT / "leaderboard" / "results").rglob("strict.json"))
    assert len(rows) >= 12
    for path in rows:
        result = read_result(path)
        assert sha256_file(path.with_name(result.per_clip_file)) == result.per_clip_sha256, path
