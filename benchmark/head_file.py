"""Reading FLAME-format head files and vertex masks, as pickles of arrays, npz or JSON."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.unpickle import PickledRecord, load_arrays_from_bytes

JOINTS = 5
"""Global, neck, jaw, left eye, right eye: FLAME's order."""
EXPRESSIONS = 50
FLAME_COMPONENTS, FLAME_EXPRESSION_START = 400, 300
"""FLAME 2020 keeps 300 shape components and then 100 expression components in one array."""
KEYS = ("f", "v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
_NO_PARENT = -1


@dataclass(frozen=True)
class HeadArrays:
    """The arrays of a FLAME-format file that zero-shape animation needs; metres, float32."""

    template: NDArray[np.float32]
    """(V, 3)"""
    faces: NDArray[np.int64]
    """(F, 3) vertex ids."""
    expression: NDArray[np.float32]
    """(V, 3, 50) displacement per unit coefficient."""
    pose: NDArray[np.float32]
    """(V, 3, 36) correctives: one column per entry of the rotation matrices (minus identity) of joints 1 to 4."""
    joint_regressor: NDArray[np.float32]
    """(5, V)"""
    weights: NDArray[np.float32]
    """(V, 5) skinning weights, rows sum to one."""
    parents: tuple[int, ...]
    """Parent of each joint, -1 for the root."""


_SPARSE = {f"{kind}_{box}": kind for kind in ("csc", "csr", "coo") for box in ("matrix", "array")}
_RECORDS = (
    ("chumpy.ch", "Ch"),
    *((f"scipy.sparse.{private}{name[:3]}", name) for name in _SPARSE for private in ("", "_")),
    *((module, "set") for module in ("builtins", "__builtin__")),  # part of a chumpy array's state
)
"""Classes of which FLAME's pickles hold objects: their parts are kept, the classes are never imported."""


def _dense(value: Any) -> NDArray[Any]:
    """The array inside ``value``; raises ValueError where there is none."""
    if isinstance(value, PickledRecord):
        state = value.state
        if not isinstance(state, Mapping):
            raise ValueError(f"an object of {value.name} without its arrays")
        kind = _SPARSE.get(value.name.rpartition(".")[2])
        try:
            return _dense(state["x"]) if kind is None else _dense_sparse(kind, state)
        except KeyError as error:
            raise ValueError(f"an object of {value.name} without {error.args[0]}") from error
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ValueError("something else than numbers")
    return array


def _dense_sparse(kind: str, state: Mapping[str, Any]) -> NDArray[Any]:
    from scipy import sparse

    shape = tuple(int(n) for n in state.get("_shape", state.get("shape", ())))
    if kind == "coo":
        places = state["coords"] if "coords" in state else (state["row"], state["col"])
        return np.asarray(sparse.coo_matrix((state["data"], places), shape=shape).toarray())
    box = sparse.csc_matrix if kind == "csc" else sparse.csr_matrix
    matrix = box((state["data"], state["indices"], state["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return np.asarray(matrix.toarray())


def _fail(what: str, path: Path, **details: str) -> InputError:
    return InputError(Problem(what, str(path), **details))


def read_dictionary(path: Path, expected: str) -> dict[str, Any]:
    """The named values of an npz, a JSON object or a pickled dictionary of arrays.

    Args:
        path: The file; its content, not its name, tells npz, JSON and pickle apart.
        expected: What the file should be, for messages.

    Raises:
        InputError: The file is missing, broken, no dictionary, or a pickle that holds anything but arrays.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _fail(f"cannot be read ({error.strerror})", path, expected=expected) from error
    try:
        if data[:2] == b"PK":
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        content = json.loads(data) if data[:1] == b"{" else load_arrays_from_bytes(data, str(path), _RECORDS)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, KeyError) as error:
        raise _fail(f"is not readable: {error}", path, expected=expected) from error
    if not isinstance(content, dict) or not all(isinstance(name, str | bytes) for name in content):
        raise _fail("is no dictionary of named values", path, expected=expected, got=type(content).__name__)
    return {name.decode("latin1") if isinstance(name, bytes) else name: value for name, value in content.items()}


def read_head(path: Path) -> tuple[HeadArrays, dict[str, Any]]:
    """Reads and checks a FLAME-format file.

    A file of 400 components is FLAME's: its expression starts at component 300, of which 50 are used. A file of
    exactly 50 components has expression only.

    Returns:
        The checked arrays, and everything the file holds.

    Raises:
        InputError: Every missing key and wrong shape at once.
    """
    content = read_dictionary(path, "a FLAME-format head: generic_model.pkl or an npz with the same keys")
    if missing := [key for key in KEYS if key not in content]:
        raise _fail(
            "is no FLAME-format head",
            path,
            expected=f"keys {', '.join(KEYS)}",
            got=f"no {', '.join(missing)}",
            mend="use FLAME's generic_model.pkl, or leave --head out for the open head",
        )
    arrays: dict[str, NDArray[Any]] = {}
    problems = []
    for key in KEYS:
        try:
            arrays[key] = _dense(content[key])
        except ValueError as error:
            problems.append(Problem(str(error), f"{path}: {key}", expected="an array of numbers"))
    problems = problems or _head_problems(path, arrays)
    if problems:
        raise InputError(problems)
    components = arrays["shapedirs"].shape[2]
    start = FLAME_EXPRESSION_START if components == FLAME_COMPONENTS else 0
    table = np.asarray(arrays["kintree_table"][0], dtype=np.int64)
    head = HeadArrays(
        template=arrays["v_template"].astype(np.float32),
        faces=arrays["f"].astype(np.int64),
        expression=arrays["shapedirs"][:, :, start : start + EXPRESSIONS].astype(np.float32),
        pose=arrays["posedirs"].astype(np.float32),
        joint_regressor=arrays["J_regressor"].astype(np.float32),
        weights=arrays["weights"].astype(np.float32),
        parents=(_NO_PARENT, *(int(parent) for parent in table[1:])),
    )
    return head, content


def _head_problems(path: Path, arrays: dict[str, NDArray[Any]]) -> list[Problem]:
    template = arrays["v_template"]
    n = template.shape[0] if template.ndim else 0
    shapes: dict[str, tuple[tuple[int | None, ...], str]] = {
        "v_template": ((n, 3), "(V, 3)"),
        "f": ((None, 3), "(F, 3)"),
        "shapedirs": ((n, 3, None), "(V, 3, 400) or (V, 3, 50)"),
        "posedirs": ((n, 3, 9 * (JOINTS - 1)), "(V, 3, 36)"),
        "J_regressor": ((JOINTS, n), "(5, V)"),
        "kintree_table": ((2, JOINTS), "(2, 5)"),
        "weights": ((n, JOINTS), "(V, 5)"),
    }
    problems = []
    for key, (shape, said) in shapes.items():
        array = arrays[key]
        fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
        if fits and key == "shapedirs":
            fits = array.shape[2] in (EXPRESSIONS, FLAME_COMPONENTS)
        if not fits or n == 0:
            problems.append(Problem("wrong shape", f"{path}: {key}", f"{said}, V = {n}", str(array.shape)))
        elif array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            problems.append(Problem("not all finite numbers", f"{path}: {key}", got=str(array.dtype)))
    return problems or _value_problems(path, arrays, n)


def _value_problems(path: Path, arrays: dict[str, NDArray[Any]], n: int) -> list[Problem]:
    problems = []
    faces, parents = arrays["f"].astype(np.int64), arrays["kintree_table"][0].astype(np.int64)[1:]
    if faces.size and (faces.min() < 0 or faces.max() >= n):
        problems.append(Problem("vertex ids out of range", f"{path}: f", f"0 to {n - 1}", f"up to {faces.max()}"))
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents, start=1)):
        problems.append(Problem("a joint before its parent", f"{path}: kintree_table", got=str(parents.tolist())))
    if abs(arrays["weights"].sum(axis=1) - 1).max() > 1e-3:
        problems.append(Problem("skinning weights do not sum to one", f"{path}: weights"))
    if abs(arrays["J_regressor"].sum(axis=1) - 1).max() > 1e-2:
        problems.append(Problem("rows do not sum to one", f"{path}: J_regressor"))
    return problems


def read_masks(content: Mapping[str, Any], where: Path, vertices: int) -> dict[str, NDArray[np.int64]]:
    """The face and lip vertex lists of a masks file.

    Args:
        content: Region names to vertex ids, as FLAME_masks.pkl has them; only ``face`` and ``lips`` are used.
        where: The file, for messages.
        vertices: Number of vertices of the head.

    Returns:
        ``face`` and ``lips``: int64 vertex ids in the file's order.

    Raises:
        InputError: A list is missing, empty, no list of ids, has repeated ids or ids the head does not have.
    """
    problems, masks = [], {}
    for name in ("face", "lips"):
        place = f"{where}: {name}"
        if name not in content:
            known = ", ".join(sorted(content)[:12])
            problems.append(Problem("mask is missing", place, "lists of vertex ids named face and lips", known))
            continue
        try:
            ids = _dense(content[name])
        except ValueError as error:
            problems.append(Problem(str(error), place, "a list of vertex ids"))
            continue
        if ids.ndim != 1 or ids.size == 0 or ids.dtype.kind not in "iu":
            problems.append(Problem("no list of vertex ids", place, got=f"{ids.dtype} {ids.shape}"))
        elif ids.min() < 0 or ids.max() >= vertices:
            problems.append(
                Problem("vertex ids out of range", place, f"0 to {vertices - 1}", f"{ids.min()} to {ids.max()}")
            )
        elif np.unique(ids).size != ids.size:
            problems.append(Problem("repeated vertex ids", place))
        else:
            masks[name] = ids.astype(np.int64)
    if problems:
        raise InputError(problems)
    return masks
