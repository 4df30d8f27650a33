"""The grid: exact there and back, and at most 0.05 mm from any motion."""

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.head import open_head
from benchmark.mini.clip import make
from benchmark.mini.clips import clips
from benchmark.mini.open_head import PATH
from benchmark.mini.quantise import STEPS, from_grid, to_grid

MOST_MM = 0.05


def test_steps_are_those_of_the_open_head() -> None:
    with np.load(PATH) as arrays:
        basis = arrays["shapedirs"][:, :, -50:].astype(np.float64)
    furthest = np.linalg.norm(basis, axis=1).max(axis=0)  # (50,) metres per unit
    wanted = [float(f"{0.0115e-3 / metres:.1e}") for metres in furthest]
    np.testing.assert_allclose(STEPS[:50], wanted, rtol=1e-9)
    np.testing.assert_allclose(STEPS[50:], 1e-4)


def test_clips_lie_on_the_grid_and_any_motion_near_them_is_rounded_by_less_than_the_bound() -> None:
    import torch

    head, rng = open_head(), np.random.default_rng(3)
    for clip in clips()[:24]:
        made = make(clip).parameters
        steps = to_grid(made)
        np.testing.assert_array_equal(to_grid(from_grid(steps)), steps)
        moved = (made + rng.uniform(-0.5, 0.5, made.shape) * STEPS).astype(np.float32)
        rounded = from_grid(to_grid(moved))
        for ids, neck in ((head.region_ids, False), (None, True)):
            one, two = (head.vertices(torch.tensor(motion), ids, neck=neck) for motion in (moved, rounded))
            assert float((one - two).norm(dim=-1).max()) * 1000 < MOST_MM


def test_made_clips_are_on_the_grid() -> None:
    for clip in clips()[:8]:
        made = make(clip).parameters
        np.testing.assert_array_equal(from_grid(to_grid(made)), made)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e4])
def test_what_is_no_motion_is_refused(value: float) -> None:
    parameters = np.zeros((3, 56), np.float32)
    parameters[1, 7] = value
    with pytest.raises(InputError, match="frame 1, parameter 7"):
        to_grid(parameters)


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="wrong shape"):
        to_grid(np.zeros((3, 53), np.float32))
