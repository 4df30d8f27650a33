from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmark.construction.config import HeadPoseRules
from benchmark.construction.head_pose import STATES, angles, head_pose
from benchmark.construction.records import Array

RULES = HeadPoseRules()


def _neck(pitch: Any = 0.0, yaw: Any = 0.0, roll: Any = 0.0, frames: int = 30) -> Array:
    turned = np.stack([np.broadcast_to(value, frames) for value in (yaw, pitch, roll)], axis=1)
    return np.asarray(Rotation.from_euler("YXZ", turned, degrees=True).as_rotvec())


@pytest.mark.parametrize(
    ("state", "pose"),
    [
        ("front", {}), ("turned left", {"yaw": 20.0}), ("turned right", {"yaw": -20.0}), ("up", {"pitch": -15.0}),
        ("down", {"pitch": 15.0}), ("tilted left", {"roll": -12.0}), ("tilted right", {"roll": 12.0}),
    ],
)  # fmt: skip
def test_each_of_the_seven_states_is_named(state: str, pose: dict[str, Any]) -> None:
    found = head_pose(_neck(**pose), RULES)
    assert [span.name for span in found.spans] == [state]
    assert len(STATES) == 7
    assert found.spans[0].peak == pytest.approx(max(map(abs, pose.values()), default=0.0), abs=1e-6)


def test_directions_are_the_subjects_own() -> None:
    """The x axis points to the subject's left, y up, z forward."""
    nose = np.array([0.0, 0.0, 1.0])
    assert Rotation.from_rotvec(_neck(yaw=20.0)[0]).apply(nose)[0] > 0
    assert Rotation.from_rotvec(_neck(pitch=20.0)[0]).apply(nose)[1] < 0
    assert Rotation.from_rotvec(_neck(roll=20.0)[0]).apply([0.0, 1.0, 0.0])[0] < 0  # the crown goes to the right


def test_angles_are_taken_apart_in_the_order_turn_nod_tilt() -> None:
    np.testing.assert_allclose(angles(_neck(12.0, -25.0, 8.0, 1)), [[12.0, -25.0, 8.0]], atol=1e-9)


def test_an_angle_that_trembles_at_the_threshold_does_not_flicker() -> None:
    yaw = 8.0 + 2.0 * (-1.0) ** np.arange(60)  # 10, 6, 10, 6 ...: begins above 8, would end below 5
    assert [span.name for span in head_pose(_neck(yaw=yaw, frames=60), RULES).spans] == ["turned left"]


def test_a_state_ends_below_its_second_threshold() -> None:
    yaw = np.r_[np.full(10, 0.0), np.full(10, 12.0), np.full(10, 6.0), np.full(10, 3.0)]
    spans = head_pose(_neck(yaw=yaw, frames=40), RULES).spans
    assert [(span.name, span.start, span.end) for span in spans] == [
        ("front", 0, 10), ("turned left", 10, 30), ("front", 30, 40),
    ]  # fmt: skip


def test_states_under_three_frames_are_taken_for_the_one_before_and_runs_cover_the_clip() -> None:
    yaw = np.zeros(40)
    yaw[0:2], yaw[20:22], yaw[30:36] = 20.0, -20.0, 20.0
    found = head_pose(_neck(yaw=yaw, frames=40), RULES)
    assert [(span.name, span.start, span.end) for span in found.spans] == [
        ("front", 0, 30), ("turned left", 30, 36), ("front", 36, 40),
    ]  # fmt: skip
    assert len(found.states) == 40


def test_poses_count_from_the_resting_pose_where_asked() -> None:
    yaw = np.full(60, 25.0)
    yaw[20:30] = 40.0
    camera = head_pose(_neck(yaw=yaw, frames=60), RULES)
    rest = head_pose(_neck(yaw=yaw, frames=60), HeadPoseRules(relative_to="rest"))
    assert [span.name for span in camera.spans] == ["turned left"]
    assert [span.name for span in rest.spans] == ["front", "turned left", "front"]
