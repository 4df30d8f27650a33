from pathlib import Path

import numpy as np
import pytest

from benchmark.construction.action_units import active_spans, read_units
from benchmark.construction.config import Activity
from benchmark.errors import InputError


def _table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "units.csv"
    path.write_text(text)
    return path


def test_openface_tables_are_read_with_their_spaces_scale_presence_and_time(tmp_path: Path) -> None:
    header = "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU45_r, AU12_c, AU28_c\n"
    rows = "1, 0, 0.000, 0.98, 1, 0.5, 2.5, 0.0, 1.0, 1.0\n2, 0, 0.033, 0.98, 1, 1.0, 2.5, 5.0, 0.0, 0.0\n"
    units = read_units(_table(tmp_path, header + rows + "3, 0, 0.066, 0.10, 0, 9.9, 9.9, 9.9, 1.0, 1.0\n"), 25.0)
    assert units.names == ("AU1", "AU12", "AU45", "AU28")
    np.testing.assert_allclose(units.intensity[:2], [[0.1, 0.5, 0.0, 1.0], [0.2, 0.0, 1.0, 0.0]])
    assert np.isnan(units.intensity[2]).all()
    assert units.fps == pytest.approx(1 / 0.033)


def test_py_feat_tables_are_read_with_names_and_empty_cells(tmp_path: Path) -> None:
    text = "frame,FaceScore,AU01,AU12,AU43,input\n0,0.99,0.25,0.5,,a.jpg\n1,0.99,0.5,1.5,1,a.jpg\n"
    units = read_units(_table(tmp_path, text), 30.0)
    assert units.names == ("AU1", "AU12", "AU43")
    np.testing.assert_allclose(units.intensity, [[0.25, 0.5, np.nan], [0.5, 1.0, 1.0]])
    assert units.fps == 30.0


def test_one_sided_units_keep_their_side(tmp_path: Path) -> None:
    assert read_units(_table(tmp_path, "AUL12,AUR12\n0.1,0.2\n0.3,0.4\n"), 25.0).names == ("AUL12", "AUR12")


@pytest.mark.parametrize("text", ["", "frame,time\n1,2\n", "AU01\n"])
def test_tables_without_units_are_refused_with_what_was_expected(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"no action units.*AU01_r"):
        read_units(_table(tmp_path, text), 25.0)


def test_a_unit_is_active_from_the_first_threshold_to_the_second_and_blinks_may_be_short() -> None:
    smile = np.r_[np.zeros(10), np.full(10, 0.6), np.full(10, 0.2), np.zeros(10)]
    blink = np.zeros(40)
    blink[20:23] = 0.9
    short = np.zeros(40)
    short[30:32] = 0.9
    spans = active_spans(("AU12", "AU45", "AU4"), np.stack([smile, blink, short * 0.6], axis=1), Activity())
    by_name = {span.name: span for span in spans}
    assert by_name["AU12"].start in (9, 10)
    assert by_name["AU12"].end in (29, 30, 31)
    assert by_name["AU12"].peak == 0.6
    assert "AU45" in by_name
    assert "AU4" not in by_name
