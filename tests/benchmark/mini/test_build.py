"""The build: bit-identical whatever the number of processes, resumable, and every fault of a built folder is found."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import storage
from benchmark.errors import CheckFailedError, InputError
from benchmark.mini import build, clips, files, freeze, manifest, packs, shard
from benchmark.mini.clips import SPLITS, VERSION_1, Sizes
from benchmark.mini.freeze import SPLITS_FOLDER, write_splits

TINY = Sizes(talking=(50, 3, 6), text2motion=(44, 3, 6), shared=(4, 1, 2))  # 90 and 15 clips: two shards and one


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small frozen corpus: ``data``, and what was built while it was frozen, ``mini``."""
    folder = tmp_path_factory.mktemp("frozen")
    freeze.freeze(folder / "data", folder / "mini", TINY, workers=2)
    return folder


@pytest.fixture
def copied(frozen: Path, tmp_path: Path) -> Path:
    """A copy of the built folder, to be damaged."""
    return Path(shutil.copytree(frozen / "mini", tmp_path / "copy"))


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): storage.sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def _names(split: str) -> list[str]:
    return sorted(clip.name for clip in clips.clips(TINY) if clip.has_speech and clip.split == split)


def test_one_process_after_the_other_gives_the_same_bytes_as_two_at_a_time(frozen: Path, tmp_path: Path) -> None:
    build.build(tmp_path / "again", workers=1, data=frozen / "data")
    assert _files(tmp_path / "again") == _files(frozen / "mini")
    assert build.is_current(tmp_path / "again", data=frozen / "data")


def test_a_build_takes_up_finished_shards_and_makes_damaged_ones_again(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = build.part_of(tmp_path / "mini")
    shutil.copytree(frozen / "mini", part)
    (part / "audio" / f"{_names('train')[0]}.wav").write_bytes(b"cut")
    started: list[int] = []
    start = shard._start

    def counted(folder: Path, number: int, sizes: Sizes) -> subprocess.Popen[str]:
        started.append(number)
        return start(folder, number, sizes)

    told: list[tuple[int, int]] = []
    monkeypatch.setattr(shard, "_start", counted)
    build.build(tmp_path / "mini", data=frozen / "data", progress=lambda done, total: told.append((done, total)))
    assert len(started) == 1
    assert told[-1] == (105, 105)
    assert _files(tmp_path / "mini") == _files(frozen / "mini")


def test_held_out_splits_are_built_alone_without_making_a_clip(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "_start", lambda *_: pytest.fail("a shard was made"))
    build.build(tmp_path / "mini", splits=("test",), data=frozen / "data")
    built = _files(tmp_path / "mini")
    assert all(built[path] == _files(frozen / "mini")[path] for path in built if not path.endswith(".json"))
    assert set(json.loads((tmp_path / "mini" / "talking_subset.json").read_text())) == {"test"}
    assert build.check(tmp_path / "mini", ("test",), frozen / "data") == []
    assert build.is_current(tmp_path / "mini", ("test",), frozen / "data")
    assert not build.is_current(tmp_path / "mini", ("val", "test"), frozen / "data")


def test_held_out_clips_are_the_same_when_trained_ones_are_not_made_before(frozen: Path, tmp_path: Path) -> None:
    """espeak-ng's output depends on the calls before it in its process: no shard holds clips of both kinds."""
    kinds = [{clip.split == "train" for clip in group} for group in clips.shards(TINY)]
    assert kinds == [{True}, {True}, {False}]
    shard.run_shards(tmp_path, [0], TINY, 1, lambda _: None)
    made, wanted = shard.read_entries(tmp_path, [0]), manifest.read(frozen / "data").clips
    assert all(wanted[name] == entry for name, entry in made.items())


def test_the_layout_is_that_of_the_released_corpus(frozen: Path) -> None:
    from benchmark.corpus import load_corpus

    corpus = load_corpus(frozen / "mini")
    assert {task: {s: len(ids) for s, ids in splits.items()} for task, splits in corpus.subsets.items()} == {
        "talking": {"train": 50, "val": 3, "test": 6},
        "text2motion": {"train": 44, "val": 3, "test": 6},
    }
    for split in SPLITS:
        name = _names(split)[0]
        motion, audio = corpus.motion(name), corpus.audio(name)
        assert motion.shape[1] == 56
        assert len(audio) == len(motion) * 640
        assert corpus.texts(name).action
    for clip in clips.clips(TINY):
        assert all((frozen / "mini" / path).is_file() for path in files.files_of(clip))


def test_check_finds_nothing_in_a_sound_folder_and_every_fault_in_a_damaged_one(frozen: Path, copied: Path) -> None:
    assert build.check(copied, data=frozen / "data") == []
    names = _names("train")[:3] + _names("test")[:3]
    (copied / "text_annotations" / "action" / f"{names[0]}.txt").write_text("The portrait does something else.\n")
    for name in (names[1], names[3]):
        wave = copied / "audio" / f"{name}.wav"
        sound = bytearray(wave.read_bytes())
        sound[20_000] ^= 64
        wave.write_bytes(bytes(sound))
    (copied / "facial_motion" / f"{names[2]}.pkl").unlink()
    (copied / "facial_motion" / f"{names[4]}.pkl").write_bytes(b"no pickle")
    (copied / "audio" / f"{names[5]}.wav").write_bytes(b"RIFF")
    (copied / "t2m_subset.json").write_text("{}")
    problems = build.check(copied, data=frozen / "data")
    assert sorted(Path(problem.where).stem for problem in problems) == sorted([*names, "t2m_subset"])


@pytest.mark.parametrize("name", [*packs.pack_names("val"), *packs.pack_names("test")])
def test_a_damaged_pack_is_found_before_anything_is_built(name: str, frozen: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(frozen / "data", tmp_path / "data"))
    content = bytearray((data / name).read_bytes())
    content[len(content) // 2] ^= 1
    (data / name).write_bytes(content)
    with pytest.raises(InputError, match="not that of the manifest"):
        build.build(tmp_path / "mini", data=data)
    assert not (tmp_path / "mini").exists()


def test_a_folder_without_a_manifest_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest"):
        build.build(tmp_path / "mini", data=tmp_path)


def test_what_was_built_differently_is_not_stamped(frozen: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(frozen / "data", tmp_path / "data"))
    record = manifest.read(data)
    name = _names("test")[0]
    changed = replace(record.clips[name], motion="0" * 12)
    manifest.write(manifest.path_of(data), replace(record, clips={**record.clips, name: changed}))
    build.build(tmp_path / "mini", splits=("test",), data=data)
    assert not build.is_current(tmp_path / "mini", ("test",), data)
    assert [problem.where for problem in build.check(tmp_path / "mini", ("test",), data)] == [name]


def test_a_manifest_comes_back_as_it_was_written(frozen: Path, tmp_path: Path) -> None:
    record = manifest.read(frozen / "data")
    manifest.write(tmp_path / "manifest.json", record)
    assert manifest.read(tmp_path) == record


Change = Callable[[NDArray[np.float64]], NDArray[np.float64]]
CHANGES: dict[str, Change] = {
    "a little noise": lambda audio: audio + np.random.default_rng(1).normal(0, 3, audio.shape),
    "five milliseconds later": lambda audio: np.roll(audio, 80),
    "a decibel louder": lambda audio: audio * 1.12,
}


@pytest.mark.parametrize("name", CHANGES)
def test_with_other_libraries_nearly_the_same_sound_is_accepted(name: str, frozen: Path) -> None:
    for clip in _names("train")[:8]:
        content = files.read_clip(frozen / "mini", clip)
        assert content.audio is not None
        wanted = manifest.entry(content)
        heard = np.clip(CHANGES[name](content.audio.astype(np.float64)), -32768, 32767).astype(np.int16)
        found = manifest.entry(replace(content, audio=heard))
        assert manifest.compare(clip, found, wanted, synthesised=True, same_libraries=False) == []
        assert manifest.compare(clip, found, wanted, synthesised=True, same_libraries=True)


def test_with_other_libraries_another_sound_is_refused(frozen: Path) -> None:
    entries = [manifest.read(frozen / "data").clips[name] for name in _names("train")]
    for one, two in pairwise(entries):
        found = replace(one, picture=two.picture)
        [problem] = manifest.compare("clip", found, one, synthesised=True, same_libraries=False)
        assert "sounds different" in problem.what
    assert manifest.compare(
        "clip", replace(entries[0], picture=""), entries[0], synthesised=False, same_libraries=False
    )


def test_motion_may_differ_with_other_libraries_only_where_it_follows_speech_made_here(frozen: Path) -> None:
    entry = manifest.read(frozen / "data").clips[_names("train")[0]]
    other = replace(entry, frames=entry.frames + 1, motion="other", phonemes="other", audio="other")
    assert manifest.compare("clip", other, entry, synthesised=True, same_libraries=False) == []
    assert len(manifest.compare("clip", other, entry, synthesised=False, same_libraries=False)) == 3
    assert len(manifest.compare("clip", other, entry, synthesised=True, same_libraries=True)) == 4
    mute = manifest.Entry(50, "texts", "motion")
    moved = replace(mute, motion="other")
    assert manifest.compare("clip", moved, mute, synthesised=True, same_libraries=False)


def test_a_shard_that_fails_is_reported_and_nothing_is_put_in_place(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InputError, match="could not be made"):
        build.build(tmp_path / "mini", workers=1, data=frozen / "data")
    assert not (tmp_path / "mini").exists()


def test_a_folder_that_cannot_be_made_is_bad_input(frozen: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        build.build(tmp_path / "file" / "mini", data=frozen / "data")


def test_freezing_keeps_the_search_for_duplicates(frozen: Path) -> None:
    found = json.loads((frozen / "data" / "audit.json").read_text(encoding="utf-8"))
    assert found["clips"] == {"train": 90, "val": 5, "test": 10}
    assert all(counts["exact"] == 0 for kind, counts in found["counts"].items() if kind != "text")


def test_splits_are_disjoint_and_shared_clips_are_on_the_same_side() -> None:
    talking, text = (clips.subset(VERSION_1, task) for task in ("talking", "text2motion"))
    for subsets in (talking, text):
        assert [len(subsets[split]) for split in SPLITS] == [4000, 100, 640]
        ids = [name for split in SPLITS for name in subsets[split]]
        assert len(ids) == len(set(ids))
    shared = {split: set(talking[split]) & set(text[split]) for split in SPLITS}
    assert [len(shared[split]) for split in SPLITS] == [252, 6, 42]
    assert sum(map(len, shared.values())) == len(
        {n for s in SPLITS for n in talking[s]} & {n for s in SPLITS for n in text[s]}
    )


def test_shards_hold_every_clip_once_and_at_most_eighty() -> None:
    groups = clips.shards(VERSION_1)
    assert sorted(clip.index for group in groups for clip in group) == list(range(len(clips.clips(VERSION_1))))
    assert max(map(len, groups)) <= 80


# What follows is about the frozen corpus itself.


def test_the_first_shard_of_the_frozen_corpus_comes_out_as_in_the_manifest(tmp_path: Path) -> None:
    for folder in (*files.FOLDERS, "shards"):
        (tmp_path / folder).mkdir(parents=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [str(tmp_path), "0", json.dumps(astuple(VERSION_1)), "recipe"]
    subprocess.run([sys.executable, "-m", "benchmark.mini.shard", *arguments], check=True, env=environment)
    record, same = manifest.read(), manifest.read().synthesis == manifest.synthesis()
    problems = [
        problem
        for name, entry in shard.read_entries(tmp_path, [0]).items()
        for problem in manifest.compare(name, entry, record.clips[name], synthesised=True, same_libraries=same)
    ]
    assert problems == []


def test_packs_are_those_of_the_manifest_and_small() -> None:
    record = manifest.read()
    assert record.sizes == VERSION_1
    assert sorted(record.packs) == sorted(name for split in ("val", "test") for name in packs.pack_names(split))
    assert manifest.pack_problems(manifest.DATA, record.packs) == []
    sizes = [path.stat().st_size for path in manifest.DATA.iterdir()]
    assert max(sizes) < 12_000_000
    assert sum(sizes) <= 24_000_000


def test_every_performer_is_in_every_split_and_no_two_clips_share_content() -> None:
    for task in ("talking", "text2motion"):
        for split, ids in clips.subset(VERSION_1, task).items():
            assert len({name.split("_")[1] for name in ids}) == 24, (task, split)
    entries = manifest.read().clips
    assert len({entry.motion for entry in entries.values()}) == len(entries)
    spoken = [entry.audio for entry in entries.values() if entry.audio]
    assert len(set(spoken)) == len(spoken)


def test_frozen_splits_are_those_of_the_seed_and_their_hashes_hold(tmp_path: Path) -> None:
    write_splits(tmp_path)
    assert _files(tmp_path) == _files(SPLITS_FOLDER)


def test_ensure_answers_at_once_when_the_corpus_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBENCH_HOME", str(tmp_path))
    build.mini_path().mkdir()
    digest = storage.sha256_file(manifest.path_of(manifest.DATA))
    storage.write_json(build.mini_path() / "built.json", {"manifest": digest, "splits": list(SPLITS)})
    monkeypatch.setattr(build, "build", lambda *_args, **_kwargs: pytest.fail("built again"))
    assert build.ensure() == tmp_path / "mini-1"


def test_ensure_reports_what_was_built_differently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(build, "build", lambda *_args, **_kwargs: build.mini_path().mkdir())
    with pytest.raises(CheckFailedError, match="differences between"):
        build.ensure(splits=("val",))
