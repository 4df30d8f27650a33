"""Validation of a submission in seconds: its card, its files, and a trial of its code on made-up conditions."""

import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from benchmark.bundle import write_bundle
from benchmark.errors import InputError, Problem, nearest_names
from benchmark.isolation import LOG_NAME, Run
from benchmark.motion_check import header_problem, load_checked, shortened
from benchmark.npz import NpzReader, collecting
from benchmark.parts import Parts
from benchmark.plan import Plan
from benchmark.process import Room, Task, run_tasks
from benchmark.protocol import PARAMETERS, SAMPLE_RATE, Condition, Texts, TrainingClip
from benchmark.submission import (
    CARD_NAME,
    PREDICTIONS_FOLDER,
    Card,
    Submission,
    code_hash,
    link_problems,
    read_card,
    submission_files,
)
from benchmark.tracks import FROZEN_TRACKS, TASKS

TRIAL_TIMEOUT = 60.0
SLOW_START_SECONDS = 5.0
VALUE_SECONDS = 2.5
"""Longer than this no values of predictions are read in validation; evaluation reads them all."""
NEARLY = 1e-3
"""Motions that differ by less under the same seed are put down to the rounding of parallel hardware."""


@dataclass
class ValidationReport:
    """What validation found."""

    problems: list[Problem] = field(default_factory=list)
    """What keeps the submission from being evaluated."""
    notes: list[str] = field(default_factory=list)
    """What its author may want to know."""

    @property
    def ok(self) -> bool:
        """Whether nothing keeps it from being evaluated."""
        return not self.problems


def validate(path: Path) -> ValidationReport:
    """Everything that is wrong with a submission folder, at once. Its code is only run in a process of its own.

    Args:
        path: The folder with ``submission.toml``.
    """
    report = ValidationReport()
    card, report.problems = read_card(path)
    report.problems += link_problems(path)
    if not path.is_dir():
        return report
    card = card or _stand_in(path, report.problems)
    if card is None:
        report.notes.append(f"files and code are checked once {CARD_NAME} is right")
        return report
    _check_tracks(card, path, report)
    files = submission_files(path)
    report.notes += [f"hidden file {name} is part of the submission" for name in files if "/." in f"/{name}"]
    if card.kind == "predictions":
        _check_predictions(card, path, files, report)
    elif not (missing := _entry_problems(card, path, files)):
        _check_code(card, path.resolve(), report)
    else:
        report.problems += missing
    report.problems = shortened(report.problems)
    return report


def trial_conditions(audio: bool) -> Iterator[Condition]:
    """Two short conditions made of nothing real, for trying a submission out without any corpus."""
    told = (("A person smiles, then nods slowly.", 24), ("A person frowns.", 41))
    for number, (text, frames) in enumerate(told):
        at = np.arange(frames * SAMPLE_RATE // 25) / SAMPLE_RATE
        speech = (0.1 * np.sin(2 * np.pi * 140 * at) * np.sin(3 * np.pi * at) ** 2).astype(np.float32)
        texts = Texts(text, "The person feels calm.", text, "The head turns.", "A quiet day.")
        name = f"trial_{'speech' if audio else 'text'}_{number}"
        yield Condition(name, texts, speech if audio else None, frames)


def trial_training() -> Iterator[TrainingClip]:
    """Two training clips made of nothing real, for trying a submission out without any corpus."""
    for number, text in enumerate(("A person smiles.", "A person frowns and looks away.")):
        wave = np.sin(np.arange(30)[:, None] / 5 + number + np.arange(PARAMETERS) / 7)
        texts = Texts(text, "The person feels calm.", text, "The head is still.", "A quiet day.")
        yield TrainingClip(f"trial_train_{number}", texts, (0.1 * wave).astype(np.float32))


def _stand_in(path: Path, faults: list[Problem]) -> Card | None:
    """The card without its faults if they do not touch how the submission is run, so that its code is checked too."""
    where = f"{path / CARD_NAME}: "
    wrong = {fault.where.removeprefix(where).partition(".")[0] for fault in faults if fault.where.startswith(where)}
    harmless: dict[str, object] = {"name": "x", "version": "0", "authors": ["x"], "licence": "x", "training_data": "x"}
    harmless["url"] = "http://x.x"
    try:
        table = tomllib.loads((path / CARD_NAME).read_text(encoding="utf-8"))
        kept = {key: value for key, value in table.items() if key not in wrong}
        return Card.model_validate({**{key: harmless[key] for key in wrong if key in harmless}, **kept})
    except (OSError, ValueError, RecursionError):
        return None


def _tasks_entered(card: Card) -> set[str]:
    """``talking``, ``text2motion`` or both."""
    named = {name.partition("@")[0].rpartition("/")[2] for name in card.tracks}
    return set(TASKS) if "*" in card.tracks else named & set(TASKS)


def _check_tracks(card: Card, path: Path, report: ValidationReport) -> None:
    where = f"{path / CARD_NAME}: tracks"
    known = (*FROZEN_TRACKS, *(name.partition("@")[0] for name in FROZEN_TRACKS))
    for name in card.tracks:
        corpus, _, task = name.partition("@")[0].partition("/")
        if name == "*" or name in known:
            continue
        if task not in TASKS or any(corpus == other.partition("/")[0] for other in known):
            report.problems.append(Problem("unknown track", where, got=name, mend=nearest_names(name, known)))
        else:
            report.notes.append(f"{name} is no track of this version: it counts for corpora of your own only")


def _entry_problems(card: Card, path: Path, files: list[str]) -> list[Problem]:
    module = (card.entry or "").partition(":")[0].replace(".", "/")
    if {f"{module}.py", f"{module}/__init__.py"} & set(files):
        return []
    scripts = tuple(name for name in files if name.endswith(".py"))
    got = f"the folder holds {', '.join(scripts[:5]) or 'no Python file'}"
    return [Problem("the entry's module is not there", f"{path / CARD_NAME}: entry", f"{module}.py", got)]


def _check_code(card: Card, folder: Path, report: ValidationReport) -> None:
    """Tries the entry out: once, or once a track for those that are told the track."""
    if (folder / PREDICTIONS_FOLDER).is_dir():
        report.notes.append(f"{PREDICTIONS_FOLDER}/ is not used: the card says kind = code")
    tasks = _tasks_entered(card)
    kinds = [audio for audio, task in ((True, "talking"), (False, "text2motion")) if task in tasks] or [True]
    told = [track for track in FROZEN_TRACKS.values() if card.needs_track and card.enters(track.id)]
    for track in told:
        _try_code(card, folder, report, [track.has_audio], track.id)
    if not told:
        _try_code(card, folder, report, kinds, card.tracks[0])


def _try_code(card: Card, folder: Path, report: ValidationReport, kinds: list[bool], track: str) -> None:
    """Builds the entry in its own process and has it make a few motions: seed a, seed b, seed a again."""
    submission = Submission(card, folder, "", code_hash(folder))
    conditions = [condition for audio in kinds for condition in trial_conditions(audio)]
    positions = tuple(range(len(conditions)))
    asked = [Task(f"{k}-0", k, positions, seed, (seed,) * len(positions)) for k, seed in enumerate((11, 12, 11))]
    with tempfile.TemporaryDirectory(prefix="mmbench-", ignore_cleanup_errors=True) as temporary:
        here = Path(temporary)
        room = Room.below(here, folder)
        begin = time.monotonic()
        with collecting(report.problems):
            training = trial_training() if card.needs_training_clips else None
            bundle = write_bundle(room.bundle, conditions, card.inputs, training)
            run = Run(Plan(submission, "trial", "trial", 3, 0), bundle, Parts(here / "parts"))
            run.restore(None)
            outcomes = run_tasks(
                submission,
                room,
                asked,
                here / LOG_NAME,
                TRIAL_TIMEOUT,
                TRIAL_TIMEOUT,
                lambda loaded: _note_start(loaded, begin, report),
                track=track,
            )
            for outcome in outcomes:
                run.accept(outcome)
            _judge_trial(card, run, folder, report)


def _note_start(loaded: str, begin: float, report: ValidationReport) -> None:
    if (seconds := time.monotonic() - begin) > SLOW_START_SECONDS:
        report.notes.append(f"the entry took {seconds:.1f} s to be built" + (f" (it loads {loaded})" if loaded else ""))


def _judge_trial(card: Card, run: Run, folder: Path, report: ValidationReport) -> None:
    told: dict[tuple[str, str], Problem] = {}
    for _, fault in run.faults.values():
        told.setdefault((fault.what, "" if fault.expected else fault.got), fault)  # once, not once a clip
    report.problems += told.values()
    clips = list(run.bundle.frames)
    first, other, again = (dict(run.parts.motions(sample, clips)) for sample in range(3))
    where = f"{folder}: {card.entry}"
    if run.faults or not first:
        return
    difference = max((float(np.abs(first[clip] - again[clip]).max()) for clip in first), default=0.0)
    if difference > NEARLY:
        mend = "seed every random generator from the argument seed, and keep no state between calls"
        got = f"values differ by up to {difference:.3g}"
        report.problems.append(Problem("the same seed gives another motion", where, "the same motion", got, mend))
    elif difference > 0:
        report.notes.append(f"the same seed gives motions that differ by up to {difference:.2g}")
    changed = any(float(np.abs(first[clip] - other[clip]).max()) > NEARLY for clip in first)
    if changed != card.stochastic and difference <= NEARLY:
        what = "another seed gives " + ("another motion" if changed else "the same motion")
        expected = f"what the card says: stochastic = {str(card.stochastic).lower()}"
        report.problems.append(Problem(what, where, expected, mend="correct the card, or use the seed"))
    still = [clip for clip, motion in first.items() if len(motion) > 1 and not np.ptp(motion, axis=0).any()]
    if still:
        report.notes.append(f"the motion stands still for {len(still)} of {len(first)} trial conditions")
    if len({motion.shape[1:] for motion in first.values()}) > 1:
        got = ", ".join(sorted({str(motion.shape[1:]) for motion in first.values()}))
        report.problems.append(Problem("motions have different numbers of vertices", where, "one number", got))


def _check_predictions(card: Card, path: Path, files: list[str], report: ValidationReport) -> None:
    inside = [name for name in files if PurePosixPath(name).parts[0] == PREDICTIONS_FOLDER]
    report.notes += [f"{name} is not run: the card says kind = predictions" for name in files if name.endswith(".py")]
    samples: dict[str, list[int]] = {}
    for name in inside:
        part = PurePosixPath(name)
        track = "/".join(part.parts[1:-1])
        if part.suffix == ".npz" and part.stem.isascii() and part.stem.isdigit() and str(int(part.stem)) == part.stem:
            samples.setdefault(track, []).append(int(part.stem))
        else:
            expected = f"{PREDICTIONS_FOLDER}/<track>/<sample>.npz, samples from 0"
            report.problems.append(Problem("stray file", str(path / name), expected, part.name, "remove or rename it"))
    for name in card.tracks:
        if not any(name in ("*", track, track.partition("@")[0]) for track in samples):
            where = f"{path / PREDICTIONS_FOLDER}"
            what = "no predictions" if name == "*" else f"no predictions for {name}"
            report.problems.append(
                Problem(what, where, f"{PREDICTIONS_FOLDER}/{name}@<version>/0.npz".replace("*", "<track>"))
            )
    stop = time.monotonic() + VALUE_SECONDS
    for track, numbers in sorted(samples.items()):
        if not card.enters(track) or "@" not in track:
            what = "predictions for a track that the card does not name, or without version"
            where = str(path / PREDICTIONS_FOLDER / track)
            report.problems.append(
                Problem(what, where, ", ".join(card.tracks), track, "rename the folder, or mend the card")
            )
        _check_track(card, path / PREDICTIONS_FOLDER / track, sorted(numbers), stop, report)


def _check_track(card: Card, folder: Path, numbers: list[int], stop: float, report: ValidationReport) -> None:
    if numbers != list(range(len(numbers))):
        got = ", ".join(map(str, numbers))
        report.problems.append(Problem("samples are not counted from 0", str(folder), "0.npz, 1.npz, ...", got))
    if len(numbers) > 1 and not card.stochastic:
        report.notes.append(f"{folder}: only 0.npz is used, the card says stochastic = false")
    if len(numbers) == 1 and card.stochastic:
        report.notes.append(f"{folder}: one sample only; tracks ask for five of stochastic submissions")
    sums = [
        sums for number in numbers if (sums := _check_file(card, folder / f"{number}.npz", stop, report)) is not None
    ]
    for number, other in zip(numbers[1:], sums[1:], strict=False):
        for missing in sorted(sums[0].keys() ^ other.keys()):
            what = "clip is not in every sample"
            report.problems.append(
                Problem(what, f"{folder}: {missing}", "in 0.npz and every other", f"not in both 0 and {number}")
            )
        if card.stochastic and other == sums[0]:
            what = "samples are identical although the card says stochastic = true"
            report.problems.append(Problem(what, f"{folder / f'{number}.npz'}", "another motion", "the same as 0.npz"))


def _check_file(card: Card, path: Path, stop: float, report: ValidationReport) -> dict[str, int] | None:
    """Checks every header of an npz, and values while there is time. Returns checksums by clip, None if unreadable."""
    try:
        reader = NpzReader(path)
    except InputError as error:
        report.problems += error.problems
        return None
    with reader:
        report.problems += reader.problems
        if not reader.headers and not reader.problems:
            report.problems.append(Problem("file holds no clips", str(path), "one array a clip", "none"))
        for clip, header in reader.headers.items():
            where = f"{path}: {clip}"
            fault = header_problem(header, where, None, card.output, None)
            if fault is None and time.monotonic() < stop:
                _, fault = load_checked(reader, clip, where, card.output)
            report.problems += [fault] if fault else []
        meshes = {header.shape[1] for header in reader.headers.values() if len(header.shape) == 3}
        if len(meshes) > 1:
            got = " and ".join(map(str, sorted(meshes)))
            report.problems.append(Problem("clips have different numbers of vertices", str(path), "one number", got))
        return {clip: reader.checksum(clip) for clip in reader.headers}
