"""``mmbench reproduce``: score a reference model again, or train it first; judge the paper's claims on the results."""

from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    model: Annotated[str, typer.Argument(metavar="MODEL|claims", help="See mmbench list models; or: claims.")],
    track: Annotated[list[str] | None, typer.Option("--track", help="Track id; repeatable; all by default.")] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Train first, then score that.")] = False,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Score these weights, as mmbench train wrote them.")
    ] = None,
    fusion: Annotated[
        str | None, typer.Option("--fusion", help="MM2Face only, with --from-scratch or --weights: ft|a, ...")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for weights and results.")] = Path("runs/reproduce"),
    device: Annotated[str, typer.Option("--device", help="Torch device that trains and scores.")] = "cpu",
    results: Annotated[
        Path | None, typer.Option("--results", help="Folder of results to compare with; the frozen ones by default.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Motions a clip; those of the frozen row by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")] = False,
) -> None:
    """Reproduce a reference result and compare, or judge the paper's claims on the results there are."""
    from mmbench import reproduction

    if model == "claims":
        reproduction.print_claims(results, as_json)
        return
    request = reproduction.Request(
        model, tuple(track or ()), from_scratch, weights, fusion, out, device, results, samples
    )
    reproduction.print_reproduction(request, as_json)
