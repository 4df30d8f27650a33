"""Scoring from disk to record, in a small world whose right answers are known."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.predictions import read_predictions, write_sample
from evaluators.controls import find_control
from evaluators.result import Protocol, Result, SubmissionRecord, read_result
from evaluators.score import Scorer
from tests.evaluators.world import World, make_world

RECORD = SubmissionRecord(
    name="x",
    version="1",
    kind="predictions",
    output="parameters",
    stochastic=False,
    card={},
    card_sha256="",
    code_sha256="",
    predictions_sha256="",
)


@pytest.fixture(scope="module", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("MMBENCH_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def score_control(world: World, name: str, out: Path, protocol: Protocol = "strict") -> Result:
    judge = world.judge(protocol)
    truth = [world.corpus.motion(clip_id) for clip_id in judge.clip_ids]
    motions = find_control(name).answer(truth, truth[:5], 3)
    return score_motions(world, [motions], out, protocol)


def score_motions(world: World, samples: list[list[np.ndarray]], out: Path, protocol: Protocol = "strict") -> Result:
    judge = world.judge(protocol)
    for k, motions in enumerate(samples):
        write_sample(out / "predictions", k, zip(judge.clip_ids, motions, strict=False))
    frames = dict(zip(judge.clip_ids, judge.frames, strict=True))
    output = "parameters" if samples[0][0].ndim == 2 else "vertices"
    n_region = len(world.head.region_ids)
    predictions = read_predictions(out / "predictions", frames, len(samples), output, n_region)  # type: ignore[arg-type]
    return Scorer(judge).score(predictions, RECORD, out)


def values(result: Result) -> dict[str, float | None]:
    return {key: score.value for key, score in result.metrics.items()}


def test_the_truth_scores_what_the_truth_row_says(world: World, tmp_path: Path) -> None:
    """In no other harness of the field does a perfect prediction reach the printed values of the real motions."""
    result = score_control(world, "control:truth", tmp_path)
    for key, score in result.metrics.items():
        truth = result.truth[key]
        assert score.value == (pytest.approx(truth.value, abs=1e-9) if truth.value is not None else None), key
    assert result.metrics["fid"].value == pytest.approx(0, abs=1e-6)
    assert result.metrics["lve_mm"].value == result.metrics["fve_mm"].value == 0
    assert result.metrics["text_r_precision_1"].value == pytest.approx(1, abs=0.02)
    assert result.ranked


def test_every_metric_orders_the_controls_as_it_must(world: World, tmp_path: Path) -> None:
    found = {
        name: values(score_control(world, f"control:{name}", tmp_path / name))
        for name in ("truth", "shifted", "static", "random", "shuffled")
    }

    def value(name: str, key: str) -> float:
        number = found[name][key]
        assert number is not None
        return number

    for key in ("text_r_precision_1", "audio_r_precision_1"):
        assert value("truth", key) > max(value(name, key) for name in ("static", "random", "shuffled")) + 0.3
    for key in ("lve_mm", "fve_mm"):
        assert 0 == value("truth", key) < value("shifted", key) < value("shuffled", key)
    assert value("truth", "text_match") < value("shuffled", "text_match")
    assert value("truth", "fid") < value("shuffled", "fid") < value("static", "fid")
    assert value("static", "diversity") == pytest.approx(0, abs=1e-3)


def test_without_the_neck_the_strict_score_falls_and_the_official_one_does_not(world: World, tmp_path: Path) -> None:
    """The released script compares predictions without head pose with truth that has one (quirk Q6)."""
    judge = world.judge()
    motions = [world.corpus.motion(clip_id) for clip_id in judge.clip_ids]
    still = [motion.copy() for motion in motions]
    for motion in still:
        motion[:, 50:53] = 0
    protocols: tuple[Protocol, ...] = ("strict", "official")
    match = {
        (protocol, name): values(score_motions(world, [answer], tmp_path / protocol / name, protocol))
        for protocol in protocols
        for name, answer in (("moving", motions), ("still", still))
    }
    strict, official = ([match[protocol, name]["text_match"] for name in ("moving", "still")] for protocol in protocols)
    assert strict[0] is not None and strict[1] is not None and strict[0] < strict[1]
    assert official[0] == official[1]
    fid = match["official", "moving"]["fid"]
    assert fid is not None and fid > 0  # a perfect prediction does not reach zero as released


def test_the_official_truth_row_keeps_its_head_pose(world: World, tmp_path: Path) -> None:
    result = score_control(world, "control:truth", tmp_path, "official")
    truth, own = result.truth["text_match"].value, result.metrics["text_match"].value
    assert truth is not None and own is not None and truth < own
    assert result.truth["fid"].value == pytest.approx(0, abs=1e-6)
    assert result.metrics["multimodality"].refused


def test_vertices_score_as_the_parameters_they_come_from_except_for_the_head_pose(world: World, tmp_path: Path) -> None:
    judge = world.judge()
    motions = [world.corpus.motion(clip_id) for clip_id in judge.clip_ids]
    meshes = judge.region_vertices(motions)
    result = score_motions(world, [meshes], tmp_path)
    assert result.metrics["lve_mm"].value == pytest.approx(0, abs=1e-4)
    assert result.protocol.head_pose == "absent: the submission returns vertices"
    match, truth = result.metrics["text_match"].value, result.truth["text_match"].value
    assert match is not None and truth is not None and match > truth


def test_a_lip_vertex_outside_the_face_counts_for_lve_and_not_for_fve(world: World) -> None:
    judge = world.judge()
    assert judge.head.region_ids[judge.lip_columns].tolist() == judge.head.lip_ids.tolist()
    assert judge.head.region_ids[judge.face_columns].tolist() == judge.head.face_ids.tolist()
    assert not set(judge.lip_columns) <= set(judge.face_columns)


def test_samples_are_averaged_and_their_spread_is_kept(world: World, tmp_path: Path) -> None:
    judge = world.judge()
    motions = [world.corpus.motion(clip_id) for clip_id in judge.clip_ids]
    moved = [motion + np.float32(0.1) for motion in motions]
    result = score_motions(world, [motions, moved], tmp_path)
    lve = result.metrics["lve_mm"]
    assert lve.per_sample[0] == 0 < lve.per_sample[1]
    assert lve.value == pytest.approx(np.mean(lve.per_sample))
    multimodality = result.metrics["multimodality"].value
    assert multimodality is not None and multimodality > 0


def test_incomplete_predictions_get_no_numbers_and_no_rank(world: World, tmp_path: Path) -> None:
    judge = world.judge()
    motions = [world.corpus.motion(clip_id) for clip_id in judge.clip_ids]
    result = score_motions(world, [motions[:-1]], tmp_path)
    assert not result.ranked and result.why_not and judge.clip_ids[-1] in result.why_not
    assert all(score.value is None and score.refused for score in result.metrics.values())
    assert result.truth["lve_mm"].value == 0
    assert result.status["ok"] == 39 and result.status["invalid_output"] == 1


def test_too_few_clips_refuse_r_precision_and_score_the_rest(tmp_path: Path) -> None:
    small = make_world(tmp_path, clips=12)
    result = score_control(small, "control:shifted", tmp_path / "out")
    assert result.ranked
    for key, score in result.metrics.items():
        refused = "r_precision" in key or key == "multimodality"
        assert (score.value is None) == refused, key
        if "r_precision" in key:
            assert score.refused and "12" in score.refused and "32" in score.refused


def test_the_same_motions_score_the_same_twice_and_from_the_cache(world: World, tmp_path: Path) -> None:
    first = score_control(world, "control:shuffled", tmp_path / "a")
    again = score_control(world, "control:shuffled", tmp_path / "b")
    assert first.run_id == again.run_id and first.scores_sha256 == again.scores_sha256
    assert (tmp_path / "a/strict.clips.csv").read_bytes() == (tmp_path / "b/strict.clips.csv").read_bytes()


def test_a_damaged_cache_entry_is_made_again(world: World, tmp_path: Path) -> None:
    from benchmark.storage import home

    before = score_control(world, "control:shuffled", tmp_path / "a")
    for path in (home() / "truth").rglob("*.np[yz]"):
        content = bytearray(path.read_bytes())
        content[-5] ^= 0xFF
        path.write_bytes(content)
    assert score_control(world, "control:shuffled", tmp_path / "b").scores_sha256 == before.scores_sha256


def test_files_hold_what_was_returned(world: World, tmp_path: Path) -> None:
    result = score_control(world, "control:shifted", tmp_path)
    assert read_result(tmp_path / "strict.json") == result
    clips = pd.read_csv(tmp_path / "strict.clips.csv")
    assert list(clips.clip_id) == list(world.judge().clip_ids)
    assert clips.lve_mm.mean() == pytest.approx(result.metrics["lve_mm"].value)
    assert clips.text_r_precision_1.mean() == pytest.approx(result.metrics["text_r_precision_1"].value)


def test_every_number_has_its_count_and_an_interval_around_it(world: World, tmp_path: Path) -> None:
    result = score_control(world, "control:shifted", tmp_path)
    for key, score in result.metrics.items():
        if score.value is None:
            continue
        assert score.n == 40 and score.ci_low is not None and score.ci_high is not None, key
        assert score.ci_low <= score.value <= score.ci_high, key
        assert score.ci_method and "8 clusters" in score.ci_method


def test_everything_that_can_move_a_score_is_named(world: World, tmp_path: Path) -> None:
    result = score_control(world, "control:truth", tmp_path)
    assert result.evaluators["text_motion"].sha256 and result.evaluators["audio_motion"].sha256
    assert result.head.sha256 == world.head.sha256
    assert result.protocol.metrics == [f"{key}@1" for key in world.track.metrics]
    other = replace(world.judge(), clip_ids=world.judge().clip_ids[::-1], frames=world.judge().frames[::-1])
    assert Scorer(other).truth.sha256 != result.track.truth_sha256
