import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.corpus import Corpus, load_corpus, source_of
from benchmark.errors import InputError
from benchmark.protocol import TEXT_FIELDS
from benchmark.tracks import split_ids, tracks_of_corpus

CorpusBuilder = Callable[..., Path]


def write_pickle(corpus: Corpus, clip_id: str, record: Any) -> None:
    corpus.motion_path(clip_id).write_bytes(pickle.dumps(record))


@pytest.fixture
def corpus(build_corpus: CorpusBuilder) -> Corpus:
    return load_corpus(build_corpus(talking={"train": ["S_a_0"], "val": [], "test": ["S_b_0", "--c"]}))


def test_a_clip_reads_as_it_was_written(corpus: Corpus) -> None:
    condition = corpus.condition("S_a_0", with_audio=True)
    assert condition.clip_id == "S_a_0" and condition.frames == corpus.frames("S_a_0") == 20
    assert condition.texts.emotion == "The emotion of S_a_0."
    assert condition.audio is not None and condition.audio.shape == (20 * 640,)
    assert corpus.motion("S_a_0").shape == (20, 56) and corpus.motion("S_a_0").dtype == np.float32
    assert corpus.condition("S_a_0", with_audio=False).audio is None


def test_a_name_that_begins_with_dashes_is_a_name(corpus: Corpus) -> None:
    assert corpus.condition("--c", with_audio=True).frames == 20


def test_opening_a_corpus_reads_no_clip(build_corpus: CorpusBuilder) -> None:
    folder = build_corpus(talking={"test": ["a"]})
    (folder / "facial_motion" / "a.pkl").unlink()
    assert load_corpus(folder).subsets == {"talking": {"train": (), "val": (), "test": ("a",)}}


def test_one_subset_file_is_enough_and_none_is_no_corpus(build_corpus: CorpusBuilder, tmp_path: Path) -> None:
    folder = build_corpus(text2motion={"test": ["a"]})
    corpus = load_corpus(folder)
    assert [track.task for track in tracks_of_corpus(corpus)] == ["text2motion"]
    assert split_ids(tracks_of_corpus(corpus)[0], "test", corpus) == ("a",)
    (folder / "t2m_subset.json").unlink()
    for bad in (folder, tmp_path / "absent", folder / "audio" / "a.wav"):
        with pytest.raises(InputError):
            load_corpus(bad)


def test_faults_of_both_subset_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "talking_subset.json").write_text(json.dumps({"train": ["../up", "ok"]}))
    (tmp_path / "t2m_subset.json").write_text(json.dumps({"holdout": ["x"]}))
    with pytest.raises(InputError) as caught:
        load_corpus(tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("clip_id", ["../a", "/etc/passwd", "a/../../b", "..", "", "a\\b", "a\x00b"])
def test_an_id_that_leads_elsewhere_touches_no_file(
    corpus: Corpus, clip_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: Any, **__: Any) -> None:
        raise AssertionError("a file was touched")

    for name in ("stat", "open", "read_bytes", "is_file", "exists"):
        monkeypatch.setattr(Path, name, touched)
    reads: list[Callable[[str], Any]] = [corpus.motion, corpus.texts, corpus.audio, corpus.frames, corpus.content_hash]
    for read in reads:
        with pytest.raises(InputError, match="clip name"):
            read(clip_id)


@pytest.mark.parametrize("shape", [(9, 6), (9, 1, 6), (1, 9, 6), (9, 9), (9, 1, 9)])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "f2"])
def test_pose_layouts_and_float_types_read_the_same(corpus: Corpus, shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    expression, pose = rng.normal(size=(9, 50)).astype(dtype), rng.normal(size=(9, 6)).astype(dtype)
    whole = np.concatenate([np.full((9, 3), 7, dtype), pose], axis=1) if shape[-1] == 9 else pose
    write_pickle(corpus, "S_a_0", {"expcodes": expression.reshape(9, 1, 50), "posecodes": whole.reshape(shape)})
    motion = corpus.motion("S_a_0")
    np.testing.assert_array_equal(motion, np.concatenate([expression, pose], axis=1).astype(np.float32))
    assert motion.dtype == np.float32


GOOD = {"expcodes": np.zeros((5, 50), np.float32), "posecodes": np.zeros((5, 6), np.float32)}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"expcodes": np.zeros((5, 53))}, "(5, 53)"),
        ({"expcodes": np.zeros((5, 100))}, "(5, 100)"),
        ({"expcodes": np.zeros((5, 10))}, "(5, 10)"),
        ({"expcodes": np.zeros((0, 50)), "posecodes": np.zeros((0, 6))}, "(0, 50)"),
        ({"expcodes": np.zeros(50)}, "(50,)"),
        ({"expcodes": np.zeros((5, 2, 25))}, "(5, 2, 25)"),
        ({"posecodes": np.zeros((5, 1, 3))}, "(5, 1, 3)"),
        ({"posecodes": np.zeros((5, 7))}, "(5, 7)"),
        ({"posecodes": np.zeros((4, 6))}, "5 and 4 frames"),
        ({"posecodes": np.full((5, 6), np.nan)}, "5 of 5 frames"),
        ({"expcodes": np.where(np.arange(5)[:, None] == 2, np.inf, np.zeros((5, 50)))}, "1 of 5 frames"),
        ({"expcodes": np.full((5, 50), 1e300)}, "5 of 5 frames"),
        ({"expcodes": np.full((5, 50), "x")}, "ndarray"),
        ({"expcodes": np.zeros((5, 50), complex)}, "ndarray"),
        ({"expcodes": [[1.0], [1.0, 2.0]]}, "list"),
        ({"expcodes": None}, "NoneType"),
        ({"expcodes": "zeros"}, "str"),
    ],
)
def test_a_faulty_motion_is_named(corpus: Corpus, change: dict[str, Any], named: str) -> None:
    write_pickle(corpus, "S_a_0", GOOD | change)
    with pytest.raises(InputError) as caught:
        corpus.motion("S_a_0")
    assert named in str(caught.value) and "S_a_0.pkl" in str(caught.value)


def test_missing_keys_are_told_with_those_found(corpus: Corpus) -> None:
    write_pickle(corpus, "S_a_0", {"exp": np.zeros((5, 50)), 3: "x"})
    with pytest.raises(InputError) as caught:
        corpus.motion("S_a_0")
    assert [problem.got for problem in caught.value.problems] == ["the keys 3, exp"] * 2
    write_pickle(corpus, "S_a_0", np.zeros((5, 56)))
    with pytest.raises(InputError, match="no dict"):
        corpus.motion("S_a_0")


def test_texts_are_utf_8_with_or_without_a_byte_order_mark(corpus: Corpus) -> None:
    paths = corpus.text_paths("S_a_0")
    paths["action"].write_bytes(b"\xef\xbb\xbf  Sie l\xc3\xa4chelt.\r\nDann nickt sie.\r\n\r\n")
    assert corpus.texts("S_a_0").action == "Sie lächelt.\nDann nickt sie."
    paths["action"].write_bytes(b"Sie l\xe4chelt.")
    paths["emotion"].unlink()
    with pytest.raises(InputError) as caught:
        corpus.texts("S_a_0")
    assert [problem.what for problem in caught.value.problems] == ["text is not UTF-8", "text cannot be read"]
    assert "0xe4 at position 5" in caught.value.problems[0].got


def test_a_condition_tells_all_that_is_wrong_with_its_clip(corpus: Corpus) -> None:
    corpus.text_paths("S_a_0")["action"].unlink()
    corpus.motion_path("S_a_0").write_bytes(b"")
    corpus.audio_path("S_a_0").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        corpus.condition("S_a_0", with_audio=True)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(("frames", "fits"), [(19, True), (20, True), (21, True), (22, False)])
def test_speech_may_end_one_frame_before_its_motion_and_is_never_cut(corpus: Corpus, frames: int, fits: bool) -> None:
    write_pickle(corpus, "S_a_0", {"expcodes": np.zeros((frames, 50)), "posecodes": np.zeros((frames, 6))})
    if fits:
        audio = corpus.condition("S_a_0", with_audio=True).audio
        assert audio is not None and len(audio) == 20 * 640
    else:
        with pytest.raises(InputError, match="shorter than the motion"):
            corpus.condition("S_a_0", with_audio=True)
        corpus.condition("S_a_0", with_audio=False)


def test_the_hash_follows_content_and_not_names(corpus: Corpus) -> None:
    def fresh(clip_id: str) -> str:
        return load_corpus(corpus.path).content_hash(clip_id)

    before = fresh("S_a_0")
    assert before == fresh("S_a_0") != fresh("S_b_0")
    for a, b in zip(files(corpus, "S_a_0"), files(corpus, "S_b_0"), strict=True):
        b.write_bytes(a.read_bytes())
    assert fresh("S_b_0") == before
    for path in files(corpus, "S_a_0"):
        data = path.read_bytes()
        path.write_bytes(data + b" ")
        assert fresh("S_a_0") != before
        path.unlink()
        assert fresh("S_a_0") != before
        path.write_bytes(data)
    assert fresh("S_a_0") == before


def files(corpus: Corpus, clip_id: str) -> list[Path]:
    return [corpus.motion_path(clip_id), corpus.audio_path(clip_id), *corpus.text_paths(clip_id).values()]


def test_lengths_and_hashes_are_remembered(corpus: Corpus) -> None:
    frames, digest = corpus.frames("S_a_0"), corpus.content_hash("S_a_0")
    for path in files(corpus, "S_a_0"):
        path.unlink()
    assert (corpus.frames("S_a_0"), corpus.content_hash("S_a_0")) == (frames, digest)


@pytest.mark.parametrize(
    ("clip_id", "source"),
    [
        ("CELEBVHQ_--uyzf7X_0c_0", "CELEBVHQ_--uyzf7X_0c"),
        ("MINI_p07_0123", "MINI_p07"),
        ("plain", "plain"),
        ("_0", "_0"),
        ("a_", "a"),
    ],
)
def test_the_source_is_everything_before_the_last_part(clip_id: str, source: str) -> None:
    assert source_of(clip_id) == source


@pytest.mark.parametrize(
    ("name", "frames", "splits"), [("beat2_32x49", 49, (0, 0, 32)), ("beat2_8x200", 200, (4, 1, 3))]
)
def test_real_corpora_are_read(shared: Path, name: str, frames: int, splits: tuple[int, ...]) -> None:
    corpus = load_corpus(shared / "real" / name)
    assert tuple(len(corpus.subsets["talking"][split]) for split in ("train", "val", "test")) == splits
    for clip_id in corpus.clip_ids():
        condition = corpus.condition(clip_id, with_audio=True)
        assert condition.frames in (frames, 188)
        assert condition.audio is not None and len(condition.audio) == condition.frames * 640
        assert all(getattr(condition.texts, field) for field in TEXT_FIELDS)
    assert {source_of(clip_id) for clip_id in corpus.clip_ids()} == {"BEAT2_scott_0_1_1"}


def test_reading_a_corpus_loads_nothing_heavy() -> None:
    import subprocess

    code = "import benchmark.corpus_check, benchmark.corpus_describe, sys; print([m for m in {} if m in sys.modules])"
    heavy = ("torch", "transformers", "soundfile", "soxr", "pandas", "tabulate", "scipy")
    done = subprocess.run([sys.executable, "-c", code.format(heavy)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
