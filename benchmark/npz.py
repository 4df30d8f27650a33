"""npz files from strangers: every header is checked before an array is loaded, and nothing is ever unpickled."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.storage import atomic_path

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_MAX_HEADER = 4096
_SAVE = "save with numpy.savez(path, **{clip_id: array}), arrays of float32"


@dataclass(frozen=True)
class Header:
    """What an array says of itself before it is loaded."""

    dtype: np.dtype[Any]
    """Element type."""
    shape: tuple[int, ...]
    """Shape."""
    fortran_order: bool
    """Whether the first index runs fastest."""
    start: int
    """Bytes before the data."""


class NpzReader:
    """An npz file opened for checked reading; use as a context manager or close it.

    Args:
        path: The file.
        max_bytes: Larger files are refused unread.

    Raises:
        InputError: Missing, no regular file, too large, a pickle, a single array, truncated or otherwise no npz.
    """

    def __init__(self, path: Path, max_bytes: int | None = None) -> None:
        self.path = path
        self.headers: dict[str, Header] = {}
        """Readable arrays by name, in the order of the file."""
        self.problems: list[Problem] = []
        """What is wrong with single entries; those are not in ``headers``."""
        self._zip = _open_zip(path, max_bytes)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in self._zip.infolist():
            self._read_header(entry)

    def __enter__(self) -> "NpzReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()

    def load(self, name: str) -> NDArray[Any]:
        """One array, in C order. Call it only after the shape in its header was found acceptable.

        Raises:
            InputError: The data is damaged.
        """
        header = self.headers[name]
        try:
            with self._zip.open(self._entries[name]) as file:
                data = bytearray(file.read())  # writable, so that torch takes the array without a warning
        except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
            problem = Problem("array is damaged", f"{self.path}: {name}", "intact data", str(error), "write it again")
            raise InputError(problem) from error
        order: Literal["F", "C"] = "F" if header.fortran_order else "C"
        array = np.frombuffer(data, header.dtype, offset=header.start).reshape(header.shape, order=order)
        return np.ascontiguousarray(array)

    def checksum(self, name: str) -> int:
        """CRC of an array's bytes with its header: different where arrays differ, as good as always."""
        return self._entries[name].CRC

    def _read_header(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename.removesuffix(".npy")
        where = f"{self.path}: {name}"
        if name in self._entries:
            self.problems.append(Problem("two arrays have the same name", where, mend=_SAVE))
            return
        try:
            header = self._header(entry)
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, zlib.error) as error:
            self.problems.append(Problem("entry is no readable array", where, "a numpy array", str(error), _SAVE))
            return
        self._entries[name] = entry
        if header.dtype.hasobject:
            text = "an array of Python objects would have to be unpickled, which is never done"
            self.problems.append(Problem(text, where, "float32", str(header.dtype), _SAVE))
            return
        self.headers[name] = header

    def _header(self, entry: zipfile.ZipInfo) -> Header:
        if not entry.filename.endswith(".npy"):
            raise ValueError(f"a file named {entry.filename}")
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("encrypted or with a compression numpy does not write")
        with self._zip.open(entry) as file:
            header = _read_npy_header(file)
        size = header.start + int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
        if not header.dtype.hasobject and size != entry.file_size:
            raise ValueError(f"shape {header.shape} needs {size} bytes, the entry holds {entry.file_size}")
        return header


def write_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Writes named arrays atomically as an npz whose bytes depend on the arrays alone (no dates), one at a time.

    Args:
        path: File to write.
        arrays: Names and arrays; consumed one by one, so a generator keeps memory low.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays:
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _FIRST_DATE), "w", force_zip64=True) as file:
                npy.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Adds the problems of an ``InputError`` raised in the block to ``problems`` instead of raising it."""
    try:
        yield
    except InputError as error:
        problems.extend(error.problems)


def _read_npy_header(file: IO[bytes]) -> Header:
    """The header at the start of an npy stream."""
    start = file.read(12)
    width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(start[:8])
    if width is None:
        raise ValueError("no npy header of format 1 or 2")
    length = 8 + width + int.from_bytes(start[8 : 8 + width], "little")
    if length > _MAX_HEADER:
        raise ValueError(f"a header of {length} bytes")
    return _parse_header(start + file.read(length - len(start)))


@lru_cache(maxsize=1024)  # thousands of arrays share a few headers, and parsing one is slower than reading its data
def _parse_header(header: bytes) -> Header:
    read = npy.read_array_header_1_0 if header[6] == 1 else npy.read_array_header_2_0
    try:
        shape, fortran_order, dtype = read(BytesIO(header[8:]), max_header_size=_MAX_HEADER)
    except Exception as error:  # numpy lets through whatever its tokenizer and parser raise on damaged text
        raise ValueError(f"unreadable header: {error}") from error
    if any(side < 0 for side in shape):
        raise ValueError(f"shape {shape}")
    return Header(dtype, shape, fortran_order, len(header))


def _open_zip(path: Path, max_bytes: int | None) -> zipfile.ZipFile:
    where = str(path)
    if path.is_symlink() or not path.is_file():
        got = "a symbolic link" if path.is_symlink() else ("a folder" if path.is_dir() else "nothing")
        raise InputError(Problem("file is missing", where, "an npz file", got, _SAVE))
    size = path.stat().st_size
    if max_bytes is not None and size > max_bytes:
        raise InputError(Problem("file is absurdly large", where, f"at most {max_bytes:,} bytes", f"{size:,} bytes"))
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(Problem(_sniff(path), where, "an npz file", str(error), _SAVE)) from error


def _sniff(path: Path) -> str:
    """Names what a file that is no zip archive seems to be, from its first bytes."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        return "npz file is truncated or damaged"
    if start == b"\x93NUMPY":
        return "a single array (npy) stands in place of an npz file"
    if start[:1] == b"\x80":
        return "a pickle stands in place of an npz file; pickles are never opened"
    return "not an npz file" if start else "file is empty"
