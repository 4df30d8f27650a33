"""The probes of a track's encoders, recomputed: shipped ones beside what is required of them, or a user's own."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError, Problem
from benchmark.tracks import Track
from evaluators.metrics.r_precision import GALLERY
from evaluators.retrieval.card import Kind, NetworkReport
from evaluators.retrieval.load import shipped_evaluators
from evaluators.retrieval.probe_table import missed, report_text
from evaluators.retrieval.probes import Truth
from evaluators.retrieval.report import set_report

if TYPE_CHECKING:
    from evaluators.judge import Judge
    from evaluators.setting import Setup


@dataclass(frozen=True)
class Probed:
    """What was measured of the encoders of one track."""

    track: str
    """Track id."""
    split: str
    evaluators: str
    """Name of the set."""
    networks: dict[Kind, NetworkReport]
    required: bool
    """Whether the requirements hold for this set, on this track and split."""
    notes: tuple[str, ...] = ()

    @property
    def missed(self) -> tuple[str, ...]:
        """Network and probe, for every requirement that is not met."""
        if not self.required:
            return ()
        return tuple(f"{kind} {name}" for kind, report in self.networks.items() for name in missed(kind, report.probes))

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON types; ``missed`` is null where nothing is required."""
        return {
            "track": self.track,
            "split": self.split,
            "evaluators": self.evaluators,
            "networks": {kind: report.model_dump(mode="json") for kind, report in self.networks.items()},
            "missed": list(self.missed) if self.required else None,
            "notes": list(self.notes),
        }

    def render(self) -> str:
        """Tables of every network."""
        title = f"{self.track}, {self.split}: encoders {self.evaluators}"
        reports = [report_text(kind, report, marked=self.required) for kind, report in self.networks.items()]
        return "\n\n".join([title, *reports, *(f"note: {note}" for note in self.notes)])


def probe_track(setup: "Setup", track: Track) -> Probed:
    """Alters the real motions of a track in one way at a time, and measures what that costs its encoders.

    Args:
        setup: Corpus, split, head and encoders.
        track: The track.

    Raises:
        InputError: Fewer clips than a gallery; or clips, head or encoders are missing or do not fit each other.
    """
    judge = setup.judge(track)
    if (n := len(judge.clip_ids)) < GALLERY:
        where, mend = f"{track.id}, split {judge.split}", "probe a larger split, such as --split train"
        raise InputError(Problem("too few clips to probe on", where, f"at least {GALLERY}, one gallery", str(n), mend))
    evaluators = judge.evaluators if track.has_audio else replace(judge.evaluators, audio=None)
    return Probed(
        track=track.id,
        split=judge.split,
        evaluators=evaluators.id,
        networks=set_report(
            evaluators, Truth(judge.corpus, judge.clip_ids, judge.head), probed=True, progress=setup.progress
        ),
        required=_is_required(judge),
        notes=_notes(judge),
    )


def _is_required(judge: "Judge") -> bool:
    """Requirements are written for shipped encoders on the test clips of the track they were trained on."""
    shipped = judge.evaluators.id in shipped_evaluators()
    return shipped and judge.evaluators.trained_on == judge.track.id and judge.split == "test"


def _notes(judge: "Judge") -> tuple[str, ...]:
    if judge.evaluators.audio is None and judge.track.has_audio:
        return (f"{judge.evaluators.id} has no audio network: nothing is known about synchrony",)
    if not judge.track.has_audio:
        return ("the track has no speech: there is no audio network to probe",)
    return ()
