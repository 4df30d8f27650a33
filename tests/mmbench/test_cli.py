"""The command line is a contract: exit codes, messages and streams."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command


def test_lists_name_what_there_is(mmbench: Command) -> None:
    everything = mmbench("list")
    assert everything.code == 0
    for name in ("mini/talking@1", "mini/text2motion@1", "lve_mm", "submissions/nearest_text", "control:truth"):
        assert name in everything.out
    assert "lve_mm" not in mmbench("list", "tracks").out


def test_a_metric_is_described_in_full(mmbench: Command) -> None:
    shown = mmbench("describe", "lve_mm").out
    for part in ("formula", "unit", "mm", "direction", "lower is better", "source", "caveats", "not squared"):
        assert part in shown


@pytest.mark.parametrize("name", ["mini/talking", "mini/text2motion@1", "control:static", "submissions/nearest_text"])
def test_tracks_controls_and_submissions_are_described(mmbench: Command, name: str) -> None:
    described = mmbench("describe", name)
    assert described.code == 0 and len(described.out) > 80


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("describe", "lve_m"), "lve_mm"),
        (("evaluate", "control:truth", "--track", "mini/talkin"), "mini/talking@1"),
        (("evaluate", "control:trut"), "control:truth"),
        (("evaluate", "submissions/absent"), "submission.toml"),
        (("evaluate", "control:truth", "--corpus", "/nowhere"), "/nowhere"),
        (("score", "/nowhere", "--track", "mini/talking"), "/nowhere"),
        (("evaluate", "control:truth", "--split", "dev"), "test"),
        (("data", "build", "mini", "--split", "dev"), "train or val or test"),
    ],
)
def test_bad_names_exit_2_and_say_how_to_mend(mmbench: Command, arguments: tuple[str, ...], hint: str) -> None:
    run = mmbench(*arguments)
    assert run.code == 2
    assert hint in run.err and "Traceback" not in run.err
    assert run.out == ""


def test_wrong_usage_exits_2(mmbench: Command) -> None:
    assert mmbench("evaluate").code == 2
    assert mmbench("frobnicate").code == 2
    assert mmbench("evaluate", "control:truth", "--protocol", "lenient").code == 2


def test_a_dry_run_says_what_it_would_do_and_does_nothing(mmbench: Command, tmp_path: Path) -> None:
    plan = mmbench("evaluate", "submissions/nearest_text", "--dry-run", "--out", tmp_path / "out")
    assert plan.code == 0
    assert "mini/talking@1" in plan.out and "640 clips" in plan.out and "nearest_text" in plan.out
    assert not (tmp_path / "out").exists()


def test_json_is_all_that_stdout_gets(mmbench: Command, tmp_path: Path) -> None:
    run = mmbench(
        "evaluate", "control:truth", "--track", "mini/text2motion", "--split", "val", "--out", tmp_path, "--json"
    )
    assert run.code == 0
    [record] = json.loads(run.out)
    assert record["track"]["id"] == "mini/text2motion@1" and record["metrics"]["lve_mm"]["value"] == 0
    assert "embedding" in run.err


def test_scoring_apart_gives_what_evaluate_gives(mmbench: Command, tmp_path: Path) -> None:
    where = ("--track", "mini/text2motion", "--split", "val")
    name = "submissions/nearest_text"
    [whole] = json.loads(mmbench("evaluate", name, *where, "--out", tmp_path / "a", "--json").out)
    assert mmbench("generate", name, *where, "--out", tmp_path / "b").code == 0
    [halves] = json.loads(mmbench("score", tmp_path / "b", *where, "--json").out)
    assert halves["metrics"] == whole["metrics"]
    assert halves["submission"] == whole["submission"]
    assert halves["run_id"] == whole["run_id"]


def test_every_fault_of_predictions_is_told_at_once(mmbench: Command, tmp_path: Path) -> None:
    where = ("--track", "mini/text2motion", "--split", "val")
    assert mmbench("evaluate", "control:truth", *where, "--out", tmp_path).code == 0
    source = tmp_path / "control-truth" / "mini-text2motion@1" / "predictions" / "0.npz"
    with np.load(source) as arrays:
        motions = {name: arrays[name] for name in arrays.files}
    names = list(motions)
    motions[names[0]] = motions[names[0]][:-1]
    motions[names[1]] = motions[names[1]].astype(np.float64)
    motions[names[2]][3, 7] = np.nan
    motions["a_stranger"] = motions.pop(names[3])
    broken = tmp_path / "broken"
    broken.mkdir()
    np.savez(broken / "0.npz", **motions)
    run = mmbench("score", broken, *where)
    assert run.code == 2
    for name, fault in zip(names[:4], ("length", "float64", "NaN", "missing"), strict=True):
        assert name in run.err.replace("\n", "") or fault in run.err
        assert fault in run.err
    assert "a_stranger" in run.err
    assert not (broken / "strict.json").exists()


def test_a_pickle_in_place_of_predictions_is_never_opened(mmbench: Command, tmp_path: Path) -> None:
    (tmp_path / "0.npz").write_bytes(b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR.")
    run = mmbench("score", tmp_path, "--track", "mini/talking", "--split", "val")
    assert run.code == 2 and "pickle" in run.err
    assert not Path("pwned").exists()


def test_predictions_of_another_track_are_refused(mmbench: Command, tmp_path: Path) -> None:
    out = tmp_path / "generated"
    mmbench("generate", "control:truth", "--track", "mini/talking", "--split", "val", "--out", out)
    run = mmbench("score", out, "--track", "mini/text2motion", "--split", "val")
    assert run.code == 2 and "mini/talking@1" in run.err


def test_a_folder_that_cannot_be_written_is_bad_input(mmbench: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = mmbench("evaluate", "control:truth", "--track", "mini/talking", "--split", "val", "--out", tmp_path / "file")
    assert run.code == 2 and "Traceback" not in run.err


def test_data_commands_tell_good_from_bad(mmbench: Command, tmp_path: Path) -> None:
    assert mmbench("data", "describe").code == 0
    (tmp_path / "talking_subset.json").write_text('{"test": ["A_1", "A_1", "../B_2"]}')
    run = mmbench("data", "verify", "--corpus", tmp_path)
    assert run.code == 1
    assert "A_1" in run.out and "../B_2" in run.out
    assert mmbench("data", "verify", "--corpus", tmp_path / "none").code == 2


def test_a_missing_extra_is_named(mmbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install lists, describes and validates; scoring needs more, and says what."""
    monkeypatch.setitem(sys.modules, "torch", None)
    scored = mmbench("evaluate", "control:truth", "--track", "mini/text2motion", "--split", "val", "--out", tmp_path)
    assert scored.code == 2
    assert "mmbench[eval]" in scored.err and "Traceback" not in scored.err
