"""What ``mmbench reproduce`` does, step by step: weights, submission, score, comparison; and the claims."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from benchmark.errors import CheckFailedError, InputError, Problem
from benchmark.progress import Progress
from mmbench.catalogue import ROOT
from mmbench.reports import print_json, progress_bar

if TYPE_CHECKING:
    from benchmark.tracks import Track
    from evaluators.result import Result
    from evaluators.setting import Setup
    from leaderboard.reproduce import Reproduction, Strictness
    from leaderboard.rows import Row

TOKENIZER = "vqvae"


@dataclass(frozen=True)
class Request:
    """What is to be reproduced."""

    model: str
    """Reference model."""
    tracks: tuple[str, ...] = ()
    """Track ids; all that its submission enters when empty."""
    from_scratch: bool = False
    """Train first."""
    weights: Path | None = None
    """Root of weights to score in place of the shipped ones."""
    fusion: str | None = None
    """Variant of MM2Face's ablation."""
    out: Path = Path("runs/reproduce")
    """Receives weights, submissions, motions and results."""
    device: str = "cpu"
    """Torch device that trains and scores."""
    results: Path | None = None
    """Folder of frozen results; the committed ones when None."""
    samples: int | None = None
    """Motions a clip; those of the frozen row when None."""

    @property
    def anew(self) -> bool:
        """Whether other weights than the shipped ones are scored."""
        return self.from_scratch or self.weights is not None

    @property
    def name(self) -> str:
        """Name of the row."""
        from reference_models.weights import fusion_name

        return self.model if self.fusion is None else f"{self.model}.{fusion_name(self.fusion)}"


def print_reproduction(request: Request, as_json: bool) -> None:
    """Reproduces a model's rows and sets them beside the frozen ones and the paper's.

    Raises:
        InputError: No such model, track or weights.
        CheckFailedError: Some metric is outside its tolerance, or shipped weights have no frozen reference.
    """
    from evaluators.table import results_table
    from leaderboard.reproduce import outside, reproduction_text

    with progress_bar() as progress:
        found = reproduce(request, progress, lambda text: typer.echo(text, err=True))
    compared = [reproduction for _, reproduction in found if reproduction is not None]
    if as_json:
        print_json(
            [
                {"result": result.model_dump(mode="json"), "reproduction": one.to_json() if one else None}
                for result, one in found
            ]
        )
    for result, one in [] if as_json else found:
        typer.echo(reproduction_text(one) if one else f"{results_table([result])}\n\nno frozen reference of this row")
        typer.echo("")
    if faults := outside(compared):
        raise CheckFailedError(f"outside the tolerance: {faults}")
    if len(compared) < len(found) and not request.anew:
        raise CheckFailedError("there is no frozen reference result to compare with")


def reproduce(
    request: Request, progress: Progress, say: Callable[[str], None]
) -> "list[tuple[Result, Reproduction | None]]":
    """Scores a model's rows again, trained anew if asked for; None beside a row of new weights without reference."""
    from evaluators.entrants import programme
    from evaluators.evaluate import evaluate_all
    from evaluators.setting import Setup
    from leaderboard.reproduce import compare

    _check(request)
    setup = Setup(device=request.device, progress=progress)
    shipped = ROOT / "submissions" / request.model
    tracks = [track for track, _ in programme([str(shipped)], request.tracks, setup)]
    references = {track.id: _reference(request, track, say) for track in tracks}
    strictness: Strictness = "trained anew" if request.anew else "same weights"
    found = []
    for track in tracks:
        folder = _submission(request, track, setup, shipped, progress, say)
        frozen = references[track.id]
        samples = request.samples or (frozen.protocol.samples if frozen is not None else None)
        [result] = evaluate_all([str(folder)], [track.id], setup, samples=samples, out=request.out, progress=progress)
        if not result.ranked:
            raise InputError(Problem("the row is not whole", f"{request.name} on {track.id}", got=result.why_not or ""))
        found.append((result, compare(result, frozen, strictness) if frozen is not None else None))
    return found


def _check(request: Request) -> None:
    from reference_models.catalogue import model_entry

    model_entry(request.model)
    problems = []
    if request.fusion is not None and not request.anew:
        mend = "add --from-scratch, or --weights with what mmbench train --fusion wrote"
        problems.append(Problem("variants are not shipped", "--fusion", got=request.fusion, mend=mend))
    if request.fusion is not None and request.model != "mm2face":
        problems.append(Problem("only MM2Face has fusion variants", "--fusion", "mm2face", request.model))
    if request.from_scratch and request.weights is not None:
        problems.append(Problem("train, or take weights that are there", "--from-scratch and --weights", "one of them"))
    if problems:
        raise InputError(problems)


def _reference(request: Request, track: "Track", say: Callable[[str], None]) -> "Result | None":
    from leaderboard.reproduce import find_reference
    from leaderboard.rows import RESULTS

    reference = find_reference(request.name, track.id, request.results or RESULTS)
    if reference is None:
        say(f"{request.name} on {track.id}: no frozen reference result, so there will be nothing to compare with")
    return reference


def _submission(
    request: Request, track: "Track", setup: "Setup", shipped: Path, progress: Progress, say: Callable[[str], None]
) -> Path:
    """The submission to score: the shipped one, or a copy that names new weights or holds reconstructions."""
    from reference_models.weights import WEIGHTS

    root = request.weights
    if request.from_scratch:
        root = _trained(request, track, setup, progress, say)
    if root is None and request.model != TOKENIZER:
        return shipped
    folder = _copied(request, track, shipped, root)
    if request.model == TOKENIZER:
        from reference_models.pins import PINS_FILE, check_pins, read_pins
        from reference_models.reconstruct import write_reconstruction

        check_pins(TOKENIZER, track.id, read_pins(folder / PINS_FILE), folder / PINS_FILE)
        ids, _ = setup.clips(track)
        roots = (WEIGHTS,) if root is None else (root, WEIGHTS)
        write_reconstruction(folder, track.id, setup.read_corpus, ids, roots=roots, progress=progress)
    return folder


def _trained(request: Request, track: "Track", setup: "Setup", progress: Progress, say: Callable[[str], None]) -> Path:
    """Trains everything the model consists of, but for variants, which share the tokenizer; the root of the weights."""
    from reference_models.train import train

    root = request.out / "weights"
    train(
        request.model,
        track=track,
        corpus=setup.read_corpus,
        out=root,
        fusion=request.fusion,
        device=request.device.partition(":")[0],
        reuse=request.fusion is not None,
        progress=progress,
        say=say,
    )
    return root


def _copied(request: Request, track: "Track", shipped: Path, root: Path | None) -> Path:
    """A copy of a submission for one track whose ``weights.json`` names the weights found at a root."""
    from reference_models.pins import PINS_FILE, Pins, weight_hashes, write_pins
    from reference_models.weights import WEIGHTS

    folder = request.out / "submissions" / request.name / track.id.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("__pycache__", "predictions"))
    card = folder / "submission.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace(f'name = "{request.model}"', f'name = "{request.name}"', 1), encoding="utf-8")
    if root is not None:
        roots = (root, WEIGHTS)
        hashes = weight_hashes(request.model, track.id, roots, request.fusion)
        pins = Pins(weights={track.id: hashes}, root=str(root.resolve()), fusion=request.fusion)
        write_pins(folder / PINS_FILE, pins)
    return folder


def print_claims(results: Path | None, as_json: bool) -> None:
    """Judges the paper's claims on a folder of results. A claim that does not hold is a finding, not a failure."""
    from leaderboard.claims import claims_text, judge
    from leaderboard.rows import RESULTS, read_rows
    from leaderboard.verdicts import RULE, Evidence

    findings = judge(Evidence(read_rows(results or RESULTS), paired))
    if as_json:
        print_json({"rule": RULE, "claims": {name: asdict(finding) for name, finding in findings.items()}})
    else:
        typer.echo(claims_text(findings))


def paired(first: "Row", second: "Row", key: str) -> tuple[float, float, float] | None:
    """Paired difference of two rows in a metric, from the per-clip numbers beside them."""
    from evaluators.compare import compare_clips

    difference = compare_clips(first.clips, second.clips, key, first.result.protocol.bootstrap_seed)
    if difference is None or difference.interval is None:
        return None
    return difference.value, difference.interval.low, difference.interval.high
