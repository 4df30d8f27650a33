"""Generation in a process that cannot see the truth: conditions go in by copying, checked arrays come back."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmark.bundle import Bundle, write_bundle
from benchmark.errors import InputError, Problem
from benchmark.motion_check import header_problem, load_checked, max_file_bytes, shortened
from benchmark.npz import NpzReader
from benchmark.parts import Parts
from benchmark.plan import Plan, derive_seed
from benchmark.predictions import (
    RECORD_NAME,
    Predictions,
    PredictionsRecord,
    Status,
    read_predictions,
    read_record,
    write_record,
    write_sample,
)
from benchmark.process import Outcome, Room, Task, run_tasks
from benchmark.process_log import last_lines
from benchmark.protocol import FPS, Condition, FloatArray, TrainingClip
from benchmark.storage import content_hash
from benchmark.submission import PREDICTIONS_FOLDER, Submission

PARTS_FOLDER = ".parts"
LOG_NAME = "log.txt"
TIMEOUT = 600.0

_FAULTS = {
    "timeout": "the generator took too long",
    "died": "the generator's process ended",
    "model_error": "the generator raised an error",
    "invalid_output": "the generator returned no valid motion",
}
_MENDS: dict[Status, str] = {
    "model_error": f"see {LOG_NAME} beside the predictions",
    "timeout": "make it faster, choose a smaller batch_size, or allow more time",
}

Progress = Callable[[int, int], None]
"""Called with the motions made so far and the motions asked for."""
TrainingLoader = Callable[[], Iterable[TrainingClip]]


def generate(
    submission: Submission,
    conditions: Iterable[Condition],
    out: Path,
    *,
    track: str,
    split: str,
    samples: int,
    seed: int,
    n_region: int | None = None,
    training_clips: TrainingLoader | None = None,
    timeout: float = TIMEOUT,
    start_timeout: float = TIMEOUT,
    progress: Progress | None = None,
) -> Predictions:
    """Has a submission make its motions and keeps them in ``out``; finished ones are kept if it is interrupted.

    The same call again makes only what is missing. A clip that fails costs that clip: its status and a problem say so.

    Args:
        submission: Code is run in a process of its own; predictions are checked and copied.
        conditions: What is asked, in frozen order; consumed one by one.
        out: Folder for ``<sample>.npz``, ``predictions.json`` and ``log.txt``.
        track: Track id with version.
        split: Split the conditions come from.
        samples: Motions a clip of stochastic submissions; the others make one.
        seed: Root of the seeds of all samples, batches and clips.
        n_region: Vertices of the face region, to check outputs of vertices.
        training_clips: Gives the training clips of the track; called if the card needs them.
        timeout: Seconds each batch may take.
        start_timeout: Seconds the entry may take to be built.
        progress: Told how many motions are made.

    Raises:
        InputError: The entry cannot be built, or the submission and the track do not fit.
    """
    plan = Plan(submission, track, split, samples, seed, n_region)
    if submission.card.kind == "predictions":
        return collect(plan, {condition.clip_id: condition.frames for condition in conditions}, out)
    training = _training(submission, training_clips)
    with tempfile.TemporaryDirectory(prefix="mmbench-", ignore_cleanup_errors=True) as temporary:
        room = Room.below(Path(temporary), submission.folder)
        bundle = write_bundle(room.bundle, conditions, submission.card.inputs, training)
        if (whole := _whole(plan, bundle, out)) is not None:
            return whole
        run = Run(plan, bundle, Parts(out / PARTS_FOLDER / plan.key(bundle.sha256)[:32]))
        run.restore(progress)
        tasks = plan.tasks(len(bundle.frames), run.parts.__contains__)
        asked = run_tasks(submission, room, tasks, out / LOG_NAME, timeout, start_timeout, track=track)
        with closing(asked) as outcomes:
            for outcome in outcomes:
                run.accept(outcome)
                run.report(progress)
    return run.finish(out)


def collect(plan: Plan, frames: Mapping[str, int], out: Path) -> Predictions:
    """Checks the files of a predictions submission for one track and copies what is valid to ``out``.

    Args:
        plan: A predictions submission; its files lie in ``predictions/<track>/<sample>.npz``.
        frames: Length of every clip, in frozen order.
        out: Folder for the copies and ``predictions.json``.

    Raises:
        InputError: The submission has no predictions for this track.
    """
    source = plan.submission.folder / PREDICTIONS_FOLDER / plan.track
    found = read_predictions(source, frames, plan.count, plan.submission.card.output, plan.n_region)
    bundle_sha256 = content_hash(list(frames), list(map(str, frames.values())))

    def valid(sample: int) -> Iterable[tuple[str, FloatArray]]:
        return ((clip, found.array(sample, clip)) for clip, row in found.status.items() if row[sample] == "ok")

    return _write(plan, Bundle(source, dict(frames), bundle_sha256), out, found.status, found.problems, valid, None)


@dataclass
class Run:
    """The bookkeeping of one generation: which motions are there, which are not and why."""

    plan: Plan
    """What is asked."""
    bundle: Bundle
    """What the generator was given."""
    parts: Parts
    """What was made and is valid."""
    faults: dict[tuple[int, int], tuple[Status, Problem]] = field(default_factory=dict)
    """What was not, by sample and position."""
    lost_seconds: float = 0.0
    """Seconds that led to no answer."""

    def restore(self, progress: Progress | None) -> None:
        """Takes up what an interrupted run left."""
        self.parts.restore()
        self.report(progress)

    def report(self, progress: Progress | None) -> None:
        """Tells how far the run is."""
        if progress is not None:
            progress(len(self.parts) + len(self.faults), self.plan.count * len(self.bundle.frames))

    def accept(self, outcome: Outcome) -> None:
        """Checks the answer to a task and keeps what is valid of it."""
        task = outcome.task
        if outcome.file is None:
            status: Status = "timeout" if outcome.fault == "timeout" else "model_error"
            for position in task.positions:
                self._fail(task.sample, position, status, _FAULTS[outcome.fault], outcome.explanation)
            self.lost_seconds += outcome.seconds
            return
        motions = self._valid(outcome.file, task)
        kinds = {p: text.partition("\n") for p, text in outcome.errors.items() if p not in motions}
        abstained = [position for position, (kind, _, _) in kinds.items() if kind == "abstained"]
        for position in task.positions:
            if position in motions or position in abstained or (task.sample, position) in self.faults:
                continue
            kind, _, text = kinds.get(position, ("invalid_output", "", "no motion"))
            status = "model_error" if kind == "model_error" else "invalid_output"
            self._fail(task.sample, position, status, _FAULTS[status], last_lines(text))
        self.parts.keep(task.sample, task.name, motions, abstained, outcome.seconds)
        outcome.file.unlink(missing_ok=True)

    def finish(self, out: Path) -> Predictions:
        """Joins the parts to one file a sample, writes the record and reads the result back."""
        clips = list(self.bundle.frames)
        status = {clip: [self._status((k, i)) for k in range(self.plan.count)] for i, clip in enumerate(clips)}
        problems = [problem for _, problem in self.faults.values()]
        seconds = self.parts.seconds + self.lost_seconds
        done = _write(self.plan, self.bundle, out, status, problems, lambda k: self.parts.motions(k, clips), seconds)
        if not self.faults:
            shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)
        return done

    def _valid(self, file: Path, task: Task) -> dict[int, FloatArray]:
        """The motions of an unchecked npz that are what was asked for; headers are judged before values are loaded."""
        clips, lengths = list(self.bundle.frames), list(self.bundle.frames.values())
        output, n_region = self.plan.submission.card.output, self.plan.n_region
        motions: dict[int, FloatArray] = {}
        try:
            reader = NpzReader(file, max_file_bytes([lengths[p] for p in task.positions], n_region))
        except InputError as error:
            for position in task.positions:
                self._refuse(task.sample, position, error.problems[0])
            return motions
        with reader:
            for position in [p for p in task.positions if str(p) in reader.headers]:
                where = f"{clips[position]}, sample {task.sample}"
                fault = header_problem(reader.headers[str(position)], where, lengths[position], output, n_region)
                if fault is None:
                    motion, fault = load_checked(reader, str(position), where, output)
                    motions |= {position: motion} if motion is not None else {}
                if fault is not None:
                    self._refuse(task.sample, position, fault)
        return motions

    def _refuse(self, sample: int, position: int, fault: Problem) -> None:
        self.faults[sample, position] = ("invalid_output", fault)

    def _fail(self, sample: int, position: int, status: Status, what: str, got: str) -> None:
        where = f"{list(self.bundle.frames)[position]}, sample {sample}"
        self.faults[sample, position] = (status, Problem(what, where, got=got, mend=_MENDS.get(status, "")))

    def _status(self, motion: tuple[int, int]) -> Status:
        if motion in self.faults:
            return self.faults[motion][0]
        return "abstained" if motion in self.parts.abstained else "ok"


def _training(submission: Submission, loader: TrainingLoader | None) -> Iterable[TrainingClip] | None:
    if not submission.card.needs_training_clips:
        return None
    if loader is None:
        what = "the submission needs training clips, and this track hands out none"
        raise InputError(Problem(what, f"{submission.folder}: needs_training_clips"))
    return loader()


def _whole(plan: Plan, bundle: Bundle, out: Path) -> Predictions | None:
    """The predictions in ``out`` if they are of the same key, complete and unchanged, else None."""
    path = out / RECORD_NAME
    try:
        record = read_record(path) if path.is_file() else None
    except InputError:
        return None  # not ours to mend: it is written anew
    if record is None or record.key != plan.key(bundle.sha256):
        return None
    found = read_predictions(out, bundle.frames, plan.count, plan.submission.card.output, plan.n_region)
    settled = all(status in ("ok", "abstained") for row in found.status.values() for status in row)
    return found if settled and not found.problems else None


def _write(
    plan: Plan,
    bundle: Bundle,
    out: Path,
    status: dict[str, list[Status]],
    problems: list[Problem],
    motions: Callable[[int], Iterable[tuple[str, FloatArray]]],
    seconds: float | None,
) -> Predictions:
    """Writes samples and record, the record last, and reads them back."""
    (out / RECORD_NAME).unlink(missing_ok=True)
    files = {f"{sample}.npz": write_sample(out, sample, motions(sample)) for sample in range(plan.count)}
    for path in out.glob("*.npz"):
        if path.stem.isdigit() and path.name not in files:
            path.unlink()  # left by a run that made more samples
    card = plan.submission.card
    made = sum(bundle.frames[clip] / FPS * row.count("ok") for clip, row in status.items())
    record = PredictionsRecord(
        name=card.name,
        version=card.version,
        kind=card.kind,
        card=card.record(),
        card_sha256=plan.submission.card_sha256,
        code_sha256=plan.submission.code_sha256,
        output=card.output,
        stochastic=card.stochastic,
        track=plan.track,
        split=plan.split,
        samples=plan.count,
        seed=plan.seed,
        seeds=[derive_seed(plan.seed, sample) for sample in range(plan.count)],
        isolation="process" if card.kind == "code" else "predictions",
        key=plan.key(bundle.sha256),
        bundle_sha256=bundle.sha256,
        frames=bundle.frames,
        status=status,
        problems=[asdict(problem) for problem in shortened(problems)],
        files=files,
        seconds=seconds,
        real_time_factor=made / seconds if seconds else None,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_record(out, record)
    return read_predictions(out, bundle.frames, plan.count, card.output, plan.n_region)
