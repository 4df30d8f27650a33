"""Claims hold, fail or stay open as made-up rows say; missing rows never decide in favour."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from leaderboard.claims import CLAIMS, FUSIONS, claims_text, judge
from leaderboard.rows import Row, Rows
from leaderboard.verdicts import RULE, Evidence, Finding
from tests.leaderboard.made_up import made_result, made_rows

R1 = "text_r_precision_1"
TALKING = {
    "control:truth": (0.84, 0.0, 0.0),
    "vqvae": (0.78, 14.6, 2.86),
    "mm2face": (0.72, 41.0, 6.5),
    "faceformer": (0.35, 668.0, 6.9),
    "codetalker": (0.30, 580.0, 9.1),
    "selftalk": (0.29, 708.0, 6.8),
    "imitator": (0.33, 763.0, 6.8),
    "facediffuser": (0.70, 72.0, 7.9),
}
"""Text R@1, FID and LVE as the claims say."""
TEXT = {
    "control:truth": (0.68, 0.0), "vqvae": (0.49, 21.0), "mm2face": (0.41, 36.0), "tm2t": (0.32, 77.0),
    "t2m_gpt": (0.33, 22.0), "mdm": (0.21, 64.0),
}  # fmt: skip
ABLATION = {
    "mm2face.ft_a": (0.61, 45.7, 7.0), "mm2face.ftht_a": (0.68, 40.7, 6.8), "mm2face.fthta_none": (0.66, 72.7, 8.1),
    "mm2face.none_fthta": (0.69, 35.6, 6.8), "mm2face.ft_hta": (0.72, 41.0, 6.5),
}  # fmt: skip
KEYS = (R1, "fid", "lve_mm")


def rows_of(task: str, table: Mapping[str, tuple[float, ...]], half: float = 0.005) -> Rows:
    return {
        (name, task): Row(made_result(name, task, dict(zip(KEYS, values, strict=False)), half), Path("nowhere"))
        for name, values in table.items()
    }


EVERYTHING = {**rows_of("talking", ABLATION), **rows_of("talking", TALKING), **rows_of("text2motion", TEXT)}


def changed(task: str, name: str, **values: float) -> Rows:
    """Everything, with other numbers in one row."""
    before = {key: score.value for key, score in EVERYTHING[name, task].result.metrics.items()}
    keys = {"r1": R1, "fid": "fid", "lve": "lve_mm"}
    after = before | {keys[key]: value for key, value in values.items()}
    return {**EVERYTHING, (name, task): Row(made_result(name, task, after, 0.005), Path("nowhere"))}


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_holds_on_rows_that_say_so(claim: str) -> None:
    finding = CLAIMS[claim](Evidence(EVERYTHING))
    assert finding.verdict == "holds", claims_text({claim: finding})


@pytest.mark.parametrize(
    ("claim", "rows"),
    [
        ("C1", changed("text2motion", "mdm", r1=0.45)),
        ("C1", changed("talking", "vqvae", r1=0.90)),
        ("C2", changed("talking", "facediffuser", fid=30.0)),
        ("C2", changed("talking", "selftalk", fid=300.0)),
        ("C3", changed("talking", "facediffuser", r1=0.50)),
        ("C3", changed("talking", "imitator", r1=0.70)),
        ("C4", changed("talking", "imitator", lve=6.0)),
        ("C4", changed("talking", "vqvae", lve=5.0)),
        ("C5", changed("text2motion", "mm2face", fid=10.0)),
        ("C6", changed("talking", "mm2face.ftht_a", r1=0.5)),
        ("C6", changed("talking", "mm2face.fthta_none", lve=5.0)),
        ("C6", changed("talking", "mm2face.ft_hta", fid=30.0)),
    ],
)
def test_each_part_of_a_claim_can_make_it_fail(claim: str, rows: Rows) -> None:
    assert CLAIMS[claim](Evidence(rows)).verdict == "does not hold"


@pytest.mark.parametrize(
    ("claim", "rows"),
    [
        ("C1", changed("text2motion", "t2m_gpt", r1=0.405)),
        ("C2", changed("talking", "selftalk", fid=410.02)),
        ("C3", changed("talking", "selftalk", r1=0.36)),
        ("C4", changed("talking", "imitator", lve=6.502)),
        ("C5", changed("text2motion", "mdm", fid=22.001)),
        ("C6", changed("talking", "mm2face.ftht_a", r1=0.7201)),
    ],
)
def test_what_the_intervals_leave_open_is_not_decided(claim: str, rows: Rows) -> None:
    assert CLAIMS[claim](Evidence(rows)).verdict == "not decidable"


@pytest.mark.parametrize("claim", CLAIMS)
def test_without_rows_nothing_is_decided_and_the_missing_ones_are_named(claim: str) -> None:
    finding = CLAIMS[claim](Evidence({}))
    assert finding.verdict == "not decidable" and "no result of" in claims_text({claim: finding})


def test_a_missing_row_opens_a_claim_that_held_but_saves_none_that_failed() -> None:
    without = {key: row for key, row in EVERYTHING.items() if key != ("mdm", "text2motion")}
    assert CLAIMS["C1"](Evidence(without)).verdict == "not decidable"
    failed = {key: row for key, row in changed("talking", "vqvae", r1=0.9).items() if key in without}
    assert CLAIMS["C1"](Evidence(failed)).verdict == "does not hold"


def test_paired_differences_decide_where_intervals_overlap_and_win_over_them() -> None:
    rows = made_rows("talking", R1, {"a": 0.50, "b": 0.49}, half=0.1)
    assert Evidence(rows).better("a", "b", R1, "talking").verdict == "not decidable"
    better = Evidence(rows, lambda *_: (0.01, 0.005, 0.015)).better("a", "b", R1, "talking")
    assert better.verdict == "holds" and "0.010 [0.005, 0.015], paired" in better.text
    worse = Evidence(rows, lambda *_: (-0.01, -0.015, -0.005)).better("a", "b", R1, "talking")
    assert worse.verdict == "does not hold"


def test_lower_is_better_where_the_metric_says_so() -> None:
    rows = made_rows("talking", "fid", {"a": 3.0, "b": 5.0}, half=0.5)
    assert Evidence(rows).better("a", "b", "fid", "talking").verdict == "holds"
    assert Evidence(rows).better("b", "a", "fid", "talking").verdict == "does not hold"
    near = made_rows("talking", "fid", {"a": 3.0, "b": 3.6}, half=0.5)
    assert Evidence(near).better("a", "b", "fid", "talking").verdict == "not decidable"


def test_the_text_has_every_claim_its_numbers_and_the_rule() -> None:
    text = claims_text(judge(Evidence(EVERYTHING)))
    assert all(f"{claim} HOLDS" in text for claim in CLAIMS)
    assert "mm2face 0.720 [0.715, 0.725] above facediffuser 0.700" in text and text.endswith(RULE)
    assert all(name in text for name in FUSIONS)
    finding: Finding = judge(Evidence(EVERYTHING))["C3"]
    assert len(finding.parts) == 10
