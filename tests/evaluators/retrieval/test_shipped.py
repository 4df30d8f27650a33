"""The shipped encoders are at the level that was asked of them, and small."""

import pytest

from benchmark.storage import sha256_file
from benchmark.tracks import FROZEN_TRACKS
from evaluators.retrieval.card import EvaluatorCard, read_card
from evaluators.retrieval.load import WEIGHTS, shipped_evaluators

CARDS: dict[str, EvaluatorCard] = {name: read_card(WEIGHTS / name) for name in shipped_evaluators()}
PAPER = {"mini/talking@1": 0.843, "mini/text2motion@1": 0.678}
"""Text R@1 of the truth in the paper (tables 3 and 5)."""


def test_every_track_has_two_seeds() -> None:
    assert set(CARDS) == {name for track in FROZEN_TRACKS for name in (track, f"{track}/second")}
    assert len({network.sha256 for card in CARDS.values() for network in card.networks.values()}) == 6


@pytest.mark.parametrize("name", CARDS)
def test_weights_are_those_of_the_card(name: str) -> None:
    for network in CARDS[name].networks.values():
        assert sha256_file(WEIGHTS / name / network.file) == network.sha256


def test_all_weights_together_are_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.safetensors")) <= 8_000_000


@pytest.mark.parametrize("name", CARDS)
def test_truth_is_found_as_in_the_paper_and_not_always(name: str) -> None:
    scores = CARDS[name].networks["text"].scores["test"]
    assert scores.n == 640 and scores.r_precision_1 is not None
    assert PAPER[name.removesuffix("/second")] <= scores.r_precision_1 <= 0.95
    if "talking" in name:
        heard = CARDS[name].networks["audio"].scores["test"].r_precision_1
        assert heard is not None and heard >= 0.885


@pytest.mark.parametrize("name", CARDS)
def test_every_text_field_matters(name: str) -> None:
    network = CARDS[name].networks["text"]
    whole = network.scores["test"].r_precision_1
    assert whole is not None and len(network.fields) == 5
    for field, table in network.fields.items():
        assert table.without is not None and table.without < whole, field
