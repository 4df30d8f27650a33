"""Predictions on disk: what is right comes back bit by bit, what is wrong is named, nothing is unpickled or trimmed."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import InputError, Problem
from benchmark.motion_check import shortened
from benchmark.npz import write_arrays
from benchmark.predictions import RECORD_NAME, Predictions, read_predictions
from tests.benchmark.submissions import motion

WANTED = {"a": 8, "b": 9, "c": 10}


def good() -> dict[str, Any]:
    return {clip: motion(frames) for clip, frames in WANTED.items()}


def read(folder: Path, arrays: dict[str, Any], **options: Any) -> Predictions:
    np.savez(folder / "0.npz", allow_pickle=True, **arrays)
    return read_predictions(folder, WANTED, 1, options.get("output", "parameters"), options.get("n_region"))


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "unpickled"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_right_predictions_come_back_bit_by_bit_in_any_layout(tmp_path: Path, save: Any) -> None:
    arrays = good() | {"b": np.asfortranarray(motion(9))}
    save(tmp_path / "0.npz", **dict(reversed(arrays.items())))
    predictions = read_predictions(tmp_path, WANTED, 1, "parameters")
    assert predictions.complete and predictions.valid_clips == ["a", "b", "c"]
    for clip, array in arrays.items():
        np.testing.assert_array_equal(predictions.array(0, clip), array)
        assert predictions.array(0, clip).flags.c_contiguous


def test_the_hash_is_of_the_motions_not_of_the_file(tmp_path: Path) -> None:
    for name, save in (("plain", np.savez), ("packed", np.savez_compressed)):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "0.npz", **good())
    plain, packed = (read_predictions(tmp_path / name, WANTED, 1, "parameters") for name in ("plain", "packed"))
    assert plain.sha256() == packed.sha256()
    assert read(tmp_path, good() | {"a": motion(8, 5)}).sha256() != packed.sha256()


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (motion(8).astype(np.float64), ["wrong dtype", "float64 (8, 56)", "astype"]),
        (motion(8).astype(">f4"), ["wrong dtype", ">f4"]),
        (motion(8).astype(np.float16), ["wrong dtype"]),
        (motion(9), ["another length", "(8, 56)", "(9, 56)"]),
        (motion(7), ["another length", "(7, 56)"]),
        (motion(0), ["another length"]),
        (motion(8)[:, :55], ["wrong shape", "(8, 55)"]),
        (motion(8)[None], ["wrong shape", "(1, 8, 56)"]),
        (np.float32(1), ["wrong shape", "()"]),
        (np.where(np.arange(56) == 3, np.nan, motion(8)).astype(np.float32), ["NaN or infinite", "8 of 448"]),
        (np.full((8, 56), np.inf, np.float32), ["NaN or infinite"]),
        (motion(8) * 100, ["look like degrees"]),
        (np.pad(np.full((8, 50), 1e30, np.float32), ((0, 0), (0, 6))), ["implausible expression"]),
        (np.array([motion(8), None], object), ["Python objects", "never"]),
        (np.array(["x"] * 8), ["wrong dtype"]),
    ],
)
def test_a_wrong_array_costs_its_own_clip_and_is_explained(tmp_path: Path, array: Any, said: list[str]) -> None:
    predictions = read(tmp_path, good() | {"a": array})
    [problem] = predictions.problems
    assert all(part in str(problem) for part in [*said, "0.npz: a"]), problem
    assert predictions.status == {"a": ["invalid_output"], "b": ["ok"], "c": ["ok"]}
    assert predictions.valid_clips == ["b", "c"] and not predictions.complete
    with pytest.raises(KeyError, match="invalid_output"):
        predictions.array(0, "a")


@pytest.mark.parametrize(
    ("scale", "count", "said"),
    [(1000.0, 40, "look like millimetres"), (1e6, 40, "another unit"), (1.0, 41, "wrong shape"), (1.0, 40, "")],
)
def test_vertices_are_checked_for_their_number_and_unit(tmp_path: Path, scale: float, count: int, said: str) -> None:
    arrays = {
        clip: (motion(frames * count)[:, :3] * scale / 5).reshape(frames, count, 3) for clip, frames in WANTED.items()
    }
    predictions = read(tmp_path, arrays, output="vertices", n_region=40)
    assert [said in problem.what for problem in predictions.problems] == [True] * (3 if said else 0)


def test_all_problems_are_told_at_once_with_missing_and_extra_clips(tmp_path: Path) -> None:
    predictions = read(tmp_path, {"a": motion(3), "bb": motion(9), "c": motion(10) * np.float32("nan")})
    text = "\n".join(map(str, predictions.problems))
    assert len(predictions.problems) == 4
    for said in (
        "0.npz: a: another length",
        "0.npz: bb: extra clip",
        "did you mean b",
        "0.npz: b: missing clip",
        "0.npz: c: NaN",
    ):
        assert said in text, text
    assert predictions.counts()["invalid_output"] == 3


def pickled(folder: Path) -> bytes:
    return pickle.dumps(Trap(folder / "trap"))


def npz_with_pickle(folder: Path) -> bytes:
    np.savez(folder / "x.npz", allow_pickle=True, **good() | {"a": np.array([Trap(folder / "trap")], object)})
    return (folder / "x.npz").read_bytes()


def truncated(folder: Path) -> bytes:
    np.savez(folder / "x.npz", allow_pickle=False, **good())
    return (folder / "x.npz").read_bytes()[:-200]


def flipped(folder: Path) -> bytes:
    np.savez(folder / "x.npz", allow_pickle=False, **good())
    whole = bytearray((folder / "x.npz").read_bytes())
    whole[500] ^= 255
    return bytes(whole)


def bomb(folder: Path) -> bytes:
    """A header that promises 8 frames before data for a million."""
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = (
            b"\x93NUMPY\x01\x00\x76\x00"
            + b"{'descr': '<f4', 'fortran_order': False, 'shape': (8, 56), }".ljust(117)
            + b"\n"
        )
        archive.writestr("a.npy", header + bytes(50_000_000))
        for clip in ("b", "c"):
            with archive.open(f"{clip}.npy", "w") as file:
                np.lib.format.write_array(file, good()[clip])
    return (folder / "x.npz").read_bytes()


def truncated_header(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00\xff\xff{'descr'")
        archive.writestr("b.txt", b"hello")
    return (folder / "x.npz").read_bytes()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (pickled, "a pickle stands in place"),
        (npz_with_pickle, "Python objects"),
        (truncated, "truncated or damaged"),
        (flipped, "CRC"),
        (bomb, "needs 1920 bytes"),
        (truncated_header, "no readable array"),
        (lambda _: b"", "file is empty"),
        (lambda _: b"\x93NUMPY\x01\x00", "a single array"),
        (lambda _: b"hello", "not an npz file"),
    ],
)
def test_a_wrong_file_is_named_and_never_unpickled(tmp_path: Path, make: Any, said: str) -> None:
    content = make(tmp_path)
    (tmp_path / "0.npz").write_bytes(content)
    predictions = read_predictions(tmp_path, WANTED, 1, "parameters")
    assert any(said in str(problem) for problem in predictions.problems), predictions.problems
    assert predictions.status["a"] == ["invalid_output"]
    assert not (tmp_path / "trap").exists()


def test_a_missing_file_a_link_and_an_absurdly_large_file_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", allow_pickle=False, **good())
    (tmp_path / "1.npz").symlink_to(tmp_path / "x.npz")
    with (tmp_path / "2.npz").open("wb") as file:
        file.truncate(10_000_000_000)
    told = [problem.what + problem.got for problem in read_predictions(tmp_path, WANTED, 3, "parameters").problems]
    assert told[0].endswith("nothing") and told[1].endswith("a symbolic link") and "absurdly large" in told[2]


def test_as_many_samples_are_read_as_asked_or_as_there_are(tmp_path: Path) -> None:
    for sample in range(3):
        np.savez(tmp_path / f"{sample}.npz", allow_pickle=False, **{c: motion(t, sample) for c, t in WANTED.items()})
    assert read_predictions(tmp_path, WANTED, None, "parameters").samples == 3
    assert read_predictions(tmp_path, WANTED, 2, "parameters").complete
    short = read_predictions(tmp_path, WANTED, 4, "parameters")
    assert short.status["b"] == ["ok", "ok", "ok", "invalid_output"] and short.valid_clips == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "a JSON file"),
        ("[1]", "valid dictionary"),
        ('{"schema_version": 2}', "newer mmbench"),
        ("{}", "Field required"),
    ],
)
def test_a_wrong_record_is_an_input_error(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / RECORD_NAME).write_text(content)
    with pytest.raises(InputError, match=said):
        read_predictions(tmp_path, WANTED, 1, "parameters")


def test_files_depend_on_the_arrays_alone(tmp_path: Path) -> None:
    for name in ("x.npz", "y.npz"):
        write_arrays(tmp_path / name, good().items())
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz", "y.npz"]


def test_many_problems_of_a_kind_are_told_as_a_few_and_a_count() -> None:
    problems = [Problem("missing clip", str(number)) for number in range(300)] + [Problem("wrong dtype", "x")]
    short = shortened(problems)
    assert len(short) == 7 and "295 more" in short[5].where and "299" in short[5].where
