"""What a motion on disk must be: checked by its header before it is loaded, then by its values."""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from benchmark.errors import InputError, Problem
from benchmark.npz import Header, NpzReader
from benchmark.protocol import JAW, NECK, PARAMETERS, FloatArray

Output = Literal["parameters", "vertices"]
MAX_METRES = 1.0
"""No vertex of a head that stands at the origin is further away."""
MAX_EXPRESSION = 100.0
"""Expression coefficients are in standard deviations; a larger one is a mistake."""
MAX_ANGLE = 2 * np.pi
_ZIP_OVERHEAD = 4096


def max_file_bytes(frames: Iterable[int], n_region: int | None) -> int:
    """A size no honest npz of these clips exceeds, even in float64 with a generous mesh."""
    per_frame = max(PARAMETERS, 3 * (n_region or 20_000)) * 8
    return sum(count * per_frame + _ZIP_OVERHEAD for count in frames) + 1_000_000


def header_problem(
    header: Header, where: str, frames: int | None, output: Output, n_region: int | None
) -> Problem | None:
    """What is wrong with an array before it is loaded, or None.

    Args:
        header: The array's dtype and shape.
        where: How to call the array in the message.
        frames: Length its condition asked for; any when None.
        output: What it must be.
        n_region: Vertices of the face region; any number when None.
    """
    vertices = str(n_region) if n_region else "n_region"
    wanted = f"float32 ({frames or 'T'}, " + (f"{PARAMETERS})" if output == "parameters" else f"{vertices}, 3)")
    got = f"{header.dtype} {header.shape}"
    if header.dtype != np.dtype(np.float32):
        return Problem("wrong dtype", where, wanted, got, "convert with array.astype(numpy.float32)")
    tail = header.shape[1:]
    if output == "parameters":
        fits = tail == (PARAMETERS,)
    else:
        fits = len(tail) == 2 and tail[1] == 3 and (tail[0] == n_region if n_region else tail[0] > 0)
    if not fits:
        shape = (
            f"({PARAMETERS},)" if output == "parameters" else f"({vertices}, 3): face and lip vertices, ids ascending"
        )
        return Problem("wrong shape", where, wanted, got, f"every frame is {shape}, time first")
    if header.shape[0] == 0 or (frames is not None and header.shape[0] != frames):
        return Problem("another length than its condition", where, wanted, got, "make exactly condition.frames frames")
    return None


def value_problem(array: FloatArray, where: str, output: Output) -> Problem | None:
    """What is wrong with an array's values, or None: not finite, or of a size that betrays another unit."""
    wrong = ~np.isfinite(array)
    if wrong.any():
        first = int(np.argwhere(wrong)[0, 0])
        got = f"{int(wrong.sum())} of {array.size} values, the first in frame {first}"
        return Problem("NaN or infinite values", where, "finite numbers", got)
    if output == "vertices":
        largest = float(np.abs(array).max())
        if largest > MAX_METRES:
            unit = "millimetres" if largest < 2000 else "another unit"
            mend = "divide by 1000" if largest < 2000 else "give metres, head at the origin"
            return Problem(f"vertices look like {unit}", where, "metres, below 1", f"up to {largest:.4g}", mend)
        return None
    angle = float(max(np.abs(array[:, NECK]).max(), np.abs(array[:, JAW]).max()))
    if angle > MAX_ANGLE:
        mend = "give axis-angle in radians, neck at 50:53 and jaw at 53:56"
        return Problem("rotations look like degrees", where, "radians, below 2 pi", f"up to {angle:.4g}", mend)
    expression = float(np.abs(array[:, : NECK.start]).max())
    if expression > MAX_EXPRESSION:
        return Problem("implausible expression", where, f"below {MAX_EXPRESSION:g}", f"up to {expression:.4g}")
    return None


def load_checked(reader: NpzReader, name: str, where: str, output: Output) -> tuple[FloatArray | None, Problem | None]:
    """Loads an array whose header was found right and checks its values: the array, or what is wrong with it."""
    try:
        array: FloatArray = reader.load(name)
    except InputError as error:
        return None, error.problems[0]
    fault = value_problem(array, where, output)
    return (None, fault) if fault else (array, None)


def shortened(problems: Iterable[Problem], keep: int = 5) -> list[Problem]:
    """The first few problems of each kind, and one that counts the rest: the same fault in 300 clips is told once."""
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        by_kind.setdefault(problem.what, []).append(problem)
    short: list[Problem] = []
    for what, alike in by_kind.items():
        short += alike[:keep]
        if len(alike) > keep:
            short.append(Problem(what, f"{len(alike) - keep} more, the last in {alike[-1].where}", mend=alike[-1].mend))
    return short
