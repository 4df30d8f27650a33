"""Rows are compared clip by clip, samples averaged, shared clips only."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluators.compare import compare_clips


def write(path: Path, shift: float, samples: int = 1, clips: int = 60, seed: int = 0) -> Path:
    """Per-clip numbers: what a clip is worth, the row's shift, and noise of samples that cancels out."""
    hard = np.random.default_rng(seed).normal(0, 1, clips)
    rows = [
        {"clip_id": f"MINI_p{clip % 10:02d}_{clip:04d}", "sample": k, "lve_mm": hard[clip] + shift + (-1) ** k * 0.5}
        for clip in range(clips)
        for k in range(samples)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_pairing_finds_a_difference_far_smaller_than_the_spread_of_clips(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.csv", 0.01, samples=2), write(tmp_path / "b.csv", 0.0, samples=4)
    difference = compare_clips(first, second, "lve_mm", seed=1)
    assert difference is not None and difference.n == 60 and difference.significant
    assert difference.value == pytest.approx(0.01)


def test_only_shared_clips_count_in_any_order(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.csv", 1.0), write(tmp_path / "b.csv", 0.0)
    pd.read_csv(first).iloc[::-1].iloc[:40].to_csv(first, index=False)
    difference = compare_clips(first, second, "lve_mm", seed=1)
    assert difference is not None and difference.n == 40 and difference.value == pytest.approx(1.0)


def test_without_numbers_a_clip_there_is_no_paired_difference(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", 1.0)
    assert compare_clips(first, tmp_path / "absent.csv", "lve_mm", seed=1) is None
    assert compare_clips(first, first, "fid", seed=1) is None
    renamed = pd.read_csv(first).assign(clip_id="X_1")
    renamed.to_csv(tmp_path / "other.csv", index=False)
    assert compare_clips(first, tmp_path / "other.csv", "lve_mm", seed=1) is None
