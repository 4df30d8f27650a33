"""``mmbench evaluators``: train the retrieval encoders, and see what they are blind to."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The retrieval encoders that judge motions.", no_args_is_help=True)


@app.callback()
def evaluators() -> None:
    """The retrieval encoders that judge motions."""


@app.command()
def train(
    track: Annotated[str, typer.Option("--track", help="Track whose training split is learned.")],
    corpus: Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout.")] = None,
    head: Annotated[Path | None, typer.Option("--head", help="FLAME model file; else the open head.")] = None,
    masks: Annotated[Path | None, typer.Option("--masks", help="FLAME_masks.pkl that belongs to --head.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for weights and card.")] = Path("runs/evaluators"),
    device: Annotated[str, typer.Option("--device", help="Torch device.")] = "cpu",
    seed: Annotated[int, typer.Option("--seed", help="Seed of initialisation and batches.")] = 0,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time a network at most.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Train the retrieval encoders of a track on its training split, selected on its validation split."""
    from mmbench.reports import train_evaluators

    train_evaluators(track, corpus, head, masks, out, device, seed, minutes, resume)


@app.command()
def probe(
    track: Annotated[
        list[str] | None, typer.Option("--track", help="Track id, or task name with --corpus; repeatable; else all.")
    ] = None,
    evaluators: Annotated[
        str | None, typer.Option("--evaluators", help="Name of shipped encoders, or a folder; else the track's.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout.")] = None,
    head: Annotated[Path | None, typer.Option("--head", help="FLAME model file; else the open head.")] = None,
    masks: Annotated[Path | None, typer.Option("--masks", help="FLAME_masks.pkl that belongs to --head.")] = None,
    split: Annotated[str, typer.Option("--split", help="Split whose clips are altered: train, val or test.")] = "test",
    device: Annotated[str, typer.Option("--device", help="Torch device.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")] = False,
) -> None:
    """Alter the real motions in one way at a time and show what R@1 that costs, beside what is required of it."""
    from evaluators.setting import Setup
    from mmbench.reports import print_probes

    setup = Setup(corpus=corpus, split=split, head=head, masks=masks, evaluators=evaluators, device=device)
    print_probes(setup, track or [], as_json)
