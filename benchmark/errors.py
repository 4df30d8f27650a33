"""Errors a user can mend, and the checks that can fail: the only exceptions the command line turns into messages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input, said so that its owner can mend it."""

    what: str
    """The fault in a few words, e.g. ``motion has another length than its condition``."""
    where: str
    """File, field or clip it was found in."""
    expected: str = ""
    """What would have been right."""
    got: str = ""
    """What was there instead."""
    mend: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}"]
        parts += [f"{name} {text}" for name, text in (("expected", self.expected), ("got", self.got)) if text]
        return "; ".join(parts) + (f". To mend: {self.mend}" if self.mend else "")


class InputError(Exception):
    """Bad input. Carries every problem found, not only the first; the command line exits with 2."""

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class CheckFailedError(Exception):
    """A check ran and did not hold (a manifest, a tolerance); the command line exits with 1."""


def nearest_names(name: str, known: Sequence[str]) -> str:
    """A sentence that suggests the known names nearest to ``name``, for messages about unknown names.

    >>> nearest_names("lve", ["lve_mm", "fve_mm", "diversity"])
    'did you mean lve_mm or fve_mm?'
    """
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
