"""Who takes part on which track, and how their motions are made: submissions in their own process, controls here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmark.errors import InputError, Problem
from benchmark.predictions import (
    RECORD_NAME,
    Predictions,
    PredictionsRecord,
    read_predictions,
    write_record,
    write_sample,
)
from benchmark.progress import Progress
from benchmark.protocol import FPS, Condition
from benchmark.storage import content_hash
from benchmark.submission import Submission, load_submission
from benchmark.tracks import Track
from evaluators.controls import PREFIX, control_seed, find_control
from evaluators.setting import Setup


@dataclass(frozen=True)
class Entrant:
    """A submission or a control, ready to make motions."""

    name: str
    """Name on the card, or the control's."""
    submission: Submission | None
    """None for controls."""

    def enters(self, track: Track) -> bool:
        """Whether it takes part in a track; on a corpus of the user's, in every track of its tasks."""
        if self.submission is None:
            return True
        tasks = {name.partition("@")[0].rpartition("/")[2] for name in self.submission.card.tracks}
        local = track.id.endswith("@local") and track.task in tasks
        return self.submission.card.enters(track.id) or local

    @property
    def needs_training(self) -> bool:
        """Whether it is given the training split."""
        if self.submission is None:
            return find_control(self.name).needs_training
        return self.submission.card.needs_training_clips


def make(
    entrant: Entrant, track: Track, setup: Setup, folder: Path, samples: int | None, progress: Progress
) -> Predictions:
    """Motions of one entrant on one track, made apart from the truth and checked; kept in ``folder``."""
    if entrant.submission is None:
        return _make_control(entrant.name, track, setup, folder)
    from benchmark.isolation import generate as run

    ids, _ = setup.clips(track)
    conditions: Iterable[Condition] = (setup.read_corpus.condition(clip_id, track.has_audio) for clip_id in ids)
    wants_vertices = entrant.submission.card.output == "vertices"
    return run(
        entrant.submission,
        conditions,
        folder,
        track=track.id,
        split=setup.split,
        samples=samples or track.samples,
        seed=track.seed,
        n_region=len(setup.read_head.region_ids) if wants_vertices else None,
        training_clips=lambda: setup.training_clips(track),
        progress=lambda done, total: progress(f"{entrant.name}: generating", done, total),
    )


def plan_text(names: Sequence[str], tracks: Sequence[str], setup: Setup, *, samples: int | None, out: Path) -> str:
    """What evaluate would do, in words, without doing it: clips, samples, encoders, folders, what is kept already."""
    lines = []
    for track, entrants in programme(names, tracks, setup):
        ids, frames = setup.clips(track)
        encoders = setup.evaluators or f"those of mini/{track.task}"
        lines += [
            f"{track.id}, {setup.split}: {len(ids)} clips, {sum(frames)} frames, {sum(frames) / FPS:.0f} s",
            f"  protocol {setup.protocol}, head {setup.head or 'open'}, encoders {encoders}, device {setup.device}",
        ]
        for entrant in entrants:
            stochastic = entrant.submission is not None and entrant.submission.card.stochastic
            count = (samples or track.samples) if stochastic else 1
            folder = place(out, entrant, track)
            kept = "predictions of an earlier run are there" if (folder / "predictions").is_dir() else "nothing kept"
            lines.append(f"  {entrant.name}: {count} x {len(ids)} motions into {folder} ({kept})")
    return "\n".join(lines)


def programme(names: Sequence[str], tracks: Sequence[str], setup: Setup) -> list[tuple[Track, list[Entrant]]]:
    """Which entrants meet on which tracks. A track asked for by name must be entered by everyone."""
    entrants = [find_entrant(name) for name in names]
    programme = []
    problems = []
    for track in setup.tracks(tracks):
        entered = [entrant for entrant in entrants if entrant.enters(track)]
        absent = [entrant.name for entrant in entrants if entrant not in entered] if tracks else []
        mend = "add it to tracks in the card, or leave --track out"
        problems += [Problem("the submission does not enter this track", name, track.id, mend=mend) for name in absent]
        if entered:
            programme.append((track, entered))
    if not programme and not problems:
        problems = [Problem("the submission enters none of the tracks", name) for name in names]
    if problems:
        raise InputError(problems)
    return programme


def find_entrant(name: str) -> Entrant:
    """The control of this name, or the submission in this folder.

    Raises:
        InputError: No such control, or a card that is not valid.
    """
    if name.startswith(PREFIX):
        return Entrant(find_control(name).name, None)
    submission = load_submission(Path(name))
    return Entrant(submission.card.name, submission)


def place(out: Path, entrant: Entrant, track: Track) -> Path:
    """Folder of an entrant's predictions and results on a track."""
    return out / entrant.name.replace(":", "-") / track.id.replace("/", "-")


def _make_control(name: str, track: Track, setup: Setup, folder: Path) -> Predictions:
    control = find_control(name)
    ids, frames = setup.clips(track)
    truth = [setup.read_corpus.motion(clip_id) for clip_id in ids]
    train = [clip.parameters for clip in setup.training_clips(track)] if control.needs_training else []
    seed = control_seed(name, track.seed)
    motions = control.answer(truth, train, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD_NAME).unlink(missing_ok=True)
    files = {"0.npz": write_sample(folder, 0, zip(ids, motions, strict=True))}
    lengths = dict(zip(ids, frames, strict=True))
    record = PredictionsRecord(
        name=name,
        version="1",
        kind="control",
        card={},
        card_sha256=content_hash(name),
        code_sha256=content_hash(control.summary),
        output="parameters",
        stochastic=False,
        track=track.id,
        split=setup.split,
        samples=1,
        seed=track.seed,
        seeds=[seed],
        isolation="predictions",
        key=content_hash(name, track.id, setup.split, list(files.values())),
        bundle_sha256="",
        frames=lengths,
        status={clip_id: ["ok"] for clip_id in ids},
        problems=[],
        files=files,
        seconds=None,
        real_time_factor=None,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_record(folder, record)
    return read_predictions(folder, lengths, 1, "parameters", None)
