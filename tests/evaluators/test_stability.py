import itertools

import numpy as np
import pytest

from evaluators.stability import kendall_tau


def test_tau_is_the_share_of_agreeing_pairs_less_that_of_the_others() -> None:
    rng = np.random.default_rng(0)
    first = {f"s{i}": float(value) for i, value in enumerate(rng.normal(size=9))}
    second = {name: value + float(rng.normal()) for name, value in reversed(first.items())}
    signs = [(first[a] - first[b]) * (second[a] - second[b]) > 0 for a, b in itertools.combinations(first, 2)]
    assert 0 < sum(signs) < len(signs)
    assert kendall_tau(first, second) == pytest.approx(2 * np.mean(signs) - 1)


def test_ties_count_by_tau_b() -> None:
    assert kendall_tau({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}) == pytest.approx(2 / np.sqrt(2 * 3))


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0}, "b, c"),
        ({"a": 1.0}, {"a": 1.0}, "no order"),
        ({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}, "no order"),
        ({"a": 1.0, "b": float("nan")}, {"a": 1.0, "b": 2.0}, "finite"),
    ],
)
def test_rankings_that_cannot_be_compared_are_refused(
    first: dict[str, float], second: dict[str, float], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        kendall_tau(first, second)
