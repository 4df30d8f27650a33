"""Reports of the check: JUnit that machines read, Markdown that shows what moved, hostile texts in neither."""

from xml.etree import ElementTree as Xml

import numpy as np

from benchmark.errors import Problem
from evaluators.check.cases import Case, junit, markdown
from evaluators.check.differences import TOLERANCES, differences, tolerance_of
from evaluators.check.frozen import COARSE, Numbers, pack, unpack
from evaluators.metrics import METRICS

CASES = [
    Case("files", "splits"),
    Case("t", "model, lve_mm", (Problem("moved", "a | b", "1", "2 <x>\x00"), Problem("more", "c"))),
]


def test_junit_holds_every_case_and_the_failures_in_full() -> None:
    root = Xml.fromstring(junit(CASES, 1.5))  # noqa: S314  # our own text
    assert root.attrib == {"name": "mmbench check", "tests": "2", "failures": "1", "time": "1.500"}
    [failure] = root.iter("failure")
    assert "expected 1; got 2 <x>?" in failure.attrib["message"] and "c: more" in (failure.text or "")


def test_markdown_shows_where_expected_and_got_and_keeps_its_table_whole() -> None:
    text = markdown(CASES, 2.0)
    assert "1 of 2 checks failed" in text and "| a \\| b | moved | 1 | 2 &lt;x>? |" in text
    assert "all 1 checks hold" in markdown(CASES[:1], 2.0)


def test_every_metric_has_a_written_tolerance_with_its_reason() -> None:
    assert all(tolerance_of(key).why for key in [*METRICS, "text_rank", "audio_rank"])
    assert all(0 < rule.absolute <= 1e-4 and rule.relative <= 1e-5 for rule in TOLERANCES.values())


def test_a_number_that_is_gone_new_or_not_finite_differs() -> None:
    before = Numbers(metrics={"fid": {"value": 1.0, "ci_low": 0.5}})
    after = Numbers.model_construct(metrics={"fid": {"value": float("nan"), "n": 3.0}}, per_clip={})
    found = [(one.place, one.expected, one.got is None) for one in differences("fid", before, after, [])]
    assert found == [("value", 1.0, False), ("ci_low", 0.5, True), ("n", None, False)]


def test_packed_motions_come_back_to_a_coarse_step() -> None:
    from benchmark.mini.quantise import STEPS

    motion = np.random.default_rng(0).normal(0, 0.2, (20, 56)).astype(np.float32)
    [back] = unpack(pack([motion]), [20])
    assert (np.abs(back - motion) <= STEPS * (COARSE + 1) / 2 + 1e-6).all()
