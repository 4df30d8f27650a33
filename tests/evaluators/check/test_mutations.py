"""The check sees what it is for: every mistake put into the scoring code makes it fail, in the metric it belongs to.

A check that passes on broken code is worse than none. The mistakes are made in memory. Whatever a mistake cannot touch
is computed once and shared: the truth's side, and the embeddings of the motions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import evaluators.measure
import evaluators.score
import evaluators.strict
from benchmark.corpus import load_corpus
from benchmark.mini.build import ensure
from evaluators.check.cases import Case, failed
from evaluators.check.frozen import Frozen, path_of, read_frozen, read_packs
from evaluators.check.rescore import scorers
from evaluators.check.run import score_cases, setting_problems
from evaluators.measure import Measured
from evaluators.score import Scorer
from evaluators.statistics import fid_interval
from evaluators.truth import Embeddings
from tests.evaluators.check.mutants import MUTANTS, Mutant

TRACK = "mini/talking@1"
MEASURING = ("evaluators.measure", "evaluators.metrics.lve", "evaluators.metrics.fve", "benchmark.head")
"""Modules whose mistakes change what is measured, not only what is made of it."""


@dataclass
class Bench:
    """The frozen set with everything that can be shared."""

    frozen: Frozen
    packs: Mapping[str, Any]
    by_protocol: Mapping[Any, Scorer]
    measured: dict[tuple[str, str], Measured]
    """What sound code measured, by entrant and protocol."""
    fid_intervals: dict[str, Any]
    """By entrant: they take most of the time of a scoring."""

    def cases(self, entrant: str) -> list[Case]:
        return score_cases(self.frozen, self.packs, self.by_protocol, only=[entrant])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    frozen, packs = read_frozen(TRACK), read_packs(path_of(TRACK))
    corpus = load_corpus(ensure(splits=("test",)))
    made = Bench(frozen, packs, scorers(TRACK, frozen.clips, corpus, tmp_path_factory.mktemp("truth")), {}, {})
    with pytest.MonkeyPatch.context() as patch:
        for entrant in sorted({mutant.entrant for mutant in MUTANTS}):
            patch.setattr(evaluators.score, "measure", _kept(made.measured, entrant))
            patch.setattr(evaluators.strict, "fid_interval", _kept_interval(made.fid_intervals, entrant))
            assert failed(made.cases(entrant)) == []
    yield made


def _kept(measured: dict[tuple[str, str], Measured], entrant: str) -> Callable[..., Measured]:
    def measure(judge: Any, *more: Any) -> Measured:
        found = evaluators.measure.measure(judge, *more)
        measured[entrant, judge.protocol] = found
        return found

    return measure


def _kept_interval(intervals: dict[str, Any], entrant: str) -> Callable[..., Any]:
    def interval(*arguments: Any) -> Any:
        intervals[entrant] = fid_interval(*arguments)
        return intervals[entrant]

    return interval


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_the_scoring_code_fails_the_check(
    mutant: Mutant, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not mutant.place.startswith(MEASURING):
        monkeypatch.setattr(
            evaluators.score, "measure", lambda judge, *_: bench.measured[mutant.entrant, judge.protocol]
        )
    elif not mutant.embeds:
        monkeypatch.setattr(evaluators.measure, "embed", _shared_embeddings(bench, mutant.entrant))
    if mutant.metric != "fid":
        monkeypatch.setattr(evaluators.strict, "fid_interval", lambda *_: bench.fid_intervals[mutant.entrant])
    mutant.apply(monkeypatch)
    found = failed(bench.cases(mutant.entrant))
    assert [case for case in found if case.name.endswith(f", {mutant.metric}")], [case.name for case in found]


def _shared_embeddings(bench: Bench, entrant: str) -> Callable[..., Embeddings]:
    """Embedding without the encoders: the vertices are asked for, as always, and the embeddings are the shared ones."""

    def embed(judge: Any, vertices: Callable[[int], Any], *_: Any) -> Embeddings:
        for index in range(len(judge.clip_ids)):
            vertices(index)
        return bench.measured[entrant, judge.protocol].embeddings[0]

    return embed


def test_there_are_mistakes_of_every_kind_in_every_metric(bench: Bench) -> None:
    assert len(MUTANTS) >= 15
    keys = {mutant.metric.rstrip("123") for mutant in MUTANTS}
    assert keys >= {key.rstrip("123") for key in bench.frozen.metrics}


def test_a_mistake_names_metric_clip_expected_and_got(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "errors are in metres")
    monkeypatch.setattr(evaluators.measure, "embed", _shared_embeddings(bench, mutant.entrant))
    mutant.apply(monkeypatch)
    [case] = [case for case in failed(bench.cases(mutant.entrant)) if case.name.endswith(", strict, lve_mm")]
    text = "\n".join(map(str, case.problems))
    first = next(iter(bench.frozen.clips))
    expected = bench.frozen.expected[mutant.entrant]["strict"].per_clip["lve_mm"][0][0]
    assert f"lve_mm, clip {first}, sample 0" in text and f"expected {expected:.9g}" in text
    assert f"got {expected / 1000:.4g}"[:9] in text and "and 37 more clips" in text


def test_code_that_breaks_while_it_scores_is_a_finding(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Measured:
        raise ZeroDivisionError("made so")

    monkeypatch.setattr(evaluators.score, "measure", broken)
    [case] = failed(bench.cases("vqvae"))
    assert case.problems[0].got == "ZeroDivisionError: made so"


def test_other_encoders_or_another_head_than_the_frozen_ones_are_told(bench: Bench) -> None:
    other = bench.frozen.model_copy(update={"head": "other", "evaluators": {"text_motion": "other"}})
    assert setting_problems(bench.frozen, bench.by_protocol["strict"]) == []
    found = [problem.where.rpartition(", ")[2] for problem in setting_problems(other, bench.by_protocol["strict"])]
    assert found == ["head", "text_motion"]


def test_the_truth_is_computed_anew_and_not_taken_from_an_earlier_run(bench: Bench) -> None:
    kept = bench.by_protocol["strict"].truth._kept
    assert kept is not None and len(list(kept.rglob("*.npz"))) >= 3 and len(list(kept.rglob("*.npy"))) == 1
