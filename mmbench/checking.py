"""What ``mmbench check`` does, step by step: frozen files, committed results, the frozen set scored again."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from benchmark.errors import CheckFailedError, Problem
from benchmark.progress import Progress
from benchmark.storage import atomic_path
from benchmark.tracks import FROZEN_TRACKS
from mmbench.catalogue import ROOT
from mmbench.reports import progress_bar

if TYPE_CHECKING:
    from benchmark.corpus import Corpus
    from evaluators.check.cases import Case


def print_check(
    junit_file: Path | None = None, summary: Path | None = None, base: Path | None = None, results: Path | None = None
) -> None:
    """Checks everything, prints what failed, and writes the reports asked for.

    Args:
        junit_file: Receives a JUnit XML report.
        summary: Receives a Markdown summary.
        base: Seals that must still be there unchanged, such as those of the branch a change is merged into.
        results: Folder of results; the committed ones when None.

    Raises:
        CheckFailedError: Something differs.
    """
    from evaluators.check.cases import failed, junit, markdown

    start = time.monotonic()
    with progress_bar() as progress:
        cases = check(progress, base, results)
    seconds = time.monotonic() - start
    for path, text in ((junit_file, junit(cases, seconds)), (summary, markdown(cases, seconds))):
        if path is not None:
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    for case in failed(cases):
        typer.echo("\n".join([f"{case.group}: {case.name}", *(f"  {problem}" for problem in case.problems)]))
    if bad := failed(cases):
        raise CheckFailedError(f"{len(bad)} of {len(cases)} checks, {seconds:.0f} s")
    typer.echo(f"all {len(cases)} checks hold, {seconds:.0f} s")


def check(progress: Progress, base: Path | None = None, results: Path | None = None) -> "list[Case]":
    """All cases: files, results, and the numbers of every track."""
    from benchmark.corpus import load_corpus
    from benchmark.mini.build import ensure
    from evaluators.check.run import track_cases

    path = ensure(lambda done, total: progress("unpacking the test clips", done, total), splits=("test",))
    corpus = load_corpus(path)
    cases = [*file_cases(corpus, base), *result_cases(results)]
    for track in FROZEN_TRACKS:
        cases += track_cases(track, corpus, progress=progress)
    return cases


def file_cases(corpus: "Corpus", base: Path | None = None) -> "list[Case]":
    """Every frozen file against its manifest or card."""
    from benchmark import verify as data
    from evaluators.check import files as encoders
    from evaluators.check.cases import Case
    from evaluators.check.seals import changed_seals, read_seals
    from reference_models import verify as models

    found: dict[str, Sequence[Problem]] = {
        "splits": data.split_problems(),
        "packs of held-out clips": data.pack_problems(),
        "built test clips": data.corpus_problems(corpus),
        "retrieval encoders": encoders.evaluator_problems(),
        "schema of results": encoders.schema_problems(),
        "weights of reference models": models.weights_problems(),
        "weights that submissions name": models.pin_problems(ROOT / "submissions"),
        "changelog": _changelog_problems(),
    }
    if base is not None:
        found["seals of the base"] = changed_seals(read_seals(base), read_seals())
    return [Case("files", name, tuple(problems)) for name, problems in found.items()]


def result_cases(folder: Path | None = None) -> "list[Case]":
    """Every committed result, and all of them together."""
    from evaluators.check.cases import Case
    from evaluators.check.frozen import path_of, read_frozen
    from leaderboard.rows import RESULTS
    from leaderboard.verify import measure_problems, result_files, result_problems, site_problems

    folder = folder or RESULTS
    files = result_files(folder)
    cases = [Case("results", path.relative_to(folder).as_posix(), tuple(result_problems(path))) for path in files]
    there = [read_frozen(track) for track in FROZEN_TRACKS if path_of(track).is_file()]
    measure = {frozen.track: {"head": frozen.head, **frozen.evaluators} for frozen in there}
    together = {
        "all measured alike": measure_problems(files, measure),
        "the site lists every one": site_problems(folder),
    }
    return [*cases, *(Case("results", name, tuple(problems)) for name, problems in together.items())]


def _changelog_problems() -> list[Problem]:
    """An installed package has no changelog; a clone must."""
    from evaluators.check.seals import changelog_problems

    path = ROOT / "CHANGELOG.md"
    if not path.is_file():
        inside = (ROOT / "pyproject.toml").is_file()
        return [Problem("there is no changelog", str(path), "CHANGELOG.md")] if inside else []
    return changelog_problems(path.read_text(encoding="utf-8"))
