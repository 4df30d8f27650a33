import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.corpus import load_corpus
from benchmark.corpus_check import Finding, as_rows, errors_of, render, verify
from benchmark.corpus_describe import describe
from benchmark.errors import InputError
from benchmark.unpickle import load_arrays

CorpusBuilder = Callable[..., Path]
CLIPS = [f"S_p{i}_{i:02d}" for i in range(24)]


def motion(folder: Path, clip: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "facial_motion" / f"{clip}.pkl"
    record = {key: value.copy() for key, value in load_arrays(path).items()}
    change(record)
    path.write_bytes(pickle.dumps(record))


def assign(key: str, where: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record[key].__setitem__(where, value)


def found(findings: list[Finding], what: str, where: str) -> Finding:
    hits = [f for f in findings if what in f.what and where in f.where]
    assert len(hits) == 1, f"{what} at {where}: {hits}"
    return hits[0]


def test_a_corpus_without_faults_has_no_findings(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(
        talking={"train": CLIPS[:4], "val": CLIPS[4:5], "test": CLIPS[5:9]}, text2motion={"test": ["x_1"]}
    )
    assert verify(folder) == []
    assert verify(load_corpus(folder)) == []
    assert render([]) == "0 errors, 0 warnings, 0 notes"


def test_every_fault_is_found_in_one_call(build_corpus: CorpusBuilder) -> None:
    c = CLIPS
    folder = build_corpus(
        talking={"train": c[:8], "val": c[8:9], "test": c[9:]},
        text2motion={"train": [c[20], "y_1"], "test": [c[0], "z_1"]},
    )
    listed = json.loads((folder / "talking_subset.json").read_text())
    listed["train"] += ["../up", c[1], c[10]]
    (folder / "talking_subset.json").write_text(json.dumps(listed))

    motions, audio, texts = folder / "facial_motion", folder / "audio", folder / "text_annotations"
    (motions / f"{c[0]}.pkl").unlink()
    (audio / f"{c[1]}.wav").unlink()
    (audio / "y_1.wav").unlink()  # a text-to-motion clip needs no speech
    (texts / "emotion" / f"{c[2]}.txt").unlink()
    (texts / "action" / f"{c[3]}.txt").write_bytes(b"\xff\xfe")
    (texts / "action" / f"{c[4]}.txt").write_text(" \n")
    for text in texts.glob(f"*/{c[5]}.txt"):
        text.write_text("")
    (motions / f"{c[6]}.pkl").write_bytes(pickle.dumps(Path("evil")))
    (motions / f"{c[7]}.pkl").write_bytes(b"\x80\x02}")
    (audio / f"{c[8]}.wav").write_bytes(b"")
    motion(folder, c[9], lambda r: r.update(expcodes=r["expcodes"][:, :40]))
    motion(folder, c[11], assign("expcodes", (3, 4), np.nan))
    motion(folder, c[12], assign("posecodes", (3, 4), np.inf))
    motion(folder, c[13], lambda r: r.update({k: np.tile(v, (11, 1)) for k, v in r.items()}))
    motion(folder, c[14], lambda r: r.update({k: np.tile(v, (2, 1)) for k, v in r.items()}))
    motion(folder, c[15], assign("posecodes", (2, 1), 1.4))
    motion(folder, c[16], assign("posecodes", (slice(None), 3), 0.9))
    motion(folder, c[17], assign("expcodes", (2, 1), -40.0))
    shutil.copy(motions / f"{c[2]}.pkl", motions / f"{c[18]}.pkl")
    shutil.copy(motions / f"{c[21]}.pkl", motions / f"{c[22]}.pkl")
    motion(folder, c[19], lambda r: r.update({k: np.zeros_like(v) for k, v in r.items()}))
    motion(folder, c[23], lambda r: r.update(posecodes=np.concatenate([r["posecodes"][:, :3], r["posecodes"]], axis=1)))
    shutil.copy(motions / f"{c[2]}.pkl", motions / "extra.pkl")

    progress: list[tuple[int, int]] = []
    findings = verify(folder, progress=lambda *pair: progress.append(pair))
    expected = [
        ("error", "clip name holds", "train[8]"),
        ("error", "clip is in two splits", f"talking, {c[10]}"),
        ("warning", "clip is listed twice", f"talking, {c[1]}"),
        ("warning", "trained on in one task and tested in the other", c[0]),
        ("warning", "trained on in one task and tested in the other", c[20]),
        ("error", "pickle cannot be read", c[0]),
        ("error", "audio is missing", c[1]),
        ("error", "text cannot be read", f"emotion/{c[2]}"),
        ("error", "text is not UTF-8", f"action/{c[3]}"),
        ("warning", "text is empty", c[4]),
        ("error", "clip has no text at all", c[5]),
        ("error", "pickle asks for more than arrays", c[6]),
        ("error", "not a whole pickle", c[7]),
        ("error", "not a sound file", c[8]),
        ("error", "expcodes have the wrong shape", c[9]),
        ("error", "expcodes hold NaN", c[11]),
        ("error", "posecodes hold NaN", c[12]),
        ("error", "motion is too long", c[13]),
        ("error", "audio is shorter", c[13]),
        ("error", "audio is shorter", c[14]),
        ("warning", "neck angle is implausible", c[15]),
        ("warning", "jaw angle is implausible", c[16]),
        ("warning", "expression value is implausible", c[17]),
        ("error", "several names in different splits", c[2]),
        ("warning", "one motion under several names", c[21]),
        ("warning", "motion does not move", c[19]),
        ("warning", "pose layouts are mixed", "facial_motion"),
        ("note", "files are in no split", "facial_motion"),
    ]
    for level, what, where in expected:
        assert found(findings, what, where).level == level
    assert len(findings) == len(expected), [str(f) for f in findings]
    assert [f.level for f in findings] == sorted((f.level for f in findings), key=["error", "warning", "note"].index)
    assert not any(str(folder) in f.where for f in findings)
    assert progress[0][0] == 0 and progress[-1] == (26, 26) == (len(set(c) | {"y_1", "z_1"}),) * 2
    assert "pathlib" in found(findings, "pickle asks", c[6]).got


def test_only_the_chosen_clips_are_read(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"train": CLIPS[:2], "test": CLIPS[2:4]}, text2motion={"test": ["x_1"]})
    for path in (folder / "facial_motion").glob("*"):
        path.write_bytes(b"")
    names = {f.where for f in verify(folder, tasks=["talking"], splits=["test"])}
    assert names == {f"facial_motion/{clip}.pkl" for clip in CLIPS[2:4]}


def test_a_folder_that_is_missing_is_told_once(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"test": CLIPS[:6]})
    shutil.rmtree(folder / "audio")
    shutil.rmtree(folder / "text_annotations" / "action")
    assert [f.where for f in verify(folder)] == ["text_annotations/action", "audio"]


def test_speech_is_not_asked_for_where_no_task_gives_it(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(text2motion={"test": CLIPS[:3]})
    shutil.rmtree(folder / "audio")
    assert verify(folder) == []
    assert describe(load_corpus(folder)).missing_files == 0


def test_an_exchanged_jaw_and_neck_are_noticed(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"test": CLIPS[:4]})
    rng = np.random.default_rng(1)
    for clip in CLIPS[:4]:
        neck, jaw = rng.normal(0, 0.2, (20, 3)), rng.normal(0, 0.01, (20, 3))
        motion(folder, clip, assign("posecodes", slice(None), np.concatenate([jaw, neck], axis=1)))
    assert found(verify(folder), "jaw and neck may be exchanged", "").level == "warning"


def test_a_global_rotation_is_noted(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"test": CLIPS[:2]})
    for clip in CLIPS[:2]:
        motion(
            folder, clip, lambda r: r.update(posecodes=np.concatenate([r["posecodes"][:, :3], r["posecodes"]], axis=1))
        )
    assert [(f.level, f.what) for f in verify(folder)] == [("note", "global rotation is left out")]
    assert describe(load_corpus(folder)).pose_values == {9: 2}


def test_one_broken_subset_file_does_not_hide_the_other(build_corpus: CorpusBuilder, tmp_path: Path) -> None:
    folder = build_corpus(talking={"test": CLIPS[:2]}, text2motion={"test": ["x_1"]})
    (folder / "t2m_subset.json").write_text("{")
    (folder / "audio" / f"{CLIPS[0]}.wav").unlink()
    levels = [f.level for f in verify(folder)]
    assert levels == ["error", "error", "note", "note"]
    with pytest.raises(InputError):
        verify(tmp_path / "absent")


def test_long_tables_count_what_they_do_not_show() -> None:
    findings = [Finding("file is missing", f"clip {i}") for i in range(100)] + [Finding("other", "x", level="note")]
    rows = as_rows(findings, each=5)
    assert len(rows) == 7 and rows[5]["where"] == "... and 95 more"
    assert len(as_rows(findings, each=None)) == 101
    assert render(findings).endswith("100 errors, 0 warnings, 1 note")
    assert len(errors_of(findings)) == 100


def test_a_description_counts_and_measures(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"train": CLIPS[:3], "test": CLIPS[3:5]}, text2motion={"test": [CLIPS[0], "X_q_1"]})
    (folder / "audio" / f"{CLIPS[0]}.wav").unlink()
    (folder / "text_annotations" / "action" / "X_q_1.txt").unlink()
    (folder / "facial_motion" / f"{CLIPS[1]}.pkl").write_bytes(b"")
    described = describe(load_corpus(folder))
    counts = {(s.task, s.split): (s.clips, s.readable, s.missing_files) for s in described.splits}
    assert counts["talking", "train"] == (3, 2, 1)
    assert counts["talking", "val"] == (0, 0, 0)
    assert counts["text2motion", "test"] == (2, 2, 1)
    assert (described.clips, described.missing_files, described.unreadable_files) == (6, 2, 1)
    assert described.sources == {"S": 5, "X": 1} and described.performers == 6
    assert described.sample_rates == {16_000: 5} and described.channels == {1: 5} and described.pose_values == {6: 5}
    corpus = load_corpus(folder)
    frames = np.concatenate([corpus.motion(clip) for clip in corpus.clip_ids() if clip != CLIPS[1]])
    assert described.hours == pytest.approx(len(frames) / 25 / 3600)
    assert described.expression_std == pytest.approx(frames[:, :50].std(axis=0).mean(), rel=1e-4)
    np.testing.assert_allclose(described.neck_mean, frames[:, 50:53].mean(axis=0), atol=1e-6)  # type: ignore[arg-type]
    np.testing.assert_allclose(described.jaw_std, frames[:, 53:].std(axis=0), rtol=1e-4)  # type: ignore[arg-type]
    assert described.words["emotion"] == 4
    json.dumps(described.to_json(), allow_nan=False)
    assert "6 (neck, jaw): 5" in described.render()


def test_a_corpus_of_which_nothing_can_be_read_is_described(tmp_path: Path) -> None:
    (tmp_path / "talking_subset.json").write_text(json.dumps({"test": ["a"]}))
    described = describe(load_corpus(tmp_path))
    assert described.missing_files == 7 and described.expression_std is None
    assert "-" in described.render()
    json.dumps(described.to_json(), allow_nan=False)


@pytest.mark.parametrize("name", ["beat2_32x49", "beat2_8x200"])
def test_real_corpora_have_no_findings_and_plausible_statistics(shared: Path, name: str) -> None:
    folder = shared / "real" / name
    assert verify(folder) == []
    described = describe(load_corpus(folder))
    assert described.missing_files == described.unreadable_files == 0
    assert described.sources == {"BEAT2": described.clips} and described.performers == 1
    assert described.pose_values == {6: described.clips} and described.sample_rates == {16_000: described.clips}
