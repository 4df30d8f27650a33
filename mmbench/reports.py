"""What commands print: progress on stderr, tables and JSON on stdout."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benchmark.errors import CheckFailedError, InputError, Problem
from benchmark.progress import Progress
from evaluators.result import Result

if TYPE_CHECKING:
    from benchmark.corpus import Corpus
    from evaluators.setting import Setup


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress callback drawn on stderr with elapsed and remaining time; silent lines when it is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Eta

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Eta())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}
        ended: set[str] = set()

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)
            if not console.is_terminal and done >= total and stage not in ended:
                ended.add(stage)
                console.print(f"{stage}: {done} of {total}", highlight=False)

        yield report


def print_problems(problems: Sequence[Problem]) -> None:
    """All problems in one table on stderr, one line each where there is only one."""
    if len(problems) == 1:
        typer.echo(f"error: {problems[0]}", err=True)
        return
    typer.echo(f"{len(problems)} problems:\n{problem_table(problems)}", err=True)


def problem_table(problems: Sequence[Problem]) -> str:
    """Problems as a table: where, what, expected, got, how to mend it."""
    from tabulate import tabulate

    rows = [(problem.where, problem.what, problem.expected, problem.got, problem.mend) for problem in problems]
    headers = ("where", "what", "expected", "got", "to mend")
    return str(
        tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[44, 40, 28, 28, 44], disable_numparse=True)
    )


def print_json(record: object) -> None:
    """A record on stdout as JSON."""
    sys.stdout.write(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_results(results: Sequence[Result], as_json: bool) -> None:
    """One table a track, or the list of records as JSON; incomplete rows end in exit code 2 after all is printed.

    Raises:
        InputError: Some row is incomplete; its result file is written all the same.
    """
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
    else:
        from evaluators.table import results_table

        typer.echo(results_table(results))
    incomplete = [result for result in results if not result.ranked]
    if incomplete:
        raise InputError(
            [
                Problem("not ranked", f"{result.submission.name} on {result.track.id}", got=result.why_not or "")
                for result in incomplete
            ]
        )


def print_validation(submission: Path, as_json: bool) -> None:
    """All problems and notes of a submission.

    Raises:
        InputError: There are problems.
    """
    from dataclasses import asdict

    from benchmark.submission_check import validate

    report = validate(submission)
    if as_json:
        print_json({"problems": [asdict(problem) for problem in report.problems], "notes": report.notes})
    for note in [] if as_json else report.notes:
        typer.echo(f"note: {note}")
    if report.problems:
        raise InputError(report.problems)
    if not as_json:
        typer.echo(f"{submission}: valid")


def build_mini(splits: Sequence[str] = ()) -> None:
    """Builds the embedded corpus where it is absent and checks it against its manifest.

    Args:
        splits: Only these; all when empty.

    Raises:
        InputError: No such split.
        CheckFailedError: What was built differs from the manifest.
    """
    from benchmark.mini.build import check, ensure
    from benchmark.mini.clips import SPLITS

    if unknown := [split for split in splits if split not in SPLITS]:
        raise InputError([Problem("no such split", name, expected=" or ".join(SPLITS), got=name) for name in unknown])
    wanted = tuple(splits) or SPLITS
    with progress_bar() as progress:
        path = ensure(lambda done, total: progress("building the embedded corpus", done, total), splits=wanted)
        problems = check(path, wanted)
    if problems:
        print_problems(problems)
        raise CheckFailedError(f"{path} differs from its manifest in {len(problems)} places")
    typer.echo(f"{path}: built and equal to its manifest")


def print_description(corpus: Path | None, as_json: bool) -> None:
    """Counts, durations and statistics of a corpus."""
    from benchmark.corpus_describe import describe

    found = _corpus(corpus)
    with progress_bar() as progress:
        description = describe(found, lambda done, total: progress("reading clips", done, total))
    if as_json:
        print_json(description.to_json())
    else:
        typer.echo(description.render())


def print_verification(corpus: Path | None, as_json: bool) -> None:
    """All findings about a corpus in one table.

    Raises:
        CheckFailedError: Some finding is an error.
    """
    from dataclasses import asdict

    from benchmark.corpus_check import errors_of, render, verify

    path = corpus if corpus is not None else _corpus(None).path
    with progress_bar() as progress:
        findings = verify(path, progress=lambda done, total: progress("checking clips", done, total))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        typer.echo(render(findings))
    if errors := errors_of(findings):
        raise CheckFailedError(f"{len(errors)} errors in {path}")


def print_construction(
    source: Path,
    out: Path | None,
    config: Path | None,
    workers: int | None,
    annotator: str | None,
    endpoint: str | None,
    model: str | None,
    seed: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Constructs a corpus from raw tracks and prints what was dropped, mended and split."""
    from benchmark.construction import pipeline
    from benchmark.construction.config import configured

    settings = configured(config, annotator=annotator, endpoint=endpoint, model=model, seed=seed)
    with progress_bar() as progress:
        if dry_run:
            text = pipeline.dry_run(source, settings, workers, progress)
        elif out is None:
            raise InputError(Problem("missing", "--out", "a folder for the corpus"))
        else:
            report = pipeline.construct(source, out, settings, workers, progress, _say)
            text = f"{report.render()}\n{out / 'construction' / 'report.html'}"
    if as_json and not dry_run:
        print_json(report.to_json())
    else:
        typer.echo(text)


def train_evaluators(
    track: str,
    corpus: Path | None,
    head: Path | None,
    masks: Path | None,
    out: Path,
    device: str,
    seed: int,
    minutes: float | None,
    resume: bool,
) -> None:
    """Trains the encoders of a track and says where they lie."""
    from benchmark.tracks import split_ids
    from evaluators.retrieval.train import train_evaluators as train
    from evaluators.setting import Setup

    with progress_bar() as bar:
        setup = Setup(corpus=corpus, head=head, masks=masks, device=device, progress=bar)
        [found] = setup.tracks([track])
        data = setup.read_corpus
    train(
        found.id,
        data,
        {split: split_ids(found, split, data) for split in ("train", "val", "test")},
        has_audio=found.has_audio,
        out=out,
        device=device,
        seed=seed,
        resume=resume,
        minutes=minutes,
        progress=_say,
        head=setup.read_head,
    )
    typer.echo(out)


def print_probes(setup: "Setup", names: Sequence[str], as_json: bool) -> None:
    """What alterations of the truth cost the encoders of tracks.

    Raises:
        CheckFailedError: Shipped encoders miss what is required of them on their own track's test split.
    """
    from evaluators.probing import probe_track

    with progress_bar() as bar:
        probed = [probe_track(replace(setup, progress=bar), track) for track in setup.tracks(names)]
    if as_json:
        print_json([found.to_json() for found in probed])
    else:
        typer.echo("\n\n\n".join(found.render() for found in probed))
    if missed := [f"{found.evaluators} ({', '.join(found.missed)})" for found in probed if found.missed]:
        raise CheckFailedError(f"requirements are missed by {'; '.join(missed)}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _corpus(path: Path | None) -> "Corpus":
    """A corpus of the user's, or the embedded one, built first if it is absent."""
    from benchmark.corpus import load_corpus
    from evaluators.setting import embedded_corpus

    if path is not None:
        return load_corpus(path)
    with progress_bar() as progress:
        return embedded_corpus(progress)


def train_model(setup: "Setup", model: str, track: str, prepare: bool, **options: Any) -> None:
    """Trains a reference model, or only prepares its features, and says where the result lies."""
    from reference_models import train

    with progress_bar() as bar:
        setup = replace(setup, progress=bar)
        [found] = setup.tracks([track])
        features = options["features"]
        corpus = None if train.are_prepared(features) else setup.read_corpus
        if prepare:
            encoders = train.encoders_of(model, options["preset"], options["text_encoder"], options["audio_encoder"])
            folders = [train.prepare(found, corpus, features, encoders, bar)]
        else:
            head = setup.read_head if setup.head is not None else None
            folders = train.train(model, track=found, corpus=corpus, head=head, progress=bar, say=_say, **options)
    for folder in folders:
        typer.echo(folder)
