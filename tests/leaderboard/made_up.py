"""Made-up rows: results that say what a test wants."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.result import Result
from leaderboard.rows import Row
from tests.evaluators.test_result import make_result

DIRECTIONS = {"fid": "lower", "lve_mm": "lower", "text_match": "lower", "diversity": "truth"}


def score(key: str, value: float | None, half: float = 0.01) -> dict[str, Any]:
    """A score with a symmetric interval, or a refused one."""
    record = {"id": f"{key}@1", "unit": "1", "direction": DIRECTIONS.get(key, "higher"), "value": value, "n": 9}
    if value is None:
        return {**record, "refused": "made so"}
    return {**record, "ci_low": value - half, "ci_high": value + half}


def made_result(
    name: str, task: str, values: Mapping[str, float | None], half: float = 0.01, stochastic: bool = True
) -> Result:
    """A result with these numbers, each with an interval of this half-width."""
    base = make_result().model_dump(mode="json")
    metrics = {key: score(key, value, half) for key, value in values.items()}
    return make_result(
        track={**base["track"], "id": f"mini/{task}@1", "task": task},
        submission={**base["submission"], "name": name, "stochastic": stochastic},
        metrics=metrics,
        truth=metrics,
    )


def made_rows(task: str, key: str, values: Mapping[str, float], half: float = 0.01) -> dict[tuple[str, str], Row]:
    """Rows of one metric by name."""
    return {
        (name, task): Row(made_result(name, task, {key: value}, half), Path("nowhere"))
        for name, value in values.items()
    }
