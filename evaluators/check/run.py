"""The check of one track: its frozen set scored again, number by number, and its seals."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.corpus import Corpus
from benchmark.errors import InputError, Problem
from benchmark.progress import Progress, no_progress
from benchmark.tracks import FROZEN_TRACKS
from evaluators.check.cases import Case
from evaluators.check.differences import set_problems
from evaluators.check.frozen import FOLDER, TRUTH, Frozen, Numbers, path_of, read_frozen, read_packs
from evaluators.check.rescore import rescore, scorers
from evaluators.check.seals import read_seals, seal_problems, version_problems
from evaluators.result import Protocol
from evaluators.score import Scorer


def track_cases(track: str, corpus: Corpus, folder: Path = FOLDER, progress: Progress = no_progress) -> list[Case]:
    """Scores the frozen set of a track again and compares.

    Args:
        track: Track id.
        corpus: The embedded corpus.
        folder: Where the frozen sets lie.
        progress: Told how far the work is.

    Returns:
        One case a metric of every entrant and protocol, and one for what the numbers rest on.
    """
    try:
        frozen, packs = read_frozen(track, folder), read_packs(path_of(track, folder))
        seals = read_seals(folder / "seals.json")
    except InputError as error:
        return [Case(track, "the frozen set", error.problems)]
    cases = [Case(track, "seals of the expected numbers", tuple(seal_problems(frozen, seals)))]
    with tempfile.TemporaryDirectory() as kept:
        by_protocol = scorers(track, frozen.clips, corpus, Path(kept))
        rests = [*version_problems(frozen), *setting_problems(frozen, by_protocol["strict"])]
        cases.append(Case(track, "metrics, encoders and head of the expected numbers", tuple(rests)))
        return cases + score_cases(frozen, packs, by_protocol, progress=progress)


def score_cases(
    frozen: Frozen,
    packs: Mapping[str, Sequence[bytes]],
    by_protocol: Mapping[Protocol, Scorer],
    only: Sequence[str] = (),
    progress: Progress = no_progress,
) -> list[Case]:
    """One case a metric of every entrant and protocol; code that breaks while it scores is a finding as well.

    Args:
        frozen: The frozen set.
        packs: Its packed motions.
        by_protocol: Scorers of its track.
        only: Entrants to score; all when empty.
        progress: Told how far the work is.
    """
    cases: list[Case] = []
    truth: dict[Protocol, Numbers] = {}
    names = list(only or frozen.entrants)
    for done, name in enumerate(names):
        progress(f"{frozen.track}: scoring the frozen set", done, len(names))
        try:
            found = rescore({name: frozen.entrants[name]}, packs, by_protocol)
        except Exception as error:  # whatever the scoring code throws, it did not when the numbers were frozen
            said = f"{type(error).__name__}: {error}"
            cases.append(Case(frozen.track, name, (Problem("scoring failed", f"{frozen.track}, {name}", got=said),)))
            continue
        truth |= found[TRUTH]
        for protocol, numbers in found[name].items():
            cases += _metric_cases(frozen, name, protocol, numbers)
    progress(f"{frozen.track}: scoring the frozen set", len(names), len(names))
    for protocol, numbers in truth.items():
        cases += _metric_cases(frozen, TRUTH, protocol, numbers)
    return cases


def setting_problems(frozen: Frozen, scorer: Scorer) -> list[Problem]:
    """Another head or other encoders than those of the expected numbers."""
    judge = scorer.judge
    now = {"head": judge.head.sha256, "text_motion": judge.evaluators.text.sha256}
    if judge.evaluators.audio is not None:
        now["audio_motion"] = judge.evaluators.audio.sha256
    was = {"head": frozen.head, **frozen.evaluators}
    mend = f"a change of these is a new version of the track: {frozen.track} keeps its own"
    return [
        Problem("not what the numbers were frozen with", f"{frozen.track}, {name}", sha, now.get(name, "none"), mend)
        for name, sha in was.items()
        if now.get(name) != sha
    ]


def _metric_cases(frozen: Frozen, name: str, protocol: Protocol, numbers: Numbers) -> list[Case]:
    keys = dict.fromkeys([*FROZEN_TRACKS[frozen.track].metrics, *frozen.expected[name][protocol].metrics])
    return [
        Case(frozen.track, f"{name}, {protocol}, {key}", tuple(set_problems(frozen, name, protocol, key, numbers)))
        for key in keys
    ]
