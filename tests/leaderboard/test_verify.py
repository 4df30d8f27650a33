"""Committed results are held to their seal, their per-clip numbers, their place and their frozen track."""

import json
from pathlib import Path

import pytest

from benchmark.storage import sha256_file
from benchmark.tracks import FROZEN_TRACKS
from evaluators.result import Result, write_result
from leaderboard.board import all_rows
from leaderboard.rows import RESULTS
from leaderboard.verify import frozen_sha256, measure_problems, result_files, result_problems, site_problems
from tests.leaderboard.made_up import made_result

TRACK = "mini/talking@1"


def write(folder: Path, name: str = "x", value: float = 2.0, numbers: tuple[float, ...] = (1.0, 2.0, 3.0)) -> Path:
    """A whole result of three clips."""
    path = folder / name / TRACK.replace("/", "-") / "strict.json"
    path.parent.mkdir(parents=True)
    clips = path.with_name("strict.clips.csv")
    rows = "".join(f"c{i},0,9,ok,{number}\n" for i, number in enumerate(numbers))
    clips.write_text(f"clip_id,sample,frames,status,lve_mm\n{rows}")
    result = made_result(name, "talking", {"lve_mm": value, "fid": 9.0})
    track = result.track.model_copy(update={"split_sha256": frozen_sha256(TRACK, "test")})
    write_result(result.model_copy(update={"track": track, "per_clip_sha256": sha256_file(clips)}).sealed(), path)
    return path


def test_every_committed_result_is_whole_and_measured_like_the_others() -> None:
    files = result_files()
    assert len(files) >= 12 and {path.parent.name for path in files} == {
        name.replace("/", "-") for name in FROZEN_TRACKS
    }
    assert [problem for path in files[:4] for problem in result_problems(path)] == []
    assert measure_problems(files, {}) == []


def test_other_files_beside_results_are_none(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.with_name("shown.json").write_text("{}")
    assert result_files(tmp_path) == [path] and RESULTS.is_dir()


def test_a_value_that_is_not_the_mean_of_its_clips_is_told(tmp_path: Path) -> None:
    assert result_problems(write(tmp_path)) == []
    [problem] = result_problems(write(tmp_path, "y", value=2.1))
    assert problem.what == "lve_mm is not the mean of its clips" and (problem.expected, problem.got) == ("2", "2.1")
    [problem] = result_problems(write(tmp_path, "z", numbers=(2.0, 2.0)))
    assert problem.what == "another number of rows"


def test_changed_clips_another_place_an_edit_and_another_split_are_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.with_name("strict.clips.csv").write_text("clip_id,sample,lve_mm\n")
    assert [problem.what for problem in result_problems(path)] == ["another per-clip numbers than it should have"]
    moved = path.parent.parent.with_name("w")
    path.parent.parent.rename(moved)
    assert "another place" in str(result_problems(moved / path.parent.name / "strict.json")[0])
    other = write(tmp_path, "y")
    record = json.loads(other.read_text())
    other.write_text(json.dumps(record | {"ranked": False}))
    assert "edited" in result_problems(other)[0].what
    record["track"]["split_sha256"] = "other"
    write_result(Result.model_validate(record).sealed(), other)
    assert [problem.what for problem in result_problems(other)] == ["another split than it should have"]


@pytest.mark.parametrize("known", [True, False])
def test_results_measured_otherwise_are_told(tmp_path: Path, known: bool) -> None:
    first, second = write(tmp_path), write(tmp_path, "y")
    record = json.loads(second.read_text())
    record["head"]["sha256"] = "other"
    write_result(Result.model_validate(record).sealed(), second)
    frozen = {TRACK: {"head": "other"}} if known else {}
    [problem] = measure_problems([first, second], frozen)
    assert problem.what.startswith("another head") and problem.where == str(first if known else second)


def test_the_site_lists_every_result_and_one_it_leaves_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    left_out = write(tmp_path, "y")
    assert site_problems(tmp_path) == []
    monkeypatch.setattr(
        "leaderboard.build.all_rows", lambda folder: [row for row in all_rows(folder) if row.name != "y"]
    )
    [problem] = site_problems(tmp_path)
    assert problem.where == str(left_out) and "does not list" in problem.what
