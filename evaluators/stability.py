"""Whether a ranking of submissions depends on the evaluator's seed."""

import math
from collections.abc import Mapping


def kendall_tau(scores_a: Mapping[str, float], scores_b: Mapping[str, float]) -> float:
    """Agreement of two rankings of the same submissions, Kendall's tau-b: 1 the same order, -1 the reverse.

    Args:
        scores_a: A metric's value by submission, under one evaluator.
        scores_b: The same metric's values under the other one.

    Raises:
        ValueError: Other submissions, fewer than two, a value that is not finite, or all of one side equal.

    Source: Kendall 1945, The treatment of ties in ranking problems.

    >>> first = {"mean": 0.03, "nearest": 0.41, "mm2face": 0.55, "truth": 0.86}
    >>> kendall_tau(first, {"truth": 0.9, "mm2face": 0.61, "nearest": 0.4, "mean": 0.03})
    1.0
    >>> round(kendall_tau(first, {"truth": 0.9, "mm2face": 0.39, "nearest": 0.4, "mean": 0.03}), 3)
    0.667
    """
    from scipy.stats import kendalltau

    if set(scores_a) != set(scores_b):
        raise ValueError(f"rankings of other submissions: {', '.join(sorted(set(scores_a) ^ set(scores_b)))}")
    if len(scores_a) < 2:
        raise ValueError(f"a ranking of {len(scores_a)} submissions has no order")
    if not all(math.isfinite(value) for value in (*scores_a.values(), *scores_b.values())):
        raise ValueError("a score is not finite")
    if any(len(set(scores.values())) == 1 for scores in (scores_a, scores_b)):
        raise ValueError("all submissions score the same: they have no order")
    names = list(scores_a)
    return float(kendalltau([scores_a[name] for name in names], [scores_b[name] for name in names]).statistic)
