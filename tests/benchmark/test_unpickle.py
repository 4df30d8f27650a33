import collections
import contextlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.unpickle import PickledRecord, load_arrays, load_arrays_from_bytes


def message(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        load_arrays_from_bytes(data, "clip.pkl")
    return str(caught.value)


RECORD = {
    "c": np.arange(12, dtype=np.float32).reshape(3, 4),
    "f": np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
    "big_endian": np.arange(5, dtype=">i4"),
    "empty": np.zeros((0, 50), np.float32),
    "zero_d": np.array(2.5),
    "bool": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "scalar": np.float32(1.5),
    "rest": [1, 2.5, "ü", b"raw", b"", None, True, (1, {"deep": np.ones(2)})],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_gives_back_arrays_and_containers(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    path.write_bytes(pickle.dumps(RECORD, protocol=protocol))
    loaded = load_arrays(path)
    for key, value in RECORD.items():
        if isinstance(value, np.ndarray | np.generic):
            assert type(loaded[key]) is type(value)
            assert loaded[key].dtype == value.dtype
            np.testing.assert_array_equal(loaded[key], value)
    assert loaded["rest"][:7] == RECORD["rest"][:7]  # type: ignore[index]
    np.testing.assert_array_equal(loaded["rest"][7][1]["deep"], np.ones(2))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_numpy_1_and_numpy_2_spellings_are_read(protocol: int) -> None:
    data = pickle.dumps({"x": np.arange(3.0), "s": np.float64(3)}, protocol=protocol)
    if protocol < 4:
        old = data.replace(b"numpy._core.", b"numpy.core.")
    else:  # names are length-prefixed text
        old = data
        for module in (b"multiarray", b"numeric"):
            new_name, old_name = b"numpy._core." + module, b"numpy.core." + module
            old = old.replace(bytes([len(new_name)]) + new_name, bytes([len(old_name)]) + old_name)
        start = old.index(b"\x95")  # the frame is shorter by as many bytes as were taken out
        length = struct.unpack("<Q", old[start + 1 : start + 9])[0] - (len(data) - len(old))
        old = old[: start + 1] + struct.pack("<Q", length) + old[start + 9 :]
    for version in (data, old):
        loaded = load_arrays_from_bytes(version, "clip.pkl")
        np.testing.assert_array_equal(loaded["x"], np.arange(3.0))
        assert loaded["s"] == 3
    assert old != data


def test_a_python_2_pickle_with_byte_strings_is_read() -> None:
    raw = np.array([1.0, -2.0], "<f4").tobytes()
    data = b"\x80\x02}U\x01xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    data += b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
    data += b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    data += b"U\x08" + raw + b"tbs."
    np.testing.assert_array_equal(load_arrays_from_bytes(data, "clip.pkl")["x"], [1.0, -2.0])


def test_shared_arrays_stay_shared() -> None:
    array = np.ones(3)
    first, second = load_arrays_from_bytes(pickle.dumps([array, array]), "clip.pkl")
    assert first is second


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo taken > taken",)


def test_code_in_a_pickle_is_named_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = message(pickle.dumps({"expcodes": Evil()}))
    assert "posix.system" in text or "nt.system" in text
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (np.ma.masked_array([1.0], [True]), "numpy.ma"),
        (Path("x"), "pathlib"),
        (np.array([{}], dtype=object), "'O8'"),
        (np.zeros(2, [("a", "f4")]), "'V4'"),
        (np.zeros(2, "M8[s]"), "'M8'"),
        ({1, 2}, "set"),
        (1j, "builtins.complex"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_other_types_are_refused_by_name(value: Any, named: str, protocol: int) -> None:
    text = message(pickle.dumps({"x": value}, protocol=protocol))
    assert named in text or named.replace("builtins", "__builtin__") in text


@pytest.mark.parametrize(
    "program",
    [
        b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x85R.",
        b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.",  # an array of two thousand million bytes, by calling the type
        b"cnumpy\ndtype\n(X\x01\x00\x00\x00OtR.",
        b"c_codecs\nencode\n}X\x0c\x00\x00\x00__defaults__K\x01sb.",  # a state for a function would outlive the load
        b"cnumpy\ndtype\nN}X\x05\x00\x00\x00valueK\x01s\x86b.",
        b"]q\x00h\x00a.",  # a list that holds itself
        b"\x82\x01.",  # the extension registry
        b"Pid\n.",  # a persistent id
    ],
)
def test_hand_made_attacks_are_refused(program: bytes) -> None:
    message(program)


def array_program(shape: tuple[int, ...], spec: str, raw: bytes) -> bytes:
    """A pickle of one array whose shape, dtype and bytes need not agree."""
    valid = pickle.dumps(np.frombuffer(raw, np.uint8), protocol=2)
    old = b"K" + bytes([len(raw)]) + b"\x85"
    assert valid.count(old) == 1 and valid.count(b"u1") == 1
    new = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in shape) + b"t"
    return valid.replace(old, new).replace(b"X\x02\x00\x00\x00u1", b"X" + struct.pack("<I", len(spec)) + spec.encode())


def test_a_shape_that_does_not_fit_its_bytes_is_refused() -> None:
    assert load_arrays_from_bytes(array_program((2, 3), "u1", bytes(6)), "clip.pkl").shape == (2, 3)
    for shape, spec in (((2**40,), "u1"), ((-6,), "u1"), ((6,), "f4"), ((2**40,), "S0"), ((1,) * 40 + (6,), "u1")):
        message(array_program(shape, spec, bytes(6)))


def test_memory_bombs_are_refused_before_they_take_memory() -> None:
    message(b"\x80\x02Nr\xff\xff\xff\x7f.")  # a memo index of two thousand million
    message(b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.")  # a byte array of a tebibyte
    message(b"\x80\x05\x95" + struct.pack("<Q", 2**62) + b"N.")
    nested = b"]" * 100 + b"a" * 99 + b"."
    assert "nested deeper" in message(nested)
    laughs = b"]q\x00" + b"".join(
        b"](" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 9 + b"eq" + bytes([i + 1]) for i in range(25)
    )
    load_arrays_from_bytes(laughs + b".", "clip.pkl")  # ten to the twenty-five references: one list each


def test_many_arrays_over_the_same_bytes_are_refused() -> None:
    numpy_raw = b"B" + struct.pack("<I", 100_000) + bytes(100_000) + b"q\x00"
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85Rq\x01"
    one = b"cnumpy._core.numeric\n_frombuffer\n(h\x00h\x01J" + struct.pack("<i", 100_000) + b"\x85X\x01\x00\x00\x00CtR"
    whole = b"\x80\x03" + numpy_raw + b"0" + dtype + b"0]("
    assert len(load_arrays_from_bytes(whole + one * 3 + b"e.", "clip.pkl")) == 3
    assert "more array data" in message(whole + one * 50 + b"e.")


def test_large_missing_and_irregular_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    path.write_bytes(pickle.dumps(np.zeros(1000)))
    with pytest.raises(InputError, match="at most 100 bytes"):
        load_arrays(path, max_bytes=100)
    for bad in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(InputError):
            load_arrays(bad)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="an empty file"):
        load_arrays(path)


def test_allowed_records_come_back_as_parts() -> None:
    from scipy.sparse import csc_matrix

    matrix = csc_matrix(np.eye(3))
    data = pickle.dumps({"J": matrix}, protocol=2)
    assert "csc_matrix" in message(data)
    record = load_arrays_from_bytes(data, "f.pkl", [(type(matrix).__module__, "csc_matrix")])["J"]
    assert isinstance(record, PickledRecord) and record.name.endswith("csc_matrix")
    np.testing.assert_array_equal(record.state["data"], np.ones(3))


def test_a_python_2_record_made_by_copy_reg_comes_back_as_parts() -> None:
    data = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\nF2.5\nsb."
    assert "copy_reg" in message(data)
    assert load_arrays_from_bytes(data, "f.pkl", [("chumpy.ch", "Ch")]).state == {"x": 2.5}
    with pytest.raises(InputError):
        load_arrays_from_bytes(data.replace(b"cchumpy.ch\nCh", b"c__builtin__\nobject"), "f.pkl", [("chumpy.ch", "Ch")])


def test_nothing_a_pickle_does_outlives_it() -> None:
    """A state given to a stand-in must not change how the next file is read."""
    for program in (
        b"cnumpy._core.multiarray\n_reconstruct\nN}X\x09\x00\x00\x00_functionNs\x86b.",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4tR(K\x03X\x01\x00\x00\x00>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    ):
        with contextlib.suppress(InputError):
            load_arrays_from_bytes(program, "first.pkl")
    assert load_arrays_from_bytes(pickle.dumps(np.ones(2, np.float32)), "next.pkl").sum() == 2


SEEDS = [pickle.dumps(RECORD, protocol=protocol) for protocol in (0, 2, 4, 5)]


def only_input_errors(data: bytes) -> None:
    try:
        load_arrays_from_bytes(data, "clip.pkl")
    except InputError as error:
        assert len(str(error)) < 2000


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_random_bytes_raise_input_errors_only(data: bytes) -> None:
    only_input_errors(data)
    only_input_errors(b"\x80\x02" + data + b".")


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4), st.data())
def test_mutated_pickles_raise_input_errors_only(
    seed: bytes, edits: list[tuple[int, int]], data: st.DataObject
) -> None:
    mutated = bytearray(seed)
    for position, value in edits:
        mutated[position % len(mutated)] = value
    start = data.draw(st.integers(0, len(mutated)))
    cut = data.draw(st.integers(0, 8))
    only_input_errors(bytes(mutated[:start] + mutated[start + cut :]))


OPCODES = st.sampled_from(
    [
        b"(",
        b")",
        b"]",
        b"}",
        b"N",
        b"0",
        b"2",
        b"1",
        b"t",
        b"l",
        b"d",
        b"a",
        b"e",
        b"s",
        b"u",
        b"b",
        b"R",
        b"\x81",
        b"\x92",
    ]
    + [b"\x85", b"\x86", b"\x87", b"K\x00", b"K\x03", b"h\x00", b"q\x00", b"h\x01", b"q\x01", b"X\x02\x00\x00\x00f4"]
    + [b"X\x01\x00\x00\x00<", b"X\x06\x00\x00\x00latin1", b"C\x04abcd", b"\x8f", b"\x90", b"\x91", b"\x93", b"\x94"]
    + [b"c" + name for name in (b"numpy\nndarray\n", b"numpy\ndtype\n", b"numpy._core.multiarray\n_reconstruct\n")]
    + [b"c" + name for name in (b"_codecs\nencode\n", b"numpy._core.multiarray\nscalar\n", b"builtins\nbytes\n")]
    + [b"cnumpy.core.numeric\n_frombuffer\n", b"ibuiltins\nbytes\n", b"o"]
)


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(OPCODES, min_size=1, max_size=25))
def test_random_programs_of_allowed_names_raise_input_errors_only(program: list[bytes]) -> None:
    only_input_errors(b"\x80\x04" + b"".join(program) + b".")
    try:
        loaded = load_arrays_from_bytes(b"\x80\x02N0" + b"".join(program) + b".", "clip.pkl")
    except InputError:
        return
    assert isinstance(
        loaded, dict | list | tuple | str | bytes | int | float | np.ndarray | np.generic | np.dtype | None
    )
