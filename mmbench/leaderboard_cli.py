"""``mmbench leaderboard``: the static site made from results, and tables for papers."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="The leaderboard: build its site, print tables for papers.", no_args_is_help=True)
ResultsOption = Annotated[Path | None, typer.Option("--results", help="Folder of results; the frozen ones by default.")]


@app.command()
def build(
    results: ResultsOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the site; an earlier site there is replaced.")] = Path(
        "site"
    ),
) -> None:
    """Write the site as static files: open index.html from disk, or publish the folder on any web host."""
    from leaderboard.build import build as run
    from leaderboard.rows import RESULTS
    from mmbench.reproduction import paired

    typer.echo(run(results or RESULTS, out, paired))


@app.command()
def table(
    form: Annotated[Literal["latex", "markdown", "csv", "github"], typer.Option("--format", help="Form of the table.")],
    results: ResultsOption = None,
    track: Annotated[str | None, typer.Option("--track", help="Track id; all by default.")] = None,
    intervals: Annotated[bool, typer.Option(help="Print the 95% intervals.")] = True,
) -> None:
    """Print a board a track, best and second best marked, to paste into a paper."""
    from leaderboard.rows import RESULTS
    from leaderboard.table import tables
    from mmbench.reproduction import paired

    typer.echo(tables(results or RESULTS, form, track, intervals, paired), nl=False)
