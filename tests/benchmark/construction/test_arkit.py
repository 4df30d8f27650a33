from pathlib import Path

import numpy as np
import pytest

from benchmark.construction import arkit
from benchmark.construction.head_pose import angles
from benchmark.errors import InputError
from benchmark.mini.channels import CHANNELS
from benchmark.mini.open_head import channel_matrix


def test_every_coefficient_of_a_real_capture_moves_a_channel_the_jaw_or_the_head(shared: Path) -> None:
    names, values = arkit.read_arkit(shared / "real/arkit_rom/alex_rom_3.csv")
    assert values.shape == (4030, 55)  # 52 coefficients and three head angles
    moved = arkit.activations(names, np.eye(len(names)))
    still = [name for name, row in zip(names, moved, strict=True) if not row.any()]
    assert sorted(still) == ["HeadPitch", "HeadRoll", "HeadYaw", "JawOpen"]


def test_a_coefficient_of_any_case_is_the_channel_of_its_name_on_the_same_side() -> None:
    found = arkit.activations(("MouthSmileLeft", "browInnerUp"), np.array([[0.5, 0.4]]))[0]
    on = {CHANNELS[k]: found[k] for k in np.flatnonzero(found)}
    assert on == {"mouthSmileLeft": 0.5, "browInnerUpLeft": 0.4, "browInnerUpRight": 0.4}
    parameters = arkit.parameters(("mouthSmileLeft",), np.array([[0.5]]))
    np.testing.assert_allclose(parameters[0, :50], 0.5 * channel_matrix()[CHANNELS.index("mouthSmileLeft")])


def test_an_open_jaw_turns_and_head_angles_keep_their_meaning() -> None:
    names = ("jawOpen", "HeadYaw", "HeadPitch", "HeadRoll")
    found = arkit.parameters(names, np.array([[1.0, 0.3, 0.1, -0.2]]))
    np.testing.assert_allclose(found[0, 53:], [arkit.JAW_OPEN, 0.0, 0.0])
    np.testing.assert_allclose(np.radians(angles(found[:, 50:53]))[0], [0.1, 0.3, -0.2], atol=1e-9)


def test_units_behind_channels_know_their_side() -> None:
    channels = np.zeros((1, len(CHANNELS)))
    channels[
        0, [CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeLookOutLeft"), CHANNELS.index("eyeLookInRight")]
    ] = 1.0
    units = arkit.units_of(channels, np.array([0.25]), 25.0)
    on = {name for name, value in zip(units.names, units.intensity[0], strict=True) if value > 0.3}
    assert on == {"AUL45", "AU61", "AU25", "AU26"}


def test_a_table_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no ARKit capture"):
        arkit.read_arkit(path)
