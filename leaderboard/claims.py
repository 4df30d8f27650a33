"""The paper's claims C1 to C6 as statements about rows, judged on the results there are.

A claim is the paper's, made on its own data; here it is asked of ours. One that does not hold is a finding about this
data, not a fault of either.
"""

from collections.abc import Callable

from leaderboard.verdicts import RULE, Evidence, Finding, all_of, any_of

TRUTH, TOKENIZER, OURS = "control:truth", "vqvae", "mm2face"
REGRESSION = ("faceformer", "codetalker", "selftalk", "imitator")
"""Baselines that answer with one motion of face vertices."""
TALKING_BASELINES = (*REGRESSION, "facediffuser")
TEXT_BASELINES = ("tm2t", "t2m_gpt", "mdm")
SELF_ONLY_TEXT, BOTH_SELF, ALL_SELF, ALL_CROSS = (
    "mm2face.ft_a",
    "mm2face.ftht_a",
    "mm2face.fthta_none",
    "mm2face.none_fthta",
)
OWN_FUSION = "mm2face.ft_hta"
FUSIONS = (SELF_ONLY_TEXT, BOTH_SELF, ALL_SELF, ALL_CROSS, OWN_FUSION)
"""Rows of the ablation, all trained alike; the last is MM2Face's own: full text in self-attention, the rest in
cross-attention. The row of MM2Face itself may have had another budget, so it is not one of them."""
R1, FID, LVE = "text_r_precision_1", "fid", "lve_mm"
NEAR, FAR, MAGNITUDE, FAR_LOWER = 0.9, 0.5, 10.0, 0.5
"""In the paper: 0.703 / 0.718 = 0.98 is near, 0.353 / 0.718 = 0.49 far, 580 / 41 = 14 an order of magnitude, and
2.855 / 6.736 = 0.42 far lower."""


def c1(evidence: Evidence) -> Finding:
    """Real motions above their reconstruction above MM2Face above every baseline in text R@1, on both benchmarks."""
    parts = []
    for task, baselines in (("talking", TALKING_BASELINES), ("text2motion", TEXT_BASELINES)):
        order = [(TRUTH, TOKENIZER), (TOKENIZER, OURS), *((OURS, baseline) for baseline in baselines)]
        parts += [evidence.better(first, second, R1, task) for first, second in order]
    return all_of("real > VQ reconstruction > MM2Face > every baseline in text R@1 on both benchmarks", parts)


def c2(evidence: Evidence) -> Finding:
    """On Benchmark I MM2Face has the lowest FID, regression baselines one an order of magnitude higher."""
    lowest = [evidence.better(OURS, baseline, FID, "talking") for baseline in TALKING_BASELINES]
    higher = [evidence.at_least(baseline, MAGNITUDE, OURS, FID, "talking") for baseline in REGRESSION]
    return all_of(
        "talking: MM2Face has the lowest FID of all generators, the regression baselines at least ten times it",
        [all_of("MM2Face has the lowest FID", lowest), all_of("regression baselines have ten times it", higher)],
    )


def c3(evidence: Evidence) -> Finding:
    """On Benchmark I one baseline comes near MM2Face in text R@1, the other four stay far below."""
    near = {name: evidence.at_least(name, NEAR, OURS, R1, "talking") for name in TALKING_BASELINES}
    far = {name: evidence.at_most(name, FAR, OURS, R1, "talking") for name in TALKING_BASELINES}
    only = [all_of(name, [near[name], *(far[other] for other in far if other != name)]) for name in near]
    said = f"at least {NEAR:g} of MM2Face's text R@1, the other four at most {FAR:g} of it"
    verdict = any_of("one is near, the others are far", only).verdict
    return Finding(verdict, f"talking: one baseline reaches {said}", (*near.values(), *far.values()))


def c4(evidence: Evidence) -> Finding:
    """MM2Face has the lowest LVE of the generators, the reconstruction a far lower one."""
    lowest = [evidence.better(OURS, baseline, LVE, "talking") for baseline in TALKING_BASELINES]
    far = evidence.at_most(TOKENIZER, FAR_LOWER, OURS, LVE, "talking")
    return all_of(
        "talking: MM2Face has the lowest LVE of the generators, VQ reconstruction at most half of it",
        [all_of("MM2Face has the lowest LVE", lowest), far],
    )


def c5(evidence: Evidence) -> Finding:
    """On Benchmark II T2M-GPT has the lowest FID, against the paper's own sentence."""
    others = (OURS, *(baseline for baseline in TEXT_BASELINES if baseline != "t2m_gpt"))
    parts = [evidence.better("t2m_gpt", other, FID, "text2motion") for other in others]
    return all_of("text2motion: T2M-GPT has the lowest FID (the paper's table, against its own sentence)", parts)


def c6(evidence: Evidence) -> Finding:
    """The fusion ablation's four findings."""

    def worst(row: str, key: str) -> Finding:
        parts = [evidence.better(other, row, key, "talking") for other in FUSIONS if other != row]
        return all_of(f"{row} is worst in {key}", parts)

    def best(row: str, key: str) -> Finding:
        parts = [evidence.better(row, other, key, "talking") for other in FUSIONS if other != row]
        return all_of(f"{row} is best in {key}", parts)

    return all_of(
        "talking, fusion ablation",
        [
            all_of("full text alone by self-attention is worst in text R@1", [worst(SELF_ONLY_TEXT, R1)]),
            all_of(
                "everything by self-attention is worst in FID and LVE", [worst(ALL_SELF, FID), worst(ALL_SELF, LVE)]
            ),
            all_of("text in cross-attention only has the best FID", [best(ALL_CROSS, FID)]),
            all_of("MM2Face's fusion has the best text R@1 and LVE", [best(OWN_FUSION, R1), best(OWN_FUSION, LVE)]),
        ],
    )


CLAIMS: dict[str, Callable[[Evidence], Finding]] = {"C1": c1, "C2": c2, "C3": c3, "C4": c4, "C5": c5, "C6": c6}
"""Every claim by name."""


def judge(evidence: Evidence) -> dict[str, Finding]:
    """All claims on the results there are."""
    return {name: claim(evidence) for name, claim in CLAIMS.items()}


def claims_text(findings: dict[str, Finding]) -> str:
    """The claims with everything they rest on, and how they were judged, for a terminal."""
    lines = [line for name, finding in findings.items() for line in [*_lines(finding, name), ""]]
    return "\n".join([*lines, RULE])


def _lines(finding: Finding, name: str = "", depth: int = 0) -> list[str]:
    head = f"{name} {finding.verdict.upper()}: {finding.text}" if name else f"{finding.verdict}: {finding.text}"
    return ["  " * depth + head, *(line for part in finding.parts for line in _lines(part, depth=depth + 1))]
