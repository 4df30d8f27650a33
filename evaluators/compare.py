"""Two scored rows compared clip by clip, from the per-clip numbers beside their results."""

from pathlib import Path

import numpy as np

from benchmark.corpus import source_of
from evaluators.statistics import ClusterBootstrap, Difference, paired_difference


def compare_clips(first: Path, second: Path, key: str, seed: int) -> Difference | None:
    """Mean paired difference of one metric on the clips both rows have, over performers.

    Args:
        first: Sidecar of per-clip numbers, ``PROTOCOL.clips.csv``, of one row.
        second: The same of the other row.
        key: Metric, e.g. ``lve_mm``; a mean of per-clip numbers.
        seed: Seed of the bootstrap.

    Returns:
        First minus second, samples of a clip averaged; None where a file is missing or the metric has no number a clip.
    """
    import pandas as pd

    if not (first.is_file() and second.is_file()):
        return None
    tables = [pd.read_csv(path) for path in (first, second)]
    if any(key not in table or table[key].isna().any() for table in tables):
        return None
    means = [table.groupby("clip_id", sort=True)[key].mean() for table in tables]
    shared = means[0].index.intersection(means[1].index)
    if shared.empty:
        return None
    bootstrap = ClusterBootstrap([source_of(str(clip)) for clip in shared], seed)
    a, b = (np.asarray(mean.loc[shared], dtype=float) for mean in means)
    return paired_difference(a, b, bootstrap)
