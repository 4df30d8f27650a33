"""``mmbench data``: build, describe and verify corpora."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Build the embedded corpus; describe or verify any corpus.", no_args_is_help=True)
CorpusOption = Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout; else embedded data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command()
def build(name: Annotated[Literal["mini"], typer.Argument(help="Corpus to build.")]) -> None:  # noqa: ARG001
    """Build the embedded corpus from its seed and check it against its manifest."""
    from mmbench.reports import build_mini

    build_mini()


@app.command()
def describe(corpus: CorpusOption = None, as_json: JsonOption = False) -> None:
    """Counts, durations, missing files and statistics of a corpus."""
    from mmbench.reports import print_description

    print_description(corpus, as_json)


@app.command()
def verify(corpus: CorpusOption = None, as_json: JsonOption = False) -> None:
    """Check everything about a corpus and print all problems in one table."""
    from mmbench.reports import print_verification

    print_verification(corpus, as_json)
