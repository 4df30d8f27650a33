"""The build: bit-identical whatever the number of processes, resumable, and every fault of a built folder is found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import storage
from benchmark.errors import InputError
from benchmark.mini import build, clips, manifest, shard
from benchmark.mini.clips import SPLITS, VERSION_0, Sizes
from benchmark.mini.freeze import SPLITS_FOLDER, write_splits

TINY = Sizes(talking=(56, 2, 8), text2motion=(44, 2, 8), shared=(4, 1, 2))  # 113 clips: two shards


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("built") / "mini"
    build.build(target, workers=2, sizes=TINY)
    return target


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): storage.sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def test_one_process_after_the_other_gives_the_same_bytes_as_two_at_a_time(built: Path, tmp_path: Path) -> None:
    build.build(tmp_path / "again", workers=1, sizes=TINY)
    assert _files(tmp_path / "again") == _files(built)


def test_a_build_takes_up_finished_shards_and_makes_damaged_ones_again(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / ".mini.part"
    started: list[int] = []
    subprocess.run(["cp", "-r", str(built), str(part)], check=True)
    (part / "audio" / f"{_talking(built)}.wav").write_bytes(b"cut")
    start = build._start

    def counted(folder: Path, number: int, sizes: Sizes) -> subprocess.Popen[str]:
        started.append(number)
        return start(folder, number, sizes)

    monkeypatch.setattr(build, "_start", counted)
    build.build(tmp_path / "mini", sizes=TINY)
    assert len(started) == 1
    assert _files(tmp_path / "mini") == _files(built)


def _talking(folder: Path) -> str:
    subsets = json.loads((folder / "talking_subset.json").read_text(encoding="utf-8"))
    return str(subsets["train"][0])


def test_the_layout_is_that_of_the_released_corpus(built: Path) -> None:
    from benchmark.corpus import load_corpus

    corpus = load_corpus(built)
    assert {task: {s: len(ids) for s, ids in splits.items()} for task, splits in corpus.subsets.items()} == {
        "talking": {"train": 56, "val": 2, "test": 8},
        "text2motion": {"train": 44, "val": 2, "test": 8},
    }
    name = _talking(built)
    motion, audio = corpus.motion(name), corpus.audio(name)
    assert motion.shape[1] == 56
    assert len(audio) == len(motion) * 640
    assert corpus.texts(name).action


def test_check_finds_nothing_in_a_sound_folder_and_every_fault_in_a_damaged_one(built: Path, tmp_path: Path) -> None:
    folder, record = tmp_path / "copy", tmp_path / "manifest.json"
    subprocess.run(["cp", "-r", str(built), str(folder)], check=True)
    manifest.write(record, build.digests(built))
    assert build.check(folder, record) == []
    names = sorted(clip.name for clip in clips.clips(TINY) if clip.has_speech)
    (folder / "text_annotations" / "action" / f"{names[0]}.txt").write_text("The portrait does something else.\n")
    wave = folder / "audio" / f"{names[1]}.wav"
    sound = bytearray(wave.read_bytes())
    sound[20_000] ^= 64
    wave.write_bytes(bytes(sound))
    (folder / "facial_motion" / f"{names[2]}.pkl").unlink()
    (folder / "facial_motion" / f"{names[3]}.pkl").write_bytes(b"no pickle")
    (folder / "audio" / f"{names[4]}.wav").write_bytes(b"RIFF")
    problems = build.check(folder, record)
    assert sorted(Path(problem.where).stem for problem in problems) == names[:5]


def test_with_another_espeak_the_loudness_decides(built: Path) -> None:
    entry = manifest.read_clip(built, _talking(built))
    other = manifest.Entry(entry.frames, entry.texts, "other", "other", "other", entry.loudness)
    assert manifest.compare("clip", other, entry, same_espeak=False) == []
    assert manifest.compare("clip", other, entry, same_espeak=True)
    silent = manifest.Entry(entry.frames, entry.texts, "other", "other", "other", "00" * 8)
    assert manifest.compare("clip", silent, entry, same_espeak=False)


def test_a_shard_that_fails_is_reported_and_nothing_is_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InputError, match="could not be made"):
        build.build(tmp_path / "mini", workers=1, sizes=TINY)
    assert not (tmp_path / "mini").exists()


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        build.build(tmp_path / "file" / "mini", sizes=TINY)


def test_the_first_shard_of_the_frozen_corpus_comes_out_as_in_the_manifest(tmp_path: Path) -> None:
    for folder in build._FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    arguments = [str(tmp_path), "0", json.dumps([VERSION_0.talking, VERSION_0.text2motion, VERSION_0.shared]), "r"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "benchmark.mini.shard", *arguments], check=True, env=environment)
    made_with, wanted = manifest.read()
    same = made_with == manifest.espeak_version()
    names = [clip.name for clip in clips.shards()[0]]
    problems = [
        p for n in names for p in manifest.compare(n, manifest.read_clip(tmp_path, n), wanted[n], same_espeak=same)
    ]
    assert problems == []


def test_splits_are_disjoint_and_shared_clips_are_on_the_same_side() -> None:
    talking, text = (clips.subset(VERSION_0, task) for task in ("talking", "text2motion"))
    for subsets in (talking, text):
        ids = [name for split in SPLITS for name in subsets[split]]
        assert len(ids) == len(set(ids))
    shared = {split: set(talking[split]) & set(text[split]) for split in SPLITS}
    assert [len(shared[split]) for split in SPLITS] == [60, 4, 12]
    assert sum(map(len, shared.values())) == len(
        {n for s in SPLITS for n in talking[s]} & {n for s in SPLITS for n in text[s]}
    )


def test_every_performer_is_in_every_split_and_no_two_clips_share_content() -> None:
    for task in ("talking", "text2motion"):
        for split, ids in clips.subset(VERSION_0, task).items():
            assert len({name.split("_")[1] for name in ids}) == 24, (task, split)
    entries = manifest.read()[1]
    assert len({entry.motion for entry in entries.values()}) == len(entries)
    spoken = [entry.audio for entry in entries.values() if entry.audio]
    assert len(set(spoken)) == len(spoken)


def test_frozen_splits_are_those_of_the_seed_and_their_hashes_hold(tmp_path: Path) -> None:
    write_splits(tmp_path)
    hashes = json.loads((SPLITS_FOLDER / "manifest.json").read_text(encoding="utf-8"))
    for path, digest in json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")).items():
        assert hashes[path] == digest
        assert storage.sha256_file(SPLITS_FOLDER / path) == digest


def test_ensure_answers_at_once_when_the_corpus_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBENCH_HOME", str(tmp_path))
    build.mini_path().mkdir()
    (build.mini_path() / "manifest.sha256").write_text(storage.sha256_file(manifest.MANIFEST))
    monkeypatch.setattr(build, "build", lambda *_args, **_kwargs: pytest.fail("built again"))
    assert build.ensure() == tmp_path / "mini-0"


def test_files_of_a_clip_are_all_there(built: Path) -> None:
    for clip in clips.clips(TINY):
        assert all((built / path).is_file() for path in shard.files_of(clip))
