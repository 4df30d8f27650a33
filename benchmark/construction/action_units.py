"""Action units: reading them from the tables of OpenFace and py-feat, and finding when each is active."""

import csv
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.config import Activity
from benchmark.construction.records import ActionUnits, Array, Span
from benchmark.errors import InputError, Problem

_COLUMN = re.compile(r"AU([LR]?)0*(\d+)(?:_([rc]))?", re.IGNORECASE)
_OPENFACE_SCALE = 5.0
"""OpenFace's intensities run from 0 to 5."""
_BLINK = "AU45"


def read_units(path: Path, fps: float) -> ActionUnits:
    """Reads per-frame action units.

    OpenFace writes ``AU01_r`` (intensity, 0 to 5) and ``AU01_c`` (presence), often with a space before each name;
    py-feat writes ``AU01`` (0 to 1). Detectors of one-sided units write ``AUL01`` and ``AUR01``. Where a unit has an
    intensity and a presence, it is active only where present; where it has a presence alone, that is its intensity.
    Rows with ``success`` 0, and empty cells, count as not detected.

    Args:
        path: The table, one row a frame.
        fps: Its rate, used unless it has a ``timestamp`` (OpenFace) column of rising seconds.

    Returns:
        Intensities from 0 to 1.

    Raises:
        InputError: No table, no column of action units, or cells that are no numbers.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem("no table", str(path), "CSV in UTF-8", str(error))) from error
    except OSError as error:
        raise InputError(Problem("table cannot be read", str(path), got=error.strerror or str(error))) from error
    header = [name.strip() for name in rows[0]] if rows else []
    columns = {index: match for index, name in enumerate(header) if (match := _COLUMN.fullmatch(name))}
    if not columns or len(rows) < 2:
        expected = "AU01_r, AU01_c, ... (OpenFace) or AU01, ... (py-feat), and one row a frame"
        raise InputError(Problem("no action units", str(path), expected, ", ".join(header[:8]) or "an empty file"))
    table = _numbers(rows[1:], len(header), path)
    failed = np.zeros(len(table), np.bool_)
    if "success" in header:
        failed = table[:, header.index("success")] == 0
    names, intensity = _merged(table, columns)
    intensity[failed] = np.nan
    return ActionUnits(names, intensity, _rate(table, header, fps))


def _numbers(rows: list[list[str]], width: int, path: Path) -> Array:
    try:
        return np.array(rows).astype(np.float64)
    except ValueError:
        pass  # empty cells, names, or rows of different lengths: cell by cell
    table = np.full((len(rows), width), np.nan)
    for number, row in enumerate(rows):
        try:
            cells = [float(cell) if cell.strip() else np.nan for cell in row[:width]]
        except ValueError:
            # Columns of names (py-feat's file names) are no numbers; an action unit that is none shows below as NaN.
            cells = [_number(cell) for cell in row[:width]]
        table[number, : len(cells)] = cells
    if np.isnan(table).all():
        raise InputError(Problem("table holds no numbers", str(path), "numbers", "none"))
    return table


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _merged(table: Array, columns: dict[int, re.Match[str]]) -> tuple[tuple[str, ...], Array]:
    """Intensity and presence columns of each unit as one."""
    found: dict[str, dict[str, Array]] = {}
    for index, match in columns.items():
        side, number, kind = match.group(1).upper(), int(match.group(2)), (match.group(3) or "p").lower()
        values = table[:, index] / _OPENFACE_SCALE if kind == "r" else table[:, index]
        found.setdefault(f"AU{side}{number}", {})[kind] = values
    merged = []
    for kinds in found.values():
        strength = kinds.get("r", kinds.get("p", kinds.get("c")))
        assert strength is not None
        if "c" in kinds and ("r" in kinds or "p" in kinds):
            strength = np.where(kinds["c"] == 0, 0.0, strength)
        merged.append(strength)
    return tuple(found), np.clip(np.stack(merged, axis=1), 0.0, 1.0)


def _rate(table: Array, header: list[str], fps: float) -> float:
    if "timestamp" not in header or len(table) < 2:
        return fps
    steps = np.diff(table[:, header.index("timestamp")])
    return float(1.0 / np.median(steps)) if np.isfinite(steps).all() and (steps > 0).all() else fps


def active_spans(names: tuple[str, ...], intensity: Array, rules: Activity) -> tuple[Span, ...]:
    """When each unit is active, with hysteresis.

    Args:
        names: Of the units.
        intensity: (T, n), 0 to 1.
        rules: Thresholds. Blinks (``AU45``) may be shorter than the rest.

    Returns:
        Spans by start, then name.
    """
    padded = np.concatenate([intensity[:1], intensity, intensity[-1:]])
    even = (padded[:-2] + padded[1:-1] + padded[2:]) / 3.0
    on = _latched(even, rules)
    edges = np.diff(np.pad(on.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    spans = []
    for column in np.flatnonzero(on.any(axis=0)).tolist():
        starts, ends = np.flatnonzero(edges[:, column] == 1), np.flatnonzero(edges[:, column] == -1)
        shortest = min(2, rules.shortest) if names[column].endswith("45") else rules.shortest
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if end - start >= shortest:
                spans.append(Span(names[column], start, end, float(intensity[start:end, column].max())))
    return tuple(sorted(spans, key=lambda span: (span.start, span.name)))


def _latched(values: Array, rules: Activity) -> NDArray[np.bool_]:
    """True from where a value exceeds the first threshold to where it falls below the second."""
    decided = (values > rules.begins) | (values < rules.ends)
    rows = np.where(decided, np.arange(len(values))[:, None], -1)
    last = np.maximum.accumulate(rows, axis=0)
    return np.asarray((last >= 0) & (np.take_along_axis(values, np.maximum(last, 0), axis=0) > rules.begins))
