"""From names on a command line to judges: corpus, tracks, head and encoders, looked up and checked."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import InputError, Problem
from benchmark.progress import Progress, no_progress
from benchmark.protocol import TrainingClip
from benchmark.tracks import FROZEN_TRACKS, Track, load_track, split_ids, tracks_of_corpus
from evaluators.result import Protocol

if TYPE_CHECKING:
    from benchmark.corpus import Corpus
    from benchmark.corpus_check import Finding
    from benchmark.head import HeadModel
    from evaluators.judge import Judge


@dataclass(frozen=True)
class Setup:
    """How to evaluate: the options shared by ``score`` and ``evaluate``."""

    corpus: Path | None = None
    """Folder in the MMHead layout; the embedded corpus when None."""
    split: str = "test"
    """Split to evaluate on."""
    protocol: Protocol = "strict"
    """``strict`` or ``official``."""
    head: Path | None = None
    """FLAME model file; the open head when None."""
    masks: Path | None = None
    """FLAME_masks.pkl that belongs to the head."""
    evaluators: str | None = None
    """Name of shipped encoders or a folder; those of the track when None."""
    device: str = "cpu"
    """Torch device that scores."""
    progress: Progress = field(default=no_progress, compare=False)
    """Told how far the work is."""
    _findings: "dict[str, tuple[Finding, ...]]" = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def read_corpus(self) -> "Corpus":
        """The corpus, built first if it is the embedded one and absent.

        Raises:
            InputError: The folder is no corpus.
        """
        from benchmark.corpus import load_corpus

        if self.corpus is not None:
            return load_corpus(self.corpus)
        return embedded_corpus(self.progress)

    @cached_property
    def read_head(self) -> "HeadModel":
        """The head model.

        Raises:
            InputError: No FLAME-format file, or masks that do not fit it.
        """
        from benchmark.head import load_head, open_head

        if self.head is None and self.masks is not None:
            raise InputError(Problem("masks without a head", "--masks", mend="give the model file with --head as well"))
        return open_head() if self.head is None else load_head(self.head, self.masks)

    def tracks(self, names: Sequence[str] = ()) -> list[Track]:
        """The tracks of these names; all of the corpus's tracks when there are none.

        Raises:
            InputError: An unknown name; suggests the nearest ones.
        """
        if self.corpus is not None:
            return tracks_of_corpus(self.read_corpus, names)
        newest = {id_.partition("@")[0]: track for id_, track in FROZEN_TRACKS.items()}
        return [load_track(name) for name in names] if names else list(newest.values())

    def clips(self, track: Track) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Ids and lengths of the clips to evaluate on.

        Raises:
            InputError: The split is empty, or clips of it cannot be read: all of them at once.
        """
        ids = split_ids(track, self.split, self.read_corpus)
        faults = [finding for finding in self.findings(track) if finding.level == "error" and not finding.leak]
        if faults:
            raise InputError(faults)
        return ids, tuple(self.read_corpus.frames(clip_id) for clip_id in ids)

    def findings(self, track: Track) -> "tuple[Finding, ...]":
        """What is wrong or odd about the clips of the user's corpus; the embedded one is checked when it is built."""
        if self.corpus is None:
            return ()
        if track.task not in self._findings:
            from benchmark.corpus_check import verify

            def report(done: int, total: int) -> None:
                self.progress("checking clips", done, total)

            self._findings[track.task] = tuple(verify(self.read_corpus, [track.task], [self.split], report))
        return self._findings[track.task]

    def judge(self, track: Track) -> "Judge":
        """Everything that turns motions of this track into numbers.

        Raises:
            InputError: Clips, head or encoders are missing or do not fit each other.
        """
        from evaluators.judge import Judge
        from evaluators.retrieval import load_evaluators

        ids, frames = self.clips(track)
        head = self.read_head
        name = self.evaluators or load_track(f"mini/{track.task}").id
        evaluators = load_evaluators(name, self.device, head=head)
        return Judge(track, self.read_corpus, self.split, ids, frames, head, evaluators, self.protocol, self.device)

    def training_clips(self, track: Track) -> Iterator[TrainingClip]:
        """The track's training split; the embedded one of the same task when the user's corpus has none."""
        corpus, ids = self._training_split(track)
        for clip_id in ids:
            yield TrainingClip(clip_id, corpus.texts(clip_id), corpus.motion(clip_id))

    def training_source(self, track: Track) -> str:
        """Id of the track whose training split :meth:`training_clips` gives."""
        own = track.id in FROZEN_TRACKS or bool(self.read_corpus.subsets[track.task].get("train"))
        return track.id if own else load_track(f"mini/{track.task}").id

    def _training_split(self, track: Track) -> tuple["Corpus", tuple[str, ...]]:
        source = self.training_source(track)
        if source == track.id:
            return self.read_corpus, split_ids(track, "train", self.read_corpus)
        corpus = embedded_corpus(self.progress)
        return corpus, split_ids(load_track(source), "train", corpus)

    def warnings(self, track: Track, judge: "Judge", used_training: bool) -> tuple[str, ...]:
        """What a reader of numbers from this setting must know."""
        found: list[str] = []
        trained_on = judge.evaluators.trained_on
        if trained_on not in (track.id, "user"):
            found.append(
                f"the encoders were trained on {trained_on}, other data than these clips: scores are indicative"
            )
        if self.corpus is not None and self.head is None:
            found.append("motions tracked with another head are shown on the open head: vertex errors are indicative")
        if used_training and (source := self.training_source(track)) != track.id:
            found.append(f"this corpus has no training split: training clips are those of {source}")
        odd = Counter(finding.what for finding in self.findings(track) if finding.level != "note")
        found += [f"{what}: {count} times; see mmbench data verify" for what, count in odd.items()]
        return tuple(found)


def embedded_corpus(progress: Progress = no_progress) -> "Corpus":
    """The embedded corpus, built below ``storage.home()`` if it is not there yet."""
    from benchmark.corpus import load_corpus
    from benchmark.mini.build import ensure

    return load_corpus(ensure(lambda done, total: progress("building the embedded corpus", done, total)))
