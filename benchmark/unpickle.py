"""Opens pickles of numpy arrays and plain containers, and nothing else: no code named in a file is ever called."""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import InputError, Problem

MAX_BYTES = 256 * 2**20
"""Largest file that is opened unless the caller says otherwise."""
MAX_OPCODES = 1_000_000
"""Most pickle instructions that are followed; arrays of any size take about twenty."""
MAX_DEPTH = 32
"""Deepest nesting of containers that is followed."""
_PLAIN_DTYPE = re.compile(r"[<>|=]?[biufcSU]\d{1,9}")
_MEND = "save a dict of plain numpy arrays (convert tensors and objects with numpy.asarray before pickling)"


class RefusedError(pickle.UnpicklingError):
    """A pickle asked for something that is not allowed."""


class PickledRecord:
    """An object of a class that was allowed by name, kept as its parts: the class is never imported or called."""

    __slots__ = ("arguments", "state")
    name: str = ""
    """Module and class as the file names them, e.g. ``scipy.sparse._csc.csc_matrix``."""
    arguments: tuple[Any, ...]
    """What the class would have been called with."""
    state: Any
    """What the object would have been restored from, mostly a dict of its attributes; None without one."""

    def __new__(cls, *arguments: Any) -> "PickledRecord":
        """Keeps the arguments; whatever the class would have done with them is not done."""
        record = super().__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype:
    """Stands for ``numpy.dtype`` while loading: only plain numbers, booleans and text, never objects or records."""

    __slots__ = ("value",)

    def __init__(self, spec: Any, *_: Any) -> None:
        if not isinstance(spec, str) or not _PLAIN_DTYPE.fullmatch(spec):
            raise RefusedError(f"an array of dtype {str(spec)[:40]!r}")
        self.value: np.dtype[Any] = np.dtype(spec)
        if self.value.itemsize == 0:
            raise RefusedError("an array whose items have no bytes")

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise RefusedError("a dtype state of another form than numpy's")
        if state[1] in "<>":
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands for an array between its creation and its state."""

    __slots__ = ("_loader", "value")

    def __init__(self, loader: "_Loader") -> None:
        self._loader = loader
        self.value: np.ndarray[Any, Any] = np.zeros(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise RefusedError("an array state of another form than numpy's")
        shape, dtype, fortran, raw = state[-4:]
        self.value = self._loader.array(raw, dtype, shape, "F" if fortran else "C")


class _Allowed:
    """A callable that a pickle may name. Takes no state, so that no file can alter it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("a state for a function")


class _Loader(pickle.Unpickler):
    """Knows the few names that pickles of numpy arrays use, and answers each with a harmless stand-in."""

    def __init__(self, data: bytes, records: Collection[tuple[str, str]]) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        # Bytes of one file position may be used by several arrays; the allowance keeps that from multiplying memory.
        self._allowance = 4 * len(data) + 4096
        self._globals = self._numpy_globals()
        for module, name in records:
            self._globals[module, name] = type(name, (PickledRecord,), {"__slots__": (), "name": f"{module}.{name}"})
        if records:
            for module in ("copy_reg", "copyreg"):
                self._globals[module, "_reconstructor"] = _Allowed(self._reconstructed_record)
            for module in ("__builtin__", "builtins"):
                self._globals[module, "object"] = _Allowed(self._uncallable)

    def _numpy_globals(self) -> dict[tuple[str, str], Any]:
        names: dict[tuple[str, str], Any] = {("_codecs", "encode"): _Allowed(self._latin1)}
        names["numpy", "ndarray"], names["numpy", "dtype"] = _Allowed(self._uncallable), _Allowed(_Dtype)
        for module in ("__builtin__", "builtins"):
            names[module, "bytes"] = _Allowed(lambda: b"")
        for core in ("numpy.core", "numpy._core"):
            names[f"{core}.multiarray", "_reconstruct"] = _Allowed(lambda *_: _Array(self))
            names[f"{core}.multiarray", "scalar"] = _Allowed(self._scalar)
            names[f"{core}.numeric", "_frombuffer"] = _Allowed(self._from_buffer)
        return names

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a global name, or a refusal that names it."""
        try:
            return self._globals[module, name]
        except KeyError:
            raise RefusedError(f"the global {module}.{name}") from None

    def array(self, raw: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray[Any, Any]:
        """An array over bytes of the file, after every part of its description was checked."""
        if isinstance(raw, str):  # Python 2 wrote bytes as text
            raw = raw.encode("latin1")
        if not isinstance(raw, bytes | bytearray) or not isinstance(dtype, _Dtype) or order not in ("C", "F"):
            raise RefusedError("an array that is not made of bytes and a dtype")
        shape = (shape,) if isinstance(shape, int) else shape
        if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
            raise RefusedError("an array without a proper shape")
        if math.prod(shape) * dtype.value.itemsize != len(raw):
            raise RefusedError(f"an array of shape {shape} and dtype {dtype.value} over {len(raw)} bytes")
        self._spend(len(raw))
        return np.frombuffer(bytearray(raw), dtype.value).reshape(shape, order=order)

    def _from_buffer(self, raw: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> _Array:
        made = _Array(self)
        made.value = self.array(raw, dtype, shape, order)
        return made

    def _scalar(self, dtype: Any, raw: Any) -> Any:
        return self.array(raw, dtype, ())[()]

    def _latin1(self, text: Any, encoding: Any = None) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise RefusedError("an encoding other than latin1")
        self._spend(len(text))
        return text.encode("latin1")

    def _spend(self, n_bytes: int) -> None:
        self._allowance -= n_bytes
        if self._allowance < 0:
            raise RefusedError("far more array data than the file holds")

    @staticmethod
    def _reconstructed_record(record: Any, *_: Any) -> PickledRecord:
        if not (isinstance(record, type) and issubclass(record, PickledRecord)):
            raise RefusedError("an object of another class than those allowed")
        return record()

    @staticmethod
    def _uncallable(*_: Any) -> None:
        raise RefusedError("a call of a type that may only be named")


def _scan(data: bytes) -> None:
    """Walks the instructions without following them: a huge memo index would exhaust memory before any check."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count > MAX_OPCODES or ("PUT" in opcode.name and isinstance(argument, int) and argument > MAX_OPCODES):
            raise RefusedError(f"more than {MAX_OPCODES} instructions")


def _finish(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """The loaded value with stand-ins replaced by what they stand for; refuses what is neither plain nor an array."""
    if isinstance(value, str | bytes | bytearray | bool | int | float | np.generic | None):
        return value
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, _Dtype):
        return value.value
    if id(value) in done:  # shared parts are finished once, so that sharing cannot multiply the work
        if done[id(value)] is done:
            raise RefusedError("a container that holds itself")
        return done[id(value)]
    if depth > MAX_DEPTH:
        raise RefusedError(f"containers nested deeper than {MAX_DEPTH}")
    done[id(value)] = done
    finished: Any
    if isinstance(value, dict):
        finished = {_finish(k, done, depth + 1): _finish(v, done, depth + 1) for k, v in value.items()}
    elif isinstance(value, list | tuple):
        finished = type(value)(_finish(item, done, depth + 1) for item in value)
    elif isinstance(value, PickledRecord):
        value.arguments = _finish(value.arguments, done, depth + 1)
        value.state, finished = _finish(value.state, done, depth + 1), value
    else:
        raise RefusedError(f"a value of type {type(value).__name__.lstrip('_')}")
    done[id(value)] = finished
    return finished


def load_arrays(path: Path, records: Collection[tuple[str, str]] = (), *, max_bytes: int = MAX_BYTES) -> Any:
    """Opens a pickle of numpy arrays in plain containers, written by any Python and numpy, without running any of it.

    Args:
        path: The file.
        records: Classes by (module, name) whose objects may occur too; each comes back as a ``PickledRecord`` of its
            parts, so that a sparse matrix, say, can be rebuilt from its arrays by the caller.
        max_bytes: Larger files are refused before they are opened.

    Returns:
        dict, list, tuple, str, bytes, numbers, None, numpy arrays, scalars and dtypes, and records as asked for.

    Raises:
        InputError: The file is missing, too large, no pickle, or asks for anything else; the message names what.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > max_bytes:
            got = f"{size} bytes" if path.is_file() else "no regular file"
            raise InputError(Problem("pickle is not opened", str(path), f"a file of at most {max_bytes} bytes", got))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Problem("pickle cannot be read", str(path), got=error.strerror or str(error))) from error
    return load_arrays_from_bytes(data, str(path), records)


def load_arrays_from_bytes(data: bytes, where: str, records: Collection[tuple[str, str]] = ()) -> Any:
    """The same for bytes that were read already.

    Args:
        data: The whole pickle.
        where: What messages call it, mostly the path.
        records: As for ``load_arrays``.

    Returns:
        As ``load_arrays``.

    Raises:
        InputError: As ``load_arrays``.
    """
    try:
        _scan(data)
        loader = _Loader(data, records)
        return _finish(loader.load(), {})
    except RefusedError as error:
        problem = Problem(
            "pickle asks for more than arrays", where, "numpy arrays in plain containers", str(error), _MEND
        )
        raise InputError(problem) from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        got = f"{type(error).__name__}: {str(error)[:200]}" if data else "an empty file"
        raise InputError(Problem("not a whole pickle", where, "a pickle of numpy arrays", got, _MEND)) from error
