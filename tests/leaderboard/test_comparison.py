"""Two rows compared: verdicts know each metric's direction, and rows measured otherwise are refused by field."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import InputError
from evaluators.result import Result, write_result
from leaderboard.comparison import Comparison, compare_rows, comparison_text, find_rows, pairs
from leaderboard.rows import Paired, Row
from tests.leaderboard.made_up import made_result

HIGHER, LOWER = "text_r_precision_1", "lve_mm"


def row(name: str, half: float = 0.01, **values: float | None) -> Row:
    return Row(made_result(name, "talking", values, half), Path("nowhere"))


def never(first: Row, second: Row, key: str) -> None:
    """No paired difference."""


def by(low: float, high: float) -> Paired:
    return lambda _first, _second, _key: ((low + high) / 2, low, high)


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {one.key: one.verdict for one in comparison.metrics}


def test_the_verdict_follows_the_direction_of_the_metric() -> None:
    first, second = row("a", **{HIGHER: 0.6, LOWER: 3.0}), row("b", **{HIGHER: 0.5, LOWER: 2.0})
    assert verdicts(compare_rows(first, second, by(0.1, 0.3))) == {HIGHER: "better", LOWER: "worse"}
    assert verdicts(compare_rows(first, second, by(-0.3, -0.1))) == {HIGHER: "worse", LOWER: "better"}
    assert set(verdicts(compare_rows(first, second, by(-0.1, 0.1))).values()) == {"cannot tell"}


def test_fid_is_compared_by_the_two_intervals() -> None:
    near, far = row("near", half=1.0, fid=4.0), row("far", half=1.0, fid=6.0)
    [fid] = compare_rows(near, far, never).metrics
    assert (fid.verdict, fid.method) == ("better", "from both intervals")
    assert fid.high == pytest.approx(-2 + 2**0.5)
    overlapping = compare_rows(near, row("mid", half=1.0, fid=5.2), never)
    assert verdicts(overlapping) == {"fid": "cannot tell"}


def with_truth(name: str, value: float, half: float = 0.1) -> Row:
    result = made_result(name, "talking", {"diversity": value}, half)
    truth = {"diversity": result.truth["diversity"].model_copy(update={"value": 11.0})}
    return Row(result.model_copy(update={"truth": truth}), Path("nowhere"))


def test_nearer_to_the_truth_is_better_from_either_side() -> None:
    for near, far in ((10.8, 10.0), (11.2, 10.0), (10.8, 12.0)):
        compared = compare_rows(with_truth("near", near), with_truth("far", far), by(5, 6))
        assert verdicts(compared) == {"diversity": "better"}, "per-clip numbers of diversity share pairs: not paired"
    across = compare_rows(with_truth("low", 10.8), with_truth("high", 11.2), never)
    assert verdicts(across) == {"diversity": "cannot tell"}


def test_without_a_value_or_an_interval_nothing_is_told() -> None:
    refused = compare_rows(row("a", fid=None), row("b", fid=1.0), never).metrics[0]
    assert (refused.verdict, refused.method, refused.difference) == ("cannot tell", "no value: made so", None)
    bare = row("a", fid=1.0)
    score = bare.result.metrics["fid"].model_copy(update={"ci_low": None, "ci_high": None})
    bare = Row(bare.result.model_copy(update={"metrics": {"fid": score}}), bare.folder)
    [fid] = compare_rows(bare, row("b", fid=9.0), never).metrics
    assert (fid.verdict, fid.method, fid.difference) == ("cannot tell", "no interval", -8.0)


def changed(path: str, value: Any) -> Result:
    record = made_result("b", "talking", {"fid": 1.0}).model_dump(mode="json")
    place = record
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    return Result.model_validate(record).sealed()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol.name", "official"),
        ("protocol.gallery", 16),
        ("protocol.metrics", ["fid@2"]),
        ("track.split_sha256", "other"),
        ("track.truth_sha256", "other"),
        ("head.sha256", "other"),
        ("evaluators.text_motion.sha256", "other"),
    ],
)
def test_results_that_were_measured_otherwise_are_refused_by_the_field(field: str, value: Any) -> None:
    with pytest.raises(InputError) as error:
        compare_rows(row("a", fid=1.0), Row(changed(field, value), Path("nowhere")), never)
    assert [problem.where for problem in error.value.problems] == [f"a and b: {field}"]


def written(folder: Path, name: str, *tasks: str) -> Path:
    for task in tasks:
        place = folder / name.replace(":", "-") / f"mini-{task}@1" / "strict.json"
        write_result(made_result(name, task, {"fid": 1.0}), place)
        place.with_name("other.json").write_text("{}")
    return folder / name.replace(":", "-")


def test_rows_are_found_by_name_folder_and_file(tmp_path: Path) -> None:
    folder = written(tmp_path, "control:truth", "talking", "text2motion")
    assert len(find_rows("control:truth", tmp_path)) == len(find_rows(str(folder), tmp_path / "no")) == 2
    file = folder / "mini-talking@1" / "strict.json"
    assert [found.name for found in find_rows(str(file), tmp_path)] == ["control:truth"]
    with pytest.raises(InputError, match="did you mean control:truth"):
        find_rows("control:trut", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no results here"):
        find_rows(str(tmp_path / "empty"), tmp_path)


def test_rows_meet_on_the_tracks_both_have(tmp_path: Path) -> None:
    both = find_rows(str(written(tmp_path, "a", "talking", "text2motion")), tmp_path)
    one = find_rows(str(written(tmp_path, "b", "talking")), tmp_path)
    assert [b.result.track.task for _, b in pairs(both, one)] == ["talking"]
    assert len(pairs(both, both)) == 2 and len(pairs(both, both, ["mini/talking@1"])) == 1
    with pytest.raises(InputError, match="no track in common among mini/text2motion@1"):
        pairs(both, one, ["mini/text2motion@1"])
    with pytest.raises(InputError, match="several rows of one track"):
        pairs([*both, *one], both)


def test_the_table_says_value_interval_difference_and_verdict() -> None:
    text = comparison_text(compare_rows(row("a", **{HIGHER: 0.6}), row("b", **{HIGHER: 0.5}), by(0.05, 0.15)))
    assert "0.600 [0.590, 0.610]" in text and "+0.100 [+0.050, +0.150]" in text and "better" in text
