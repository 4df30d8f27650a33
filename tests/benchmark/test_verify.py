"""Frozen files of the data room are held to their manifests."""

import shutil
from pathlib import Path

from benchmark.tracks import SPLITS_FOLDER
from benchmark.verify import pack_problems, split_problems


def test_the_frozen_splits_and_packs_are_whole() -> None:
    assert split_problems() == [] == pack_problems()


def test_a_changed_a_missing_and_an_unlisted_split_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "splits"
    shutil.copytree(SPLITS_FOLDER, folder)
    (folder / "mini-talking@1" / "test.txt").write_text("one\n")
    (folder / "mini-talking@1" / "val.txt").unlink()
    (folder / "extra.txt").write_text("x\n")
    found = {Path(problem.where).name: (problem.expected[:7], problem.got[:7]) for problem in split_problems(folder)}
    assert found.keys() == {"test.txt", "val.txt", "extra.txt"}
    assert found["val.txt"][1] == "no such" == found["extra.txt"][0]


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    [problem] = split_problems(tmp_path)
    assert problem.what == "the splits have no manifest"
