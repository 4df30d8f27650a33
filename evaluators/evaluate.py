"""Evaluate: generate, then score. The two halves can be run apart; scoring never runs submitted code."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from benchmark.errors import InputError, Problem
from benchmark.predictions import RECORD_NAME, Predictions, PredictionsRecord, output_of, read_predictions, read_record
from benchmark.progress import Progress, no_progress
from benchmark.tracks import Track
from evaluators.entrants import make, place, programme
from evaluators.result import Result, SubmissionRecord
from evaluators.setting import Setup


def evaluate(
    submission: str | Path,
    tracks: Sequence[str] = (),
    *,
    corpus: Path | None = None,
    split: str = "test",
    samples: int | None = None,
    protocol: Literal["strict", "official"] = "strict",
    head: Path | None = None,
    masks: Path | None = None,
    evaluators: str | None = None,
    device: str = "cpu",
    out: Path = Path("runs"),
    progress: Progress = no_progress,
) -> list[Result]:
    """Scores a submission on tracks: generates its motions apart from the truth, then measures them.

    Args:
        submission: Folder of a submission, or a control such as ``control:truth``.
        tracks: Track ids, or task names with ``corpus``; all tracks the submission enters when empty.
        corpus: Folder in the MMHead layout; the embedded corpus when None.
        split: Split to evaluate on.
        samples: Motions a clip of stochastic submissions; the track's number when None.
        protocol: ``strict``, or ``official`` for what the released code computes.
        head: FLAME model file; the open head when None.
        masks: FLAME_masks.pkl that belongs to ``head``.
        evaluators: Name of shipped encoders, or a folder.
        device: Torch device that scores.
        out: Folder for predictions, results and per-clip numbers.
        progress: Told how far the work is.

    Returns:
        One result a track.

    Raises:
        InputError: Anything wrong with the input, all of it at once.
    """
    setup = Setup(
        corpus=corpus, split=split, protocol=protocol, head=head, masks=masks, evaluators=evaluators, device=device
    )
    return evaluate_all([str(submission)], tracks, setup, samples=samples, out=out, progress=progress)


def evaluate_all(
    names: Sequence[str],
    tracks: Sequence[str],
    setup: Setup,
    *,
    samples: int | None = None,
    out: Path = Path("runs"),
    progress: Progress = no_progress,
) -> list[Result]:
    """Scores several entrants on several tracks, each track's truth being computed once."""
    from evaluators.score import Scorer

    setup = replace(setup, progress=progress)
    results = []
    for track, entrants in programme(names, tracks, setup):
        scorer = Scorer(setup.judge(track), progress)
        for entrant in entrants:
            folder = place(out, entrant, track)
            predictions = make(entrant, track, setup, folder / "predictions", samples, progress)
            warnings = setup.warnings(track, scorer.judge, entrant.needs_training)
            results.append(scorer.score(predictions, _made_by(predictions), folder, warnings))
            predictions.close()
    return results


def generate(
    name: str,
    track: str,
    *,
    corpus: Path | None = None,
    split: str = "test",
    samples: int | None = None,
    out: Path,
    progress: Progress = no_progress,
) -> Path:
    """The first half of evaluate: motions of one entrant on one track, kept in ``out``.

    Raises:
        InputError: Anything wrong with the input, or motions that could not be made; those that were made are kept.
    """
    setup = Setup(corpus=corpus, split=split, progress=progress)
    [(found, [entrant])] = programme([name], [track], setup)
    predictions = make(entrant, found, setup, out, samples, progress)
    predictions.close()
    if not predictions.complete:
        raise InputError(predictions.problems)
    return out


def score(
    folder: Path, track: str, setup: Setup, *, out: Path | None = None, progress: Progress = no_progress
) -> Result:
    """The second half of evaluate: measures motions on disk and runs none of the code that made them.

    Args:
        folder: What generate wrote, or bare ``<sample>.npz`` files of float32 parameters by clip id.
        track: Track id, or task name with the setup's corpus.
        setup: Corpus, split, protocol, head, encoders and device.
        out: Folder for the result; ``folder`` when None.
        progress: Told how far the work is.

    Raises:
        InputError: Motions that are missing, broken or of another track: all problems at once.
    """
    from evaluators.score import Scorer

    setup = replace(setup, progress=progress)
    [found] = setup.tracks([track])
    ids, frames = setup.clips(found)
    if not any(folder.glob("*.npz")):
        raise InputError(Problem("no predictions here", str(folder), "files <sample>.npz", "none"))
    record = read_record(folder / RECORD_NAME) if (folder / RECORD_NAME).is_file() else None
    _check_origin(record, found, setup.split, folder)
    n_region = len(setup.read_head.region_ids)
    output = record.output if record else output_of(folder)
    wanted = dict(zip(ids, frames, strict=True))
    predictions = read_predictions(folder, wanted, record.samples if record else None, output, n_region)
    if not predictions.complete:
        raise InputError(predictions.problems)
    scorer = Scorer(setup.judge(found), progress)
    used_training = bool(record and record.card.get("needs_training_clips"))
    warnings = setup.warnings(found, scorer.judge, used_training)
    result = scorer.score(predictions, _made_by(predictions), out or folder, warnings)
    predictions.close()
    return result


def _made_by(predictions: Predictions) -> SubmissionRecord:
    """Who made these motions: their record says so, else nobody does and the folder's name stands in."""
    record = predictions.record
    return SubmissionRecord(
        name=record.name if record else predictions.folder.resolve().name,
        version=record.version if record else "unknown",
        kind=record.kind if record else "predictions",
        output=predictions.output,
        stochastic=record.stochastic if record else predictions.samples > 1,
        card=record.card if record else {},
        card_sha256=record.card_sha256 if record else "",
        code_sha256=record.code_sha256 if record else "",
        predictions_sha256=predictions.sha256(),
    )


def _check_origin(record: PredictionsRecord | None, track: Track, split: str, folder: Path) -> None:
    """Refuses predictions whose record names another track or split."""
    if record is None:
        return
    named = [("track", record.track, track.id), ("split", record.split, split)]
    wrong = [
        Problem(f"predictions of another {what}", str(folder / RECORD_NAME), expected, got)
        for what, got, expected in named
        if got != expected
    ]
    if wrong:
        raise InputError(wrong)
