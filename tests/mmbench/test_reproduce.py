"""``mmbench reproduce``: the shipped row again, other weights under their own name, and the paper's claims."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.submission import load_submission
from evaluators.result import Result, write_result
from mmbench import reproduction
from reference_models.pins import PINS_FILE, read_pins
from reference_models.weights import weights_folder
from tests.conftest import ROOT, Command
from tests.leaderboard.made_up import made_result, made_rows
from tests.reference_models.test_generator import card, write_cards

VALUES = {"text_r_precision_1": 0.5, "fid": 4.0}


def write_reference(folder: Path, name: str = "mdm", task: str = "talking", **values: float) -> Path:
    result = made_result(name, task, VALUES | values)
    write_result(result, folder / name.replace(":", "-") / f"mini-{task}@1" / "strict.json")
    return folder


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Submissions that were evaluated; each scores the same, without any work."""
    seen: list[Path] = []

    def evaluate_all(names: list[str], tracks: list[str], *_: object, **__: object) -> list[Result]:
        seen.append(Path(names[0]))
        found = load_submission(Path(names[0])).card
        return [made_result(found.name, tracks[0].partition("/")[2].partition("@")[0], VALUES)]

    monkeypatch.setattr("evaluators.evaluate.evaluate_all", evaluate_all)
    return seen


def test_the_shipped_row_is_scored_and_set_beside_the_reference_and_the_paper(
    mmbench: Command, scored: list[Path], tmp_path: Path
) -> None:
    results = write_reference(write_reference(tmp_path), task="text2motion")
    run = mmbench("reproduce", "mdm", "--results", results)
    assert run.code == 0, run.err
    assert scored == [ROOT / "submissions" / "mdm"] * 2
    assert "mdm on mini/talking@1, same weights" in run.out and "within" in run.out and "OUTSIDE" not in run.out
    assert "(64.45)" in run.out and "OTHER DATA" in run.out
    only = json.loads(mmbench("reproduce", "mdm", "--track", "mini/talking", "--results", results, "--json").out)
    assert [one["reproduction"]["ok"] for one in only] == [True]


@pytest.mark.usefixtures("scored")
def test_outside_the_tolerance_the_exit_code_is_1_after_the_table(mmbench: Command, tmp_path: Path) -> None:
    results = write_reference(tmp_path, fid=9.0)
    run = mmbench("reproduce", "mdm", "--track", "mini/talking", "--results", results)
    assert run.code == 1 and "OUTSIDE" in run.out and "mdm on mini/talking@1: fid" in run.err


@pytest.mark.usefixtures("scored")
def test_without_a_reference_the_row_is_shown_and_the_check_fails(mmbench: Command, tmp_path: Path) -> None:
    run = mmbench("reproduce", "mdm", "--track", "mini/talking", "--results", tmp_path)
    assert run.code == 1 and "no frozen reference" in run.out and "text R@1" in run.out


def test_other_weights_are_scored_in_a_copy_that_names_them_and_a_variant_under_its_own_name(
    mmbench: Command, scored: list[Path], tmp_path: Path
) -> None:
    root = write_cards(tmp_path / "w", card("vqvae", "v1"), card("mm2face", "m1", needs={"vqvae": "v1"}))
    (root / "mini/talking@1/mm2face").rename(root / "mini/talking@1/mm2face.ft_a")
    asked = ("reproduce", "mm2face", "--track", "mini/talking", "--weights", root, "--fusion", "ft|a")
    run = mmbench(*asked, "--out", tmp_path / "out", "--results", write_reference(tmp_path / "r", "mm2face.ft_a"))
    assert run.code == 0, run.err
    assert "mm2face.ft_a on mini/talking@1, trained anew" in run.out and "(45.68)" in run.out
    [folder] = scored
    pins = read_pins(folder / PINS_FILE)
    assert pins.fusion == "ft|a" and pins.weights == {"mini/talking@1": {"mm2face.ft_a": "m1", "vqvae": "v1"}}
    assert pins.root == str(root.resolve()) and load_submission(folder).card.name == "mm2face.ft_a"


def test_from_scratch_trains_into_out_and_scores_that(
    mmbench: Command, scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def train(model: str, *, out: Path, **options: Any) -> list[Path]:
        asked.update(options, model=model)
        write_cards(out, card(model, "new"))
        return [weights_folder(model, options["track"].id, out)]

    monkeypatch.setattr("reference_models.train.train", train)
    results = write_reference(tmp_path / "r", text_r_precision_1=0.52)
    run = mmbench(
        "reproduce", "mdm", "--track", "mini/talking", "--from-scratch", "--out", tmp_path / "o", "--results", results
    )
    assert run.code == 0, run.err
    assert asked["model"] == "mdm" and asked["reuse"] is False and asked["track"].id == "mini/talking@1"
    [folder] = scored
    assert read_pins(folder / PINS_FILE).weights == {"mini/talking@1": {"mdm": "new"}}
    assert "trained anew" in run.out


def test_the_tokenizers_row_is_made_from_the_truth_and_labelled_so(
    mmbench: Command, scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Echo:
        def generate(self, batch: Any, _: object) -> Any:
            return batch.motion

    monkeypatch.setattr("reference_models.reconstruct.load_network", lambda *_: Echo())
    root = write_cards(tmp_path / "w", card("vqvae", "v1"))
    run = mmbench(
        "reproduce", "vqvae", "--track", "mini/talking", "--weights", root, "--out", tmp_path / "o",
        "--results", write_reference(tmp_path / "r", "vqvae"),
    )  # fmt: skip
    assert run.code == 0, run.err
    with np.load(scored[0] / "predictions" / "mini/talking@1" / "0.npz") as made:
        assert len(made.files) == 640 and all(made[name].shape[1] == 56 for name in made.files[:5])
    assert "not a generator" in load_submission(scored[0]).card.description


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("mm2fac",), "did you mean mm2face"),
        (("mm2face", "--fusion", "ft|a"), "--from-scratch"),
        (("mdm", "--fusion", "ft|a", "--from-scratch"), "only MM2Face"),
        (("mdm", "--weights", "w", "--from-scratch"), "one of them"),
        (("faceformer", "--track", "mini/text2motion"), "does not enter"),
        (("claims", "--results", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_requests_exit_2_and_say_how_to_mend(mmbench: Command, arguments: tuple[str, ...], hint: str) -> None:
    run = mmbench("reproduce", *arguments)
    assert run.code == 2 and hint in run.err and run.out == ""


def test_claims_are_judged_on_the_results_there_are(mmbench: Command, tmp_path: Path) -> None:
    values = {"t2m_gpt": 22.0, "mm2face": 36.0, "tm2t": 77.0, "mdm": 64.0}
    for (name, _), row in made_rows("text2motion", "fid", values).items():
        write_result(row.result, tmp_path / name / "mini-text2motion@1" / "strict.json")
    run = mmbench("reproduce", "claims", "--results", tmp_path)
    assert run.code == 0 and "C5 HOLDS" in run.out and "C1 NOT DECIDABLE" in run.out
    told = json.loads(mmbench("reproduce", "claims", "--results", tmp_path, "--json").out)
    assert told["claims"]["C5"]["verdict"] == "holds" and "95% interval" in told["rule"]


def test_claims_need_no_torch(mmbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert mmbench("reproduce", "claims").code == 0


def test_committed_rows_are_compared_clip_by_clip() -> None:
    from leaderboard.rows import read_rows

    rows = read_rows()
    truth, nearest = rows["control:truth", "talking"], rows["nearest_text", "talking"]
    found = reproduction.paired(truth, nearest, "text_r_precision_1")
    assert found is not None and found[1] < found[0] < found[2] and found[1] > 0.5
    assert reproduction.paired(truth, nearest, "fid") is None
