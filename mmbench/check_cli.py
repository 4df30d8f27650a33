"""``mmbench check`` and ``mmbench compare``: whether the numbers still are what they were, and which row is better."""

from pathlib import Path
from typing import Annotated

import typer

_ROW = "A result file, a folder of results, or a name in the frozen results."
JunitOption = Annotated[Path | None, typer.Option("--junit", help="Receives a JUnit XML report.")]
SummaryOption = Annotated[Path | None, typer.Option("--summary", help="Receives a Markdown summary.")]
BaseOption = Annotated[
    Path | None, typer.Option("--base", help="A seals.json, as of the branch to merge into, that must still hold.")
]
ResultsOption = Annotated[Path | None, typer.Option("--results", help="Folder of results; the frozen ones by default.")]


def check(
    junit: JunitOption = None, summary: SummaryOption = None, base: BaseOption = None, results: ResultsOption = None
) -> None:
    """Score a small frozen set again and verify every frozen file: no number moves unseen."""
    from mmbench.checking import print_check

    print_check(junit, summary, base, results)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=_ROW)],
    second: Annotated[str, typer.Argument(metavar="B", help=_ROW)],
    track: Annotated[list[str] | None, typer.Option("--track", help="Track id; repeatable; all by default.")] = None,
    results: ResultsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Say of every metric whether A is better than B, worse, or cannot be told from it."""
    from mmbench.comparing import print_comparison

    print_comparison(first, second, tuple(track or ()), results, as_json)
