"""``mmbench train``: train a reference model."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def train(
    model: Annotated[str, typer.Argument(help="Reference model, see mmbench list models.")],
    track: Annotated[str, typer.Option("--track", help="Track whose training split is learned.")],
    preset: Annotated[
        Literal["embedded", "small", "paper"], typer.Option("--preset", help="Sizes; small: MM2Face only.")
    ] = "embedded",
    fusion: Annotated[
        str | None, typer.Option("--fusion", help="MM2Face only: ft|ht+a, ft|a, ft+ht|a, ft+ht+a| or |ft+ht+a.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout.")] = None,
    head: Annotated[Path | None, typer.Option("--head", help="FLAME model file; else the open head.")] = None,
    masks: Annotated[Path | None, typer.Option("--masks", help="FLAME_masks.pkl that belongs to --head.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, cards and logs.")] = Path("runs/models"),
    device: Annotated[str, typer.Option("--device", help="Torch device type: cpu, cuda, ...")] = "cpu",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processes of distributed training.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="In place of the preset's.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="In place of the preset's.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Time a network at most: a trial tells how many steps fit.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="In place of the preset's.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the preset's.")] = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Folder of frozen features, made there if it is empty.")
    ] = None,
    prepare: Annotated[bool, typer.Option("--prepare", help="Only compute the frozen features.")] = False,
    text_encoder: Annotated[Path | None, typer.Option("--text-encoder", help="Folder; paper preset.")] = None,
    audio_encoder: Annotated[Path | None, typer.Option("--audio-encoder", help="Folder; paper preset.")] = None,
) -> None:
    """Train a reference model on a track's training split, selected on its validation split."""
    from evaluators.setting import Setup
    from mmbench.reports import train_model

    setup = Setup(corpus=corpus, head=head, masks=masks, device=device)
    train_model(
        setup,
        model,
        track,
        prepare,
        preset=preset,
        fusion=fusion,
        out=out,
        device=device,
        devices=devices,
        resume=resume,
        steps=steps,
        batch=batch,
        minutes=minutes,
        learning_rate=learning_rate,
        seed=seed,
        features=features,
        text_encoder=text_encoder,
        audio_encoder=audio_encoder,
    )
