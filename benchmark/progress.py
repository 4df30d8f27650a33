"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Shows nothing."""
