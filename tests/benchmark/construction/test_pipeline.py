import json
import wave
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchmark.clip_files import read_motion
from benchmark.construction.config import Config, Frames, Smoothing, configured, load_config
from benchmark.construction.pipeline import construct, dry_run
from benchmark.corpus import load_corpus
from benchmark.corpus_check import verify
from benchmark.errors import InputError
from benchmark.protocol import TEXT_FIELDS
from tests.benchmark.construction.fake_endpoint import endpoint
from tests.benchmark.construction.tracks import RawBuilder, corrupted, motion, units_table
from tests.conftest import Command


def _raw(folder: Path, clips: int = 12) -> RawBuilder:
    """Clips of six sources at 25 and 30 frames a second, every other one talking, with units."""
    builder = RawBuilder(folder)
    for number in range(clips):
        rng = np.random.default_rng(number)
        fps = 25.0 if number % 3 else 30.0
        track, _ = corrupted(motion(rng, 60, fps), rng)
        talks = number % 2
        sound = rng.normal(size=int(60 / fps * 16_000)) * 0.1 if talks else None
        clip_id = f"CAM_{number // 2:02d}_{number}"
        builder.clip(clip_id, track, fps, sound, actions=["talk", "smile"] if talks else ["smile", "turn"])
        ramp = np.clip((np.arange(60) - 10) / 10, 0, 0.9)
        units_table(folder, clip_id, {"AU12": ramp, "AU04": ramp[::-1]})
    return builder


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "construction" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_raw_tracks_become_a_corpus_without_faults(tmp_path: Path) -> None:
    _raw(tmp_path / "raw")
    report = construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    corpus = load_corpus(tmp_path / "out")
    assert [finding for finding in verify(corpus) if finding.level != "note"] == []
    assert report.kept == 12 == len(corpus.clip_ids())
    assert report.resampled == 4
    assert report.moved[0].outliers > 50
    for clip_id in corpus.clip_ids(["talking"]):
        condition = corpus.condition(clip_id, with_audio=True)
        assert condition.audio is not None
        assert len(condition.audio) == 640 * condition.frames
    assert {len(corpus.motion(clip_id)) for clip_id in corpus.clip_ids()} == {50, 60}
    assert json.loads((tmp_path / "out/construction/report.json").read_text())["kept"] == 12
    assert json.loads((tmp_path / "out/construction/audit.json").read_text())["counts"]["motion"]["exact"] == 0


def test_sound_of_any_rate_and_channel_count_comes_out_mono_at_16_khz_and_as_long_as_the_motion(tmp_path: Path) -> None:
    builder = RawBuilder(tmp_path / "raw").clip("V_a_0", motion(np.random.default_rng(0), 50), actions=["talk"])
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * 48_000 + 700) / 48_000) * 0.5
    (builder.folder / "audio").mkdir()
    with wave.open(str(builder.folder / "audio/V_a_0.wav"), "wb") as file:
        file.setparams((2, 2, 48_000, len(tone), "NONE", ""))
        file.writeframes((np.stack([tone, tone / 2], axis=1) * 32767).astype("<i2").tobytes())
    construct(builder.folder, tmp_path / "out", Config(), workers=1)
    audio = load_corpus(tmp_path / "out").condition("V_a_0", with_audio=True).audio
    assert audio is not None and len(audio) == 50 * 640
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(audio)) / 16_000) * 0.375
    np.testing.assert_allclose(audio[400:-400], wanted[400:-400], atol=0.01)


def test_a_second_run_makes_nothing_again_and_a_new_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    _raw(tmp_path / "raw")
    construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    before = _files(tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/facial_motion").iterdir()}
    assert construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1).reused == 12
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "out/facial_motion").iterdir()}
    construct(tmp_path / "raw", tmp_path / "two", Config(), workers=1)
    assert before == _files(tmp_path / "out") == _files(tmp_path / "two")


def test_several_processes_give_what_one_gives(tmp_path: Path) -> None:
    _raw(tmp_path / "raw", 20)
    construct(tmp_path / "raw", tmp_path / "one", Config(), workers=1)
    construct(tmp_path / "raw", tmp_path / "two", Config(), workers=2)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_an_interrupted_run_goes_on_clip_by_clip(tmp_path: Path) -> None:
    _raw(tmp_path / "raw")
    construct(tmp_path / "raw", tmp_path / "whole", Config(), workers=1)
    construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    journal = tmp_path / "out/construction/clips.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:5]) + lines[5][:40])  # stopped in the middle of a line
    (tmp_path / "out/talking_subset.json").unlink()
    next((tmp_path / "out/facial_motion").glob("*_0.pkl")).unlink()  # and one finished clip lost a file
    assert construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1).reused == 4
    assert _files(tmp_path / "out") == _files(tmp_path / "whole")


def test_changed_clips_and_settings_are_made_again_and_clips_that_went_leave_nothing(tmp_path: Path) -> None:
    builder = _raw(tmp_path / "raw")
    out = tmp_path / "out"
    construct(tmp_path / "raw", out, Config(), workers=1)
    builder.records[0]["actions"] = ["kiss"]
    del builder.records[1]
    builder.write()
    report = construct(tmp_path / "raw", out, Config(), workers=1)
    assert (report.reused, report.kept, report.dropped) == (10, 10, {"no action can be seen on a head": 1})
    assert not list(out.rglob("CAM_00_0.*")) + list(out.rglob("CAM_00_1.*"))
    assert construct(tmp_path / "raw", out, Config(smoothing=Smoothing(strength=0.5)), workers=1).reused == 0


def test_every_fault_of_a_clip_is_a_line_of_the_report_and_stops_no_other_clip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lost = motion(rng, 80)
    lost[10:60] = np.nan
    gap = motion(rng, 190)
    gap[40:51] = np.nan
    builder = _raw(tmp_path / "raw", 2)
    builder.clip("A_long_0", motion(rng, 201)).clip("A_short_0", motion(rng, 7)).clip("A_lost_0", lost)
    builder.clip("A_gap_0", gap)
    builder.clip("A_none_0", None).clip("A_odd_0", motion(rng, 30)[:, :40])
    builder.clip("A_brief_0", motion(rng, 100), sound=np.ones(16_000) * 0.1, actions=["talk"])
    (tmp_path / "raw/motion/A_broken_0.npz").write_bytes(b"PK no zip")
    builder.clip("A_broken_0", None)
    report = construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    assert report.dropped == {
        "files cannot be read": 3, "tracker lost the face": 2, "too long": 1, "too short": 1,
    }  # fmt: skip
    assert report.kept == 3
    details = {example["id"]: example["detail"] for example in report.examples["files cannot be read"]}
    assert "motion is missing" in details["A_none_0"]
    assert "(T, 50)" in details["A_odd_0"]
    assert report.notes == {"cut from ... to ... frames: the audio ends there": 1}


@pytest.mark.parametrize(("too_long", "lengths"), [("cut", [200]), ("split", [150, 150, 150]), ("drop", [])])
def test_clips_over_200_frames_are_dropped_cut_or_split(tmp_path: Path, too_long: str, lengths: list[int]) -> None:
    RawBuilder(tmp_path / "raw").clip("V_x", motion(np.random.default_rng(0), 450))
    config = Config(frames=Frames(too_long=too_long))
    construct(tmp_path / "raw", tmp_path / "out", config, workers=1)
    if not lengths:
        assert not list((tmp_path / "out/facial_motion").iterdir())
        return
    corpus = load_corpus(tmp_path / "out")
    assert sorted(corpus.frames(clip_id) for clip_id in corpus.clip_ids()) == lengths
    if too_long == "split":  # pieces of one recording stay together
        assert [len(ids) for ids in corpus.subsets["text2motion"].values() if ids] == [3]


def test_settings_that_do_not_fit_and_faulty_lists_are_refused_with_all_problems(tmp_path: Path) -> None:
    builder = _raw(tmp_path / "raw", 2)
    path = tmp_path / "bad.toml"
    path.write_text("[outliers]\nwindow = 6\n[split]\nshares = [0.5, 0.1, 0.1]\n")
    with pytest.raises(InputError) as stop:
        construct(tmp_path / "raw", tmp_path / "out", load_config(path))
    assert {problem.where for problem in stop.value.problems} == {"outliers.window", "split.shares"}
    path.write_text("[smoothing]\nstrenght = 1\n")
    with pytest.raises(InputError, match=r"smoothing\.strenght"):
        load_config(path)
    builder.records += [{"id": "../x"}, {"id": "CAM_00_0"}, {"id": "Y_0", "colour": "red"}]
    builder.write()
    with pytest.raises(InputError) as stop:
        construct(tmp_path / "raw", tmp_path / "out", Config())
    assert len(stop.value.problems) == 3
    assert not (tmp_path / "out").exists()


def test_another_corpus_is_never_written_over(tmp_path: Path) -> None:
    _raw(tmp_path / "raw", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/talking_subset.json").write_text("{}")
    with pytest.raises(InputError, match="another corpus"):
        construct(tmp_path / "raw", tmp_path / "out", Config())


def test_a_language_model_writes_the_texts_it_is_asked_for_and_rules_the_rest(tmp_path: Path) -> None:
    _raw(tmp_path / "raw", 4)
    said: list[str] = []
    with endpoint() as server:
        config = configured(None, endpoint=server.url, model="tiny")
        config = config.model_copy(update={"annotators": {"action": "llm", "emotion_scenario": "llm"}})
        config = config.model_copy(update={"llm": config.llm.model_copy(update={"requests_per_minute": 1e6})})
        construct(tmp_path / "raw", tmp_path / "out", config, workers=1, say=said.append)
        asked = len(server.requests)
        construct(tmp_path / "raw", tmp_path / "out", config, workers=1)
        assert len(server.requests) == asked  # all in the cache
    corpus = load_corpus(tmp_path / "out")
    for clip_id in corpus.clip_ids():
        texts = corpus.texts(clip_id)
        assert texts.action.startswith("Answer to") and texts.emotion_scenario.startswith("Answer to")
        assert not texts.detail_head_pose.startswith("Answer to")
    assert said[0].startswith("tiny: ") and "requests" in said[0]
    sample = json.loads((tmp_path / "out/construction/report.json").read_text())["samples"][0]
    assert sample["texts"] == {field: getattr(corpus.texts(sample["id"]), field) for field in TEXT_FIELDS}
    assert not any("CAM" in json.dumps(request) for request in server.requests)  # prompts hold no id


def test_a_dry_run_prints_every_prompt_and_writes_and_sends_nothing(tmp_path: Path) -> None:
    _raw(tmp_path / "raw", 3)
    with endpoint() as server:
        text = dry_run(
            tmp_path / "raw", configured(None, annotator="llm", endpoint=server.url, model="tiny"), workers=1
        )
        assert server.requests == []
    assert text.count("[system]") == 15
    assert all(f"CAM_00_0, {field}" in text for field in TEXT_FIELDS)
    assert "15 requests" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids |= {value for name, value in attrs if name == "id" and value}
        assert not any(name in ("src", "href") for name, _ in attrs)  # nothing from elsewhere
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_says_what_the_report_says(tmp_path: Path) -> None:
    builder = _raw(tmp_path / "raw", 4)
    builder.clip("A_<b>_0", motion(np.random.default_rng(0), 201))
    report = construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    page = _Page()
    page.feed((tmp_path / "out/construction/report.html").read_text())
    assert page.open == []
    assert {"dropped", "mended", "head", "split", "duplicates", "texts", "time"} <= page.ids
    for words in ("4 of 5", "too long", "A_<b>_0", "201 > 200 frames", "turned left"):
        assert words in page.text
    assert "4 of 5 clips kept" in report.render()


def test_the_command_constructs_reports_and_refuses(
    tmp_path: Path, mmbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _raw(tmp_path / "raw", 4)
    run = mmbench("data", "construct", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1, "--seed", 3)
    assert run.code == 0, run.err
    assert "4 of 4 clips kept" in run.out
    assert json.loads((tmp_path / "out/construction/config.json").read_text())["seed"] == 3
    assert mmbench("data", "construct", tmp_path / "raw").code == 2
    refused = mmbench("data", "construct", tmp_path / "raw", "--out", tmp_path / "two", "--annotator", "llm")
    assert refused.code == 2
    assert "--endpoint" in refused.err
    assert "--model" in refused.err
    dry = mmbench("data", "construct", tmp_path / "raw", "--dry-run", "--workers", 1)
    assert dry.code == 0
    assert "4 clips would be kept" in dry.out


def test_a_real_arkit_capture_becomes_a_corpus(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    (folder / "motion").mkdir(parents=True)
    (folder / "motion/ROM_alex_3.csv").symlink_to(shared / "real/arkit_rom/alex_rom_3.csv")
    builder = RawBuilder(folder)
    builder.clip("ROM_alex_3", None, actions=["make_a_face"], emotions=["neutral"])
    builder.records[0]["fps"] = 30
    builder.write()
    report = construct(folder, tmp_path / "out", Config(frames=Frames(too_long="split")), workers=1)
    assert report.kept == 17
    corpus = load_corpus(tmp_path / "out")
    texts = [corpus.texts(clip_id).detail_expression for clip_id in corpus.clip_ids()]
    assert len(set(texts)) == 17
    assert sum("eye" in text or "lip" in text or "brow" in text for text in texts) > 12
    assert [finding.what for finding in verify(corpus) if finding.level == "error"] == []


def test_real_flame_tracks_with_faults_become_a_corpus_nearer_to_the_truth(shared: Path, tmp_path: Path) -> None:
    builder, truths = RawBuilder(tmp_path / "raw"), {}
    for number, path in enumerate(sorted((shared / "real/beat2_8x200/facial_motion").glob("*.pkl"))):
        truths[f"BEAT_a_{number}"] = truth = read_motion(path).parameters.astype(np.float64)
        builder.clip(f"BEAT_a_{number}", corrupted(truth, np.random.default_rng(number))[0])
    report = construct(tmp_path / "raw", tmp_path / "out", Config(), workers=1)
    assert report.kept == len(truths) == 8
    assert report.moved[0].outliers > 2000
    corpus, before, after = load_corpus(tmp_path / "out"), [], []
    for number, (clip_id, truth) in enumerate(truths.items()):
        spread = truth.std(axis=0)
        before.append((((corrupted(truth, np.random.default_rng(number))[0] - truth) / spread) ** 2).mean())
        after.append((((corpus.motion(clip_id) - truth) / spread) ** 2).mean())
    assert np.sqrt(np.mean(before)) > 0.8
    assert np.sqrt(np.mean(after)) < 0.3


def test_the_settings_of_the_documentation_are_the_defaults(project: Path, tmp_path: Path) -> None:
    text = (project / "docs/construction.md").read_text(encoding="utf-8")
    (tmp_path / "settings.toml").write_text(text.split("```toml")[1].split("```")[0], encoding="utf-8")
    assert load_config(tmp_path / "settings.toml") == Config()
