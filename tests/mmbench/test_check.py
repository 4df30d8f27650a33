"""``mmbench check`` reports and exits with 1 when something moved; ``mmbench compare`` speaks plainly."""

import json
from pathlib import Path

import pytest

from benchmark.errors import Problem
from evaluators.check.cases import Case
from mmbench import checking
from tests.conftest import Command

MOVED = Problem("the number moved", "mini/talking@1, vqvae, strict, lve_mm, clip c, sample 0", "2", "3")


def cases(monkeypatch: pytest.MonkeyPatch, *found: Case) -> None:
    monkeypatch.setattr(checking, "check", lambda *_: list(found))


def test_a_difference_prints_metric_clip_expected_and_got_and_exits_with_1(
    mmbench: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cases(monkeypatch, Case("files", "splits"), Case("mini/talking@1", "vqvae, strict, lve_mm", (MOVED,)))
    junit, summary = tmp_path / "out" / "j.xml", tmp_path / "s.md"
    run = mmbench("check", "--junit", junit, "--summary", summary)
    assert run.code == 1 and "1 of 2 checks" in run.err
    assert "lve_mm, clip c, sample 0: the number moved; expected 2; got 3" in run.out
    assert "<failure" in junit.read_text() and "| 2 | 3 |" in summary.read_text()


def test_when_all_is_well_it_says_how_much_was_checked(mmbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    cases(monkeypatch, Case("files", "splits"))
    run = mmbench("check")
    assert run.code == 0 and "all 1 checks hold" in run.out


def test_committed_results_are_cases_each_and_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.verify.site_problems", lambda _: [])
    found = checking.result_cases()
    assert [case.name for case in found[-2:]] == ["all measured alike", "the site lists every one"] and len(found) > 12
    assert "control-truth/mini-talking@1/strict.json" in {case.name for case in found}
    assert [case for case in found if case.problems] == []


def test_compare_pairs_clips_and_gives_a_verdict_a_metric(mmbench: Command) -> None:
    run = mmbench("compare", "control:truth", "control:shifted", "--track", "mini/text2motion@1", "--json")
    [comparison] = json.loads(run.out)["comparisons"]
    found = {one["key"]: one for one in comparison["metrics"]}
    assert (found["lve_mm"]["verdict"], found["lve_mm"]["method"]) == ("better", "paired")
    assert (found["fid"]["verdict"], found["fid"]["method"]) == ("better", "from both intervals")
    same = mmbench("compare", "control:truth", "control:truth", "--track", "mini/text2motion@1")
    assert same.code == 0 and "better   " not in same.out and "cannot tell" in same.out


def test_compare_refuses_other_tracks_by_field(mmbench: Command) -> None:
    folder = Path("leaderboard/results/control-truth")
    run = mmbench("compare", folder / "mini-talking@1", folder / "mini-text2motion@1")
    assert run.code == 2 and "track.split_sha256" in run.err
