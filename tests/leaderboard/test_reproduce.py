"""A run beside its reference: tolerances are as wide as written, and only like is compared with like."""

import json
from pathlib import Path

import pytest

from benchmark.errors import InputError
from evaluators.result import Result, write_result
from leaderboard.paper import paper_note, paper_row, tables
from leaderboard.reproduce import (
    SAME_WEIGHTS,
    TRAINED_ANEW,
    compare,
    find_reference,
    outside,
    reproduction_text,
)
from leaderboard.rows import read_rows
from tests.leaderboard.made_up import made_result

R1 = "text_r_precision_1"


def result(r1: float | None = 0.5, half: float = 0.02, stochastic: bool = False, name: str = "mm2face") -> Result:
    return made_result(name, "talking", {R1: r1, "fid": 4.0, "lve_mm": 6.0}, half, stochastic)


def test_the_same_numbers_are_within_and_say_so() -> None:
    same = compare(result(), result())
    assert same.ok and outside([same]) == ""
    text = reproduction_text(same)
    assert "OUTSIDE" not in text and "0.500 [0.480, 0.520]" in text
    assert "(0.718)" in text and "paper, OTHER DATA" in text and "not comparable" in text


@pytest.mark.parametrize(("run", "ok"), [(0.504, True), (0.510, False), (0.4951, True), (0.490, False)])
def test_a_deterministic_model_is_held_to_rounding_however_wide_its_interval(run: float, ok: bool) -> None:
    found = compare(result(run), result(half=0.05))
    assert found.ok == ok
    assert ("mm2face on mini/talking@1: text_r_precision_1" in outside([found])) != ok


def test_a_sampled_model_may_be_off_by_the_half_width_of_its_reference_and_no_more() -> None:
    assert compare(result(0.51, stochastic=True), result(half=0.02, stochastic=True)).ok
    assert not compare(result(0.53, stochastic=True), result(half=0.02, stochastic=True)).ok
    assert not compare(result(0.51, stochastic=True), result(half=0.001, stochastic=True)).ok


def test_another_training_is_held_loosely_but_held() -> None:
    assert compare(result(0.46), result(), "trained anew").ok
    assert not compare(result(0.46), result()).ok
    assert not compare(result(0.20), result(), "trained anew").ok


def test_a_value_on_one_side_only_is_outside_on_neither_within() -> None:
    assert compare(result(None), result(None)).ok
    assert not compare(result(None), result()).ok and not compare(result(), result(None)).ok


def test_results_measured_otherwise_are_not_compared() -> None:
    other = result()
    encoders = {role: encoder.model_copy(update={"sha256": "another"}) for role, encoder in other.evaluators.items()}
    with pytest.raises(InputError, match=r"measured otherwise.*encoders"):
        compare(other.model_copy(update={"evaluators": encoders}), result())
    track = other.track.model_copy(update={"split_sha256": "another"})
    with pytest.raises(InputError, match="clips"):
        compare(other.model_copy(update={"track": track}), result())


def test_changed_weights_and_reconstructions_are_said() -> None:
    changed = result()
    submission = changed.submission.model_copy(update={"code_sha256": "another", "kind": "predictions"})
    notes = compare(changed.model_copy(update={"submission": submission}), result()).notes
    assert any("have changed" in note for note in notes) and any("not a generator" in note for note in notes)


def test_every_metric_of_every_track_has_a_tolerance_with_its_reason() -> None:
    from benchmark.tracks import FROZEN_TRACKS

    for table in (SAME_WEIGHTS, TRAINED_ANEW):
        assert all(rule.why for rule in table.values())
        for track in FROZEN_TRACKS.values():
            for key in track.metrics:
                assert sum(part in key for part in table) == 1, key


def test_a_reference_is_found_by_name_and_track_and_an_edited_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "mm2face.ft_a" / "mini-talking@1" / "strict.json"
    write_result(result(name="mm2face.ft_a").sealed(), path)
    assert find_reference("mm2face.ft_a", "mini/talking@1", tmp_path) is not None
    assert find_reference("mm2face", "mini/talking@1", tmp_path) is None
    assert list(read_rows(tmp_path)) == [("mm2face.ft_a", "talking")]
    record = json.loads(path.read_text())
    record["metrics"]["fid"]["value"] = 1.0
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="edited"):
        find_reference("mm2face.ft_a", "mini/talking@1", tmp_path)


def test_the_papers_rows_go_by_name_and_unnamed_ones_are_never_guessed() -> None:
    ours, reconstruction = paper_row("mm2face", "talking"), paper_row("vqvae", "talking")
    assert ours is not None and ours["lve_mm"] == 6.736
    assert reconstruction is not None and reconstruction["fid"] == 14.62
    assert (paper_row("mm2face.none_fthta", "talking") or {})["fid"] == 35.57
    assert (paper_row("t2m_gpt", "text2motion") or {})["fid"] == 22.36
    for name in ("faceformer", "codetalker", "selftalk", "imitator", "facediffuser"):
        assert paper_row(name, "talking") is None and "lost its rows' names" in paper_note(name, "talking")
    assert paper_row("mdm", "talking") is None and "no such row" in paper_note("mdm", "talking")


def test_the_papers_figures_are_those_of_its_tables(shared: Path) -> None:
    theirs = json.loads((shared / "facts" / "tables.json").read_text())
    for task, table in (("talking", "table3_benchmark_1"), ("text2motion", "table5_benchmark_2")):
        wanted = [row["values"] for row in theirs[table]["rows"]]
        ours = [*tables()[task]["rows"].values(), *tables()[task].get("unnamed", [])]
        assert sorted(ours) == sorted(wanted)
    ablation = [row["values"] for row in theirs["table4_fusion_ablation_benchmark_1"]["rows"]]
    assert sorted(tables()["ablation"]["rows"].values()) == sorted(ablation)
