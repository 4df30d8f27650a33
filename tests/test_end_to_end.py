"""The whole way, on the embedded corpus with the shipped encoders, and on real recordings."""

import json
from pathlib import Path

import numpy as np
import pytest

import mmbench
from benchmark.audio import read_audio
from evaluators.controls import CONTROLS
from evaluators.result import Result
from tests.conftest import Command

TRACKS = ("mini/talking@1", "mini/text2motion@1")
RETRIEVAL = {"mini/talking@1": ("text", "audio"), "mini/text2motion@1": ("text",)}


@pytest.fixture(scope="module")
def controls(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Result]:  # noqa: ARG001
    """Every control on every track."""
    out = tmp_path_factory.mktemp("controls")
    results = [result for name in CONTROLS for result in mmbench.evaluate(name, out=out)]
    return {(result.track.id, result.submission.name.removeprefix("control:")): result for result in results}


def value(result: Result, key: str) -> float:
    number = result.metrics[key].value
    assert number is not None, (result.submission.name, key, result.metrics[key].refused)
    return number


@pytest.mark.parametrize("track", TRACKS)
def test_each_metric_orders_the_controls_as_it_must(controls: dict[tuple[str, str], Result], track: str) -> None:
    def of(name: str, key: str) -> float:
        return value(controls[track, name], key)

    for kind in RETRIEVAL[track]:
        for k in (1, 2, 3):
            key = f"{kind}_r_precision_{k}"
            assert of("truth", key) > 0.5
            for name in ("random", "shuffled", "static"):
                assert of(name, key) == pytest.approx(k / 32, abs=0.06), (name, key)
        assert of("truth", f"{kind}_match") < min(of(name, f"{kind}_match") for name in ("random", "shuffled"))
    if "audio" in RETRIEVAL[track]:
        for key in ("audio_r_precision_1", "audio_r_precision_3"):
            assert of("shifted", key) < of("truth", key)
        assert of("truth", "audio_match") < of("shifted", "audio_match") < of("shuffled", "audio_match")
    for key in ("lve_mm", "fve_mm"):
        assert of("truth", key) == 0
        assert 0 < of("shifted", key) < of("shuffled", key)
        assert of("shifted", key) < of("random", key)
        assert of("static", key) < of("random", key)  # the mean face is the constant answer with the least error
    assert of("shifted", "fve_mm") < of("static", "fve_mm")
    floor = controls[track, "truth"].metrics["fid"].noise_floor
    assert floor is not None
    assert of("truth", "fid") < 1e-6
    assert of("static", "fid") > 10 * max(of("random", "fid"), of("shuffled", "fid"), floor)
    truth = controls[track, "truth"].truth["diversity"].value
    assert truth == pytest.approx(of("truth", "diversity"))
    assert of("static", "diversity") < 0.2 * of("truth", "diversity")
    assert of("shuffled", "diversity") == pytest.approx(of("truth", "diversity"), rel=0.1)


@pytest.mark.parametrize("track", TRACKS)
def test_every_result_carries_the_truth_row_and_the_truth_control_equals_it(
    controls: dict[tuple[str, str], Result], track: str
) -> None:
    truth = controls[track, "truth"]
    for key, score in truth.metrics.items():
        expected = truth.truth[key].value
        assert score.value == (None if expected is None else pytest.approx(expected, abs=1e-5)), key
    for name in CONTROLS:
        assert controls[track, name.removeprefix("control:")].truth == truth.truth


@pytest.mark.parametrize("track", TRACKS)
def test_the_nearest_text_is_far_better_than_chance_and_worse_than_the_truth(
    controls: dict[tuple[str, str], Result], track: str, tmp_path: Path
) -> None:
    [result] = mmbench.evaluate("submissions/nearest_text", [track], out=tmp_path)
    nearest = value(result, "text_r_precision_1")
    assert 3 / 32 < nearest < value(controls[track, "truth"], "text_r_precision_1")
    assert result.ranked and result.isolation == "process" and result.cost.real_time_factor


def test_official_and_strict_agree_on_what_has_no_noise(
    controls: dict[tuple[str, str], Result], tmp_path: Path
) -> None:
    [official] = mmbench.evaluate("control:shifted", ["mini/talking@1"], protocol="official", out=tmp_path)
    strict = controls["mini/talking@1", "shifted"]
    assert value(official, "lve_mm") == pytest.approx(value(strict, "lve_mm"), rel=0.05)
    assert official.truth["text_r_precision_1"].value == pytest.approx(
        strict.truth["text_r_precision_1"].value, abs=0.06
    )
    assert official.truth["diversity"].value == pytest.approx(strict.truth["diversity"].value, rel=0.1)


def test_real_recordings_are_scored_with_a_warning(mmbench: Command, shared: Path, tmp_path: Path) -> None:
    corpus = shared / "real" / "beat2_32x49"
    names = ("control:truth", "submissions/nearest_text")
    run = mmbench("evaluate", *names, "--corpus", corpus, "--out", tmp_path, "--json")
    assert run.code == 0, run.err
    truth, nearest = json.loads(run.out)
    assert truth["track"]["id"] == "beat2_32x49/talking@local" and truth["track"]["n_clips"] == 32
    assert truth["metrics"]["lve_mm"]["value"] == 0 < nearest["metrics"]["lve_mm"]["value"]
    assert truth["metrics"]["text_r_precision_1"]["value"] is not None
    for record in (truth, nearest):
        assert any("trained on mini/talking@1" in warning for warning in record["warnings"])
    assert any("no training split" in warning for warning in nearest["warnings"])


def test_too_few_real_clips_refuse_r_precision_and_the_rest_is_scored(
    mmbench: Command, shared: Path, tmp_path: Path
) -> None:
    corpus = shared / "real" / "beat2_8x200"
    table = mmbench("evaluate", "control:truth", "--corpus", corpus, "--out", tmp_path / "a")
    assert table.code == 0 and "refused" in table.out and "32" in table.out
    [record] = json.loads(
        mmbench("evaluate", "control:truth", "--corpus", corpus, "--out", tmp_path / "b", "--json").out
    )
    scored = {key for key, score in record["metrics"].items() if score["value"] is not None}
    assert scored == {"text_match", "audio_match", "fid", "diversity", "lve_mm", "fve_mm"}


def test_real_corpora_are_in_order(mmbench: Command, shared: Path) -> None:
    for name in ("beat2_32x49", "beat2_8x200"):
        assert mmbench("data", "verify", "--corpus", shared / "real" / name).code == 0
        assert "neck, jaw" in mmbench("data", "describe", "--corpus", shared / "real" / name).out


def test_every_real_recording_can_be_given_to_a_generator(shared: Path, tmp_path: Path) -> None:
    """Speech of other rates and lengths, Mandarin, emotions: an audio-driven generator gets all of it."""
    from benchmark.isolation import generate
    from benchmark.protocol import Condition, Texts
    from benchmark.submission import load_submission
    from tests.submissions.examples import write_loudness

    texts = Texts("The portrait talks.", "It is calm.", "The mouth moves.", "The head is still.", "A talk.")
    wavs = sorted((shared / "real" / "speech").glob("*.wav"))
    conditions = []
    for path in wavs:
        audio = read_audio(path)
        conditions.append(Condition(path.stem, texts, audio, min(200, max(1, round(len(audio) / 640)))))
    submission = load_submission(write_loudness(tmp_path / "loudness"))
    made = generate(
        submission, conditions, tmp_path / "out", track="real/talking@local", split="test", samples=1, seed=0
    )
    assert made.complete, made.problems
    assert len(made.valid_clips) == len(wavs) == 35
    jaw = np.concatenate([made.array(0, condition.clip_id)[:, 53] for condition in conditions])
    assert jaw.std() > 0
