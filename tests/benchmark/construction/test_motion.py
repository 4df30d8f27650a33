from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmark.clip_files import read_motion
from benchmark.construction import arkit
from benchmark.construction.config import Outliers, Smoothing
from benchmark.construction.motion import finish, mend
from benchmark.construction.records import Array
from benchmark.construction.resample import resample
from tests.benchmark.construction.tracks import corrupted, motion, raw_clip


def _cleaned(track: Array, fps: float = 25.0) -> Array:
    raw = raw_clip(track, fps=fps)
    return finish(raw, mend(raw, Outliers()), Smoothing()).parameters


def _turned(vectors: Array, by: Rotation) -> Array:
    return np.asarray((by * Rotation.from_rotvec(vectors)).as_rotvec())


def test_rotations_are_treated_as_rotations_a_turned_head_is_cleaned_as_a_straight_one() -> None:
    """Where axis-angle values are smoothed as they are, a head turned by 150 degrees comes out differently."""
    track, _ = corrupted(motion(np.random.default_rng(0), 90), np.random.default_rng(1))
    by = Rotation.from_rotvec([0.3, 2.6, -0.4])
    turned = track.copy()
    turned[:, 50:53] = _turned(track[:, 50:53], by)
    straight = _cleaned(track)
    again = Rotation.from_rotvec(_turned(straight[:, 50:53], by)).inv() * Rotation.from_rotvec(
        _cleaned(turned)[:, 50:53]
    )
    assert np.degrees(again.magnitude()).max() < 0.05


def test_a_rotation_written_the_long_way_round_is_no_outlier() -> None:
    track = motion(np.random.default_rng(2), 90)
    long_way = track.copy()
    vector = track[40, 50:53]
    long_way[40, 50:53] = vector * (1 - 2 * np.pi / np.linalg.norm(vector))
    np.testing.assert_allclose(_cleaned(long_way), _cleaned(track), atol=1e-6)


def test_a_wild_frame_at_another_rate_is_mended_before_it_is_spread_over_two() -> None:
    track = motion(np.random.default_rng(3), 120, fps=30.0)
    wild = track.copy()
    wild[60] += 4.0
    assert np.abs(_cleaned(wild, 30.0) - _cleaned(track, 30.0))[:, :50].max() < 0.3


def test_what_is_reported_is_what_moved() -> None:
    raw = raw_clip(corrupted(motion(np.random.default_rng(4), 80), np.random.default_rng(5))[0])
    mended = mend(raw, Outliers())
    done = finish(raw, mended, Smoothing())
    change = done.parameters[:, :50] - raw.expression
    assert done.rms[0] == pytest.approx(np.sqrt((change**2).mean()))
    assert done.largest[0] == pytest.approx(np.abs(change).max())
    turned = Rotation.from_rotvec(raw.neck).inv() * Rotation.from_rotvec(done.parameters[:, 50:53])
    assert done.largest[1] == pytest.approx(np.degrees(turned.magnitude()).max())
    assert sum(mended.outliers) == mended.mask.sum() > 0


def _trial(truths: list[Array], fps: float) -> tuple[float, float, float, float]:
    """Recall and precision of outliers, and error before and after, in standard deviations of each parameter."""
    spread = np.maximum(np.stack([truth.std(axis=0) for truth in truths]).mean(axis=0), 1e-3)
    hits = planted = found = 0
    before, after = [], []
    for number, truth in enumerate(truths):
        shaky, mask = corrupted(truth, np.random.default_rng(number))
        mask &= truth.std(axis=0) > 1e-6  # a parameter that never moves gets no noise
        raw = raw_clip(shaky, fps=fps)
        mended = mend(raw, Outliers())
        # A rotation is replaced whole, so it is counted whole.
        for part in (slice(50, 53), slice(53, 56)):
            mask[:, part] = mask[:, part].any(axis=1, keepdims=True)
        hits, planted, found = hits + (mended.mask & mask).sum(), planted + mask.sum(), found + mended.mask.sum()
        wanted, (neck, jaw) = resample(truth[:, :50], (truth[:, 50:53], truth[:, 53:]), fps, None)
        came, (came_neck, came_jaw) = resample(shaky[:, :50], (shaky[:, 50:53], shaky[:, 53:]), fps, None)
        truth_25 = np.concatenate([wanted, neck, jaw], axis=1)
        before.append((((np.concatenate([came, came_neck, came_jaw], axis=1) - truth_25) / spread) ** 2).mean())
        after.append((((finish(raw, mended, Smoothing()).parameters - truth_25) / spread) ** 2).mean())
    return hits / planted, hits / found, float(np.sqrt(np.mean(before))), float(np.sqrt(np.mean(after)))


def test_outliers_of_real_flame_tracks_are_found_and_the_error_falls(shared: Path) -> None:
    paths = sorted((shared / "real/beat2_8x200/facial_motion").glob("*.pkl"))
    recall, precision, before, after = _trial([read_motion(path).parameters.astype(np.float64) for path in paths], 25.0)
    print(f"BEAT2: recall {recall:.3f}, precision {precision:.3f}, error {before:.3f} to {after:.3f} sd")
    assert recall > 0.96
    assert precision > 0.84
    assert after < 0.3 * before


def test_outliers_of_real_arkit_captures_are_found_and_the_error_falls(shared: Path) -> None:
    truths = []
    for path in sorted((shared / "real/arkit_rom").glob("*.csv")):
        track = arkit.parameters(*arkit.read_arkit(path))
        truths += [track[start : start + 240] for start in range(0, 1440, 240)]
    recall, precision, before, after = _trial(truths, 30.0)
    print(f"ARKit: recall {recall:.3f}, precision {precision:.3f}, error {before:.3f} to {after:.3f} sd")
    assert recall > 0.96
    assert precision > 0.93
    assert after < 0.3 * before


def test_real_tracks_without_faults_are_nearly_left_alone(shared: Path) -> None:
    moved = []
    for path in sorted((shared / "real/beat2_8x200/facial_motion").glob("*.pkl")):
        truth = read_motion(path).parameters.astype(np.float64)
        moved.append(np.sqrt((((_cleaned(truth) - truth) / truth.std(axis=0)) ** 2).mean()))
    assert np.mean(moved) < 0.2
