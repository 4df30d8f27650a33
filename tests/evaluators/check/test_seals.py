"""A frozen number cannot move unseen: not by an edit, not by freezing again, not by a quiet new version."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import CheckFailedError, InputError
from benchmark.tracks import FROZEN_TRACKS
from evaluators.check import freeze, seals
from evaluators.check.frozen import FOLDER, Entrant, Frozen, Numbers, pack, packed_sha256, read_frozen, write_frozen
from evaluators.metrics import METRICS
from tests.conftest import ROOT

TRACK = "mini/text2motion@1"


def made_up(lve: float = 2.0, **changes: Any) -> Frozen:
    """Two clips of one entrant, with numbers for LVE only."""
    numbers = Numbers(metrics={"lve_mm": {"value": lve}}, per_clip={"lve_mm": [[lve, lve]], "text_rank": [[1.0, 2.0]]})
    record: dict[str, Any] = {
        "track": TRACK,
        "metrics": {key: METRICS[key].id for key in FROZEN_TRACKS[TRACK].metrics},
        "head": "h",
        "evaluators": {},
        "clips": {"A_1": 3, "A_2": 4},
        "entrants": {"model": Entrant(version="1.0", sha256=packed_sha256([]))},
        "expected": {"model": {"strict": numbers}},
    }
    return Frozen.model_validate(record | changes)


def test_an_expectation_edited_under_the_same_version_is_refused() -> None:
    sealed = seals.seals_of(made_up())
    assert seals.seal_problems(made_up(), sealed) == []
    [problem] = seals.seal_problems(made_up(lve=2.5), sealed)
    assert "under the same version" in problem.what and "model@1.0, lve_mm@1" in problem.where


def test_a_new_version_of_the_metric_or_the_track_takes_another_number() -> None:
    before = seals.seals_of(made_up())
    moved = made_up(lve=2.5, metrics={**made_up().metrics, "lve_mm": "lve_mm@2"})
    merged = {entry: before[entry] | new for entry, new in seals.seals_of(moved).items()}
    assert seals.seal_problems(moved, merged) == [] and seals.changed_seals(before, merged) == []
    elsewhere = seals.seals_of(made_up(lve=2.5, track="mini/text2motion@2"))
    assert elsewhere.keys().isdisjoint(before)


def test_frozen_numbers_of_another_version_than_the_code_are_told() -> None:
    old = made_up(metrics={**made_up().metrics, "lve_mm": "lve_mm@0"})
    [problem] = seals.version_problems(old)
    assert (problem.expected, problem.got) == ("lve_mm@0", "lve_mm@1")


def test_seals_of_the_base_must_still_be_there_unchanged() -> None:
    base, now = {"t e@1": {"fid@1": "a", "lve_mm@1": "b"}}, {"t e@1": {"fid@1": "x"}}
    assert [fault.what for fault in seals.changed_seals(base, now)] == ["a seal was changed", "a seal was removed"]


def test_the_changelog_must_tell_of_versions_above_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [fault.what for fault in seals.changelog_problems("# Changelog")] == ["a heading is missing"]
    monkeypatch.setitem(FROZEN_TRACKS, "mini/talking@2", FROZEN_TRACKS["mini/talking@1"])
    [problem] = seals.changelog_problems("## Scores that move\nnone")
    assert "mini/talking@2" in problem.expected
    assert seals.changelog_problems("## Scores that move\n- `mini/talking@2`: other clips") == []


def test_the_committed_changelog_and_seals_hold() -> None:
    assert seals.changelog_problems((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []
    for track in FROZEN_TRACKS:
        frozen = read_frozen(track)
        assert seals.seal_problems(frozen, seals.read_seals()) == [] == seals.version_problems(frozen)


def test_the_committed_set_is_small_and_holds_controls_and_three_models() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000
    for track in FROZEN_TRACKS:
        frozen = read_frozen(track)
        packed = [name for name, entrant in frozen.entrants.items() if entrant.control is None]
        assert len(frozen.clips) >= 32 and len(packed) >= 3
        assert {"control:truth", "control:shifted", "control:shuffled"} <= frozen.entrants.keys()


def test_freezing_again_keeps_numbers_that_moved_by_rounding_and_refuses_others(tmp_path: Path) -> None:
    old = made_up()
    freeze._seal(old, {}, tmp_path)
    rounding = freeze._kept(old, made_up(lve=2.0 + 1e-9).expected)
    assert rounding == old.expected
    moved = old.model_copy(update={"expected": freeze._kept(old, made_up(lve=2.1).expected)})
    with pytest.raises(CheckFailedError, match="lve_mm@1"):
        freeze._seal(moved, {}, tmp_path)


def test_other_motions_than_those_that_were_frozen_are_refused(tmp_path: Path) -> None:
    import numpy as np

    data = pack([np.zeros((3, 56), dtype=np.float32), np.ones((4, 56), dtype=np.float32) * 0.1])
    entrant = Entrant(version="1.0", sha256=packed_sha256([data]))
    write_frozen(made_up(entrants={"model": entrant}), {"model": [data]}, tmp_path)
    assert read_frozen(TRACK, tmp_path).entrants == {"model": entrant}
    write_frozen(made_up(entrants={"model": entrant}), {"model": [data + b"0"]}, tmp_path)
    with pytest.raises(InputError, match="not the motions that were frozen"):
        read_frozen(TRACK, tmp_path)
