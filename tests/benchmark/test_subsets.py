import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.subsets import SPLITS, Subset, clip_name_fault, read_subset

WANTED = {"train": ("a_0", "--b_1"), "val": ("c_2",), "test": ("d_3", "e_4")}
PAIRS = [(name, split) for split, names in WANTED.items() for name in names]


def read(folder: Path, record: Any) -> Subset:
    path = folder / "talking_subset.json"
    path.write_text(json.dumps(record))
    return read_subset(path)


@pytest.mark.parametrize(
    "record",
    [
        {k: list(v) for k, v in WANTED.items()},
        {"train": WANTED["train"], "valid": WANTED["val"], "test": WANTED["test"]},
        {"Train": WANTED["train"], "validation": WANTED["val"], "TEST": WANTED["test"], "version": 1, "about": "x"},
        {k: [f"{name}.pkl" for name in v] for k, v in WANTED.items()},
        {k: [{"name": f"{name}.wav", "frames": 9} for name in v] for k, v in WANTED.items()},
        {k: {name: {"frames": 9} for name in v} for k, v in WANTED.items()},
        {k: [v[0], *({"id": name} for name in v[1:])] for k, v in WANTED.items()},
        [{"name": name, "split": split} for name, split in PAIRS],
        [{"id": name, "split": split.replace("val", "valid"), "frames": 3} for name, split in PAIRS],
        [{"Clip": name, "subset": split, "label": "name"} for name, split in PAIRS],
        {name: {"split": split, "frames": 1} for name, split in PAIRS},
    ],
)
def test_every_shape_gives_the_same_splits(record: Any, tmp_path: Path) -> None:
    subset = read(tmp_path, record)
    assert subset.splits() == WANTED
    assert subset.problems == ()


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"test": ["a"]}).encode())
    assert read_subset(path).splits()["test"] == ("a",)


def test_a_split_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, {"test": ["a"]}).splits() == {"train": (), "val": (), "test": ("a",)}


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"training_set": ["a"], "evaluation": ["b"]}, "evaluation, training_set"),
        ({"train": ["a"], "holdout": ["b"]}, "holdout"),
        ({"train": ["a"], "test": "b"}, "test, train"),
        ({"val": ["a"], "valid": ["b"]}, "one split under two"),
        ([{"title": "a", "split": "train"}], "title"),
        ([{"name": "a", "part": "train"}], "part"),
        ({"train": [{"title": "a"}]}, "title"),
        (["a", "b"], "a list of 2 items"),
        ([], "an empty list"),
        ({}, "an empty dict"),
        (3, "3"),
    ],
)
def test_another_shape_is_refused_and_the_keys_found_are_named(record: Any, named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, record)
    assert named in caught.value.problems[0].got
    assert "train, val" in caught.value.problems[0].expected


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe{}", b'{"train": ["a"], "train": ["b"]}', b"[" * 100_000, b"NaN"]
)
def test_broken_json_is_an_input_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_subset(path)


def test_unusable_entries_are_all_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    bad = [
        "../x",
        "a/b",
        "a\\b",
        "C:x",
        "",
        ".wav/..",
        "a\nb",
        "a\x00",
        "\ud800",
        "x" * 300,
        7,
        None,
        ["a"],
        "..",
        "a..b",
    ]
    subset = read(tmp_path, {"train": ["fine", *bad], "test": ["--fine"]})
    assert subset.splits() == {"train": ("fine",), "val": (), "test": ("--fine",)}
    assert len(subset.problems) == len(bad)
    assert "train[1]" in subset.problems[0].where
    records = [{"name": "a", "split": "train"}, {"name": "b", "split": "dev"}, {"split": "test"}, {"name": "c"}]
    assert len(read(tmp_path, records).problems) == 3


def test_repetitions_are_kept_in_entries_and_dropped_in_splits(tmp_path: Path) -> None:
    subset = read(tmp_path, {"train": ["b", "a", "b.pkl"], "test": ["a"]})
    assert subset.entries == (("train", "b"), ("train", "a"), ("train", "b"), ("test", "a"))
    assert subset.splits()["train"] == ("b", "a")


@given(st.text())
def test_a_name_without_fault_stays_in_its_folder(name: str) -> None:
    if not clip_name_fault(name):
        path = os.path.normpath(f"/corpus/audio/{name}.wav")
        assert path == f"/corpus/audio/{name}.wav" and "\x00" not in path


KEYS = st.sampled_from(["train", "val", "valid", "test", "name", "id", "split", "clip", "Name", "x"]) | st.text(
    max_size=3
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(VALUES)
def test_any_json_gives_a_subset_or_an_input_error(value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            subset = read(Path(folder), value)
        except InputError:
            return
    assert all(split in SPLITS and not clip_name_fault(name) for split, name in subset.entries)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_subset_or_an_input_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.json"
        path.write_bytes(data)
        with pytest.raises(InputError):
            read_subset(path)
            raise InputError(())
