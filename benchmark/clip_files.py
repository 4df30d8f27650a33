"""The files of one clip: its motion pickle and its texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from benchmark.unpickle import load_arrays

MAX_MOTION_BYTES = 16 * 2**20
"""Largest motion pickle that is opened; a clip of 200 frames takes under 100 kB."""
MAX_TEXT_BYTES = 2**20
"""Largest text that is opened."""
N_EXPRESSION = 50
POSE_LAYOUTS = {6: "neck, jaw", 9: "global, neck, jaw"}
"""Pose values a frame that are understood, and what they are, three (axis-angle, radians) each."""


@dataclass(frozen=True)
class MotionFile:
    """What a motion pickle holds."""

    parameters: FloatArray
    """(T, 56) float32: 50 expression, 3 neck, 3 jaw (axis-angle, radians)."""
    pose_values: int
    """Pose values a frame in the file: 6 (neck, jaw) or 9 (global, neck, jaw; the global rotation is left out)."""


def read_motion(path: Path) -> MotionFile:
    """Reads a clip's ``expcodes`` and ``posecodes``.

    Args:
        path: A pickle of a dict with ``expcodes`` (T, 50) and ``posecodes`` (T, 6) or (T, 9), of any float type; an
            axis of length one beside time is dropped.

    Returns:
        The motion, finite, in the order every other part uses.

    Raises:
        InputError: No such file, no pickle of arrays, or wrong keys, shapes or values: all of them at once.

    Source: MMHead's released layout (arXiv 2410.07757, section 3).
    """
    record, where = load_arrays(path, max_bytes=MAX_MOTION_BYTES), str(path)
    if not isinstance(record, dict):
        raise InputError(Problem("motion is no dict", where, "expcodes and posecodes", type(record).__name__))
    problems: list[Problem] = []
    expression = _frames(record, "expcodes", (N_EXPRESSION,), where, problems)
    pose = _frames(record, "posecodes", tuple(POSE_LAYOUTS), where, problems)
    if expression is not None and pose is not None and len(expression) != len(pose):
        got = f"{len(expression)} and {len(pose)} frames"
        problems.append(Problem("expcodes and posecodes differ in length", where, "as many frames in both", got))
    if problems or expression is None or pose is None:
        raise InputError(problems)
    return MotionFile(np.concatenate([expression, pose[:, -6:]], axis=1), pose.shape[1])


def _frames(
    record: dict[Any, Any], key: str, widths: tuple[int, ...], where: str, problems: list[Problem]
) -> FloatArray | None:
    """One array as (T, width) float32, or None and what is wrong with it."""
    expected = " or ".join(f"(T, {width})" for width in widths)
    if key not in record:
        found = ", ".join(sorted(str(name)[:40] for name in record)[:12]) or "none"
        problems.append(Problem(f"motion has no {key}", where, f"{key} {expected}", f"the keys {found}"))
        return None
    array = _numbers(record[key])
    if array is None:
        problems.append(Problem(f"{key} are no numbers", where, f"floats {expected}", type(record[key]).__name__))
        return None
    shape = array.shape
    if array.ndim == 3 and 1 in shape[:2]:
        array = array.reshape(shape[0] * shape[1], shape[2])
    if array.ndim != 2 or array.shape[1] not in widths or not len(array):
        layouts = "; ".join(f"{n} = {names}" for n, names in POSE_LAYOUTS.items()) if key == "posecodes" else ""
        problems.append(Problem(f"{key} have the wrong shape", where, expected, str(shape), layouts))
        return None
    with np.errstate(over="ignore"):
        frames = array.astype(np.float32)
    if bad := int((~np.isfinite(frames)).any(axis=1).sum()):
        problems.append(
            Problem(f"{key} hold NaN or infinity", where, "finite values", f"{bad} of {len(frames)} frames")
        )
    return frames


def _numbers(value: Any) -> NDArray[Any] | None:
    try:
        array = np.asarray(value)
    except ValueError:  # a list of rows of different lengths
        return None
    return array if array.dtype.kind in "fiu" else None


def read_text(path: Path) -> str:
    """Reads one annotation: UTF-8, a byte order mark tolerated, white space at both ends removed.

    Args:
        path: The text file.

    Returns:
        The text; empty when the file is.

    Raises:
        InputError: No such file, too large, or not UTF-8.
    """
    try:
        if (size := path.stat().st_size) > MAX_TEXT_BYTES:
            raise InputError(
                Problem("text is too large", str(path), f"at most {MAX_TEXT_BYTES} bytes", f"{size} bytes")
            )
        return "\n".join(path.read_bytes().decode("utf-8-sig").splitlines()).strip()
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at position {error.start}"
        raise InputError(Problem("text is not UTF-8", str(path), "UTF-8", got, "save the file as UTF-8")) from error
    except OSError as error:
        raise InputError(Problem("text cannot be read", str(path), got=error.strerror or str(error))) from error


def read_texts(paths: dict[str, Path]) -> Texts:
    """Reads the five annotations of a clip.

    Args:
        paths: The file of each field of ``Texts``.

    Returns:
        The texts.

    Raises:
        InputError: What is wrong with any of the five, all at once.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for field in TEXT_FIELDS:
        try:
            texts[field] = read_text(paths[field])
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return Texts(**texts)
