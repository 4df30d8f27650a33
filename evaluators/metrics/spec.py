"""What a metric is, said as data: the record that lists, `describe`, results and the board read."""

import math
from dataclasses import dataclass
from typing import Literal

from benchmark.errors import InputError

MMHEAD = "MMHead: Towards Fine-grained Multi-modal 3D Facial Animation, ACM MM 2024, arXiv:2410.07757, metrics"
"""The paper most metrics come from."""

Direction = Literal["higher", "lower", "truth"]
"""Which way is better; ``truth`` means the nearer to the value of the real motions, from either side."""

Need = Literal["vertices", "text_evaluator", "audio_evaluator", "clips>=2", "clips>=32", "samples>=2"]
"""Something a metric cannot do without; a track, corpus or submission that lacks it is not scored on that metric."""


class MetricRefusedError(InputError):
    """A metric that cannot be computed honestly on this input. The others still can: the scorer records the reason."""


@dataclass(frozen=True)
class MetricSpec:
    """One metric in full. Its ``id`` never changes meaning: another formula is another id."""

    key: str
    """Name in results and tables, e.g. ``lve_mm``."""
    id: str
    """``key@version``; numbers with different ids are never compared."""
    name: str
    """Name for people, e.g. ``Lip vertex error``."""
    unit: str
    """Unit of the value."""
    direction: Direction
    """Which way is better."""
    range: tuple[float, float | None]
    """Least and greatest possible value; None where there is no greatest."""
    needs: tuple[Need, ...]
    """What must be there before it can be computed."""
    formula: str
    """The strict protocol's formula, plain text."""
    official: str
    """What the official protocol computes instead."""
    summary: str
    """What it measures, in a sentence or two."""
    caveats: tuple[str, ...]
    """What it does not say, and what it must not be compared with."""
    citation: str
    """Where it comes from."""
    decimals: int = 3
    """Digits after the point in tables."""

    def check(self, value: float) -> float:
        """The value itself, if it is one this metric can take.

        Raises:
            ValueError: It is NaN, infinite or out of range; such a number must never reach a result.
        """
        low, high = self.range
        if not math.isfinite(value) or value < low or (high is not None and value > high):
            raise ValueError(f"{self.key} = {value!r} is outside its range [{low}, {'inf' if high is None else high}]")
        return value
