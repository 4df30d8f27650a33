import dataclasses
import json
import subprocess
import sys

import pytest

from evaluators.metrics import METRICS, MetricSpec


def test_the_board_has_every_metric_once_in_its_order() -> None:
    assert list(METRICS) == [
        *(f"{kind}_r_precision_{k}" for kind in ("text", "audio") for k in (1, 2, 3)),
        *("text_match", "audio_match", "fid", "diversity", "multimodality", "lve_mm", "fve_mm"),
    ]


@pytest.mark.parametrize("spec", METRICS.values(), ids=METRICS.keys())
def test_a_spec_says_everything_there_is_to_say(spec: MetricSpec) -> None:
    assert spec.id == f"{spec.key}@1"
    assert spec.direction in ("higher", "lower", "truth")
    for field in ("name", "unit", "formula", "official", "summary", "citation"):
        assert len(getattr(spec, field)) > 1, field
    assert spec.needs
    assert spec.caveats
    assert all(caveat.endswith(".") and "  " not in caveat for caveat in spec.caveats)


@pytest.mark.parametrize("spec", METRICS.values(), ids=METRICS.keys())
def test_a_spec_is_plain_data_for_json(spec: MetricSpec) -> None:
    assert json.loads(json.dumps(dataclasses.asdict(spec), allow_nan=False))["key"] == spec.key


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, 1.001])
def test_a_value_no_r_precision_can_take_is_stopped(value: float) -> None:
    with pytest.raises(ValueError, match="outside its range"):
        METRICS["text_r_precision_1"].check(value)


def test_values_in_range_pass_unchanged() -> None:
    assert METRICS["text_r_precision_1"].check(1.0) == 1.0
    assert METRICS["fid"].check(1e6) == 1e6


def test_the_table_loads_neither_torch_nor_scipy() -> None:
    code = "import sys, evaluators.metrics; sys.exit(any(name in sys.modules for name in ('torch', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
