"""Per-clip numbers of a row: samples of a clip averaged, the clips to look at first, and quantities for plots."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leaderboard.board import Column
from leaderboard.rows import Row

SHOWN = 3
"""Clips listed as best, median and worst each."""


@dataclass(frozen=True)
class Extremes:
    """The clips a reader should look at first in one metric."""

    label: str
    """Metric."""
    best: list[tuple[str, float]]
    """Best clips and their numbers, best first."""
    median: list[tuple[str, float]]
    """Clips around the median."""
    worst: list[tuple[str, float]]
    """Worst clips, worst first."""


def clip_means(row: Row) -> "pd.DataFrame | None":
    """Numbers a clip, averaged over its samples, ``frames`` among them; None without a sidecar.

    A clip's status is ``ok`` if all its samples are, else the first that is not.
    """
    if not row.clips.is_file():
        return None
    table = pd.read_csv(row.clips)
    groups = table.groupby("clip_id", sort=True)
    means = groups.mean(numeric_only=True).drop(columns="sample", errors="ignore")
    bad = table[table["status"] != "ok"].groupby("clip_id")["status"].first()
    means.insert(0, "status", bad.reindex(means.index).fillna("ok"))
    return means


def extremes(means: "pd.DataFrame", columns: tuple[Column, ...]) -> list[Extremes]:
    """Best, median and worst clips in every metric that tells clips apart: the continuous ones."""
    out = []
    for column in columns:
        if column.direction == "truth" or column.key not in means or "_r_precision_" in column.key:
            continue
        values = means[column.key].dropna()
        if len(values) < 3 * SHOWN or values.nunique() < 3:
            continue
        order = values.iloc[np.argsort([column.order(value) for value in values], kind="stable")]
        middle = (len(order) - SHOWN) // 2
        parts = (order[:SHOWN], order[middle : middle + SHOWN], order[::-1][:SHOWN])
        out.append(Extremes(column.label, *([(str(clip), float(v)) for clip, v in part.items()] for part in parts)))
    return out


def clip_data(means: "pd.DataFrame", columns: tuple[Column, ...]) -> dict[str, Any]:
    """The per-clip table as data for its page: columns as lists, numbers to five digits."""
    keys = [key for key in means.columns if key != "status"]
    named = {column.key: column for column in columns}
    return {
        "clips": [str(clip) for clip in means.index],
        "status": list(means["status"]),
        "columns": [
            {
                "key": key,
                "label": named[key].label if key in named else key.replace("_", " "),
                "better": named[key].direction if key in named else "lower" if key.endswith("_rank") else "",
                "values": rounded(means[key]),
            }
            for key in keys
        ],
    }


def rounded(values: Any) -> list[float | None]:
    """Numbers to five significant digits, None for what is no number."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=float)]
