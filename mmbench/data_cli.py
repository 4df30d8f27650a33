"""``mmbench data``: build, describe and verify corpora."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Build the embedded corpus; construct, describe or verify any corpus.", no_args_is_help=True)
CorpusOption = Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout; else embedded data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command()
def build(
    name: Annotated[Literal["mini"], typer.Argument(help="Corpus to build.")],  # noqa: ARG001
    split: Annotated[
        list[str] | None, typer.Option("--split", help="Only this split; repeatable. val and test take seconds.")
    ] = None,
) -> None:
    """Build the embedded corpus, training from its seed and the rest unpacked, and check it against its manifest."""
    from mmbench.reports import build_mini

    build_mini(split or [])


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


@app.command()
def construct(
    source: Annotated[Path, typer.Argument(help="Folder of raw tracks: clips.jsonl, motion/, audio/, action_units/.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the new corpus.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file of settings; see docs/construction.md.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a core by default.")] = None,
    annotator: Annotated[
        Literal["rules", "llm"] | None, typer.Option("--annotator", help="Who writes the five texts: rules or llm.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="OpenAI-compatible address up to /v1.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model name at the endpoint.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of wording and split.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print prompts and drops; write and send nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a corpus in the MMHead layout from raw tracks: clean, annotate, split, audit; goes on after a stop."""
    from mmbench.reports import print_construction

    print_construction(source, out, config, workers, annotator, endpoint, model, seed, dry_run, as_json)
