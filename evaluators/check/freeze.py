"""Freezes motions and their numbers for the check: adds entrants and versions, and refuses to move what is sealed."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.corpus import Corpus
from benchmark.errors import CheckFailedError, Problem
from benchmark.npz import NpzReader
from benchmark.predictions import RECORD_NAME, read_record
from benchmark.tracks import FROZEN_TRACKS, split_ids
from evaluators.check.differences import differences, metric_of
from evaluators.check.frozen import (
    EVERY,
    FOLDER,
    Entrant,
    Expected,
    Frozen,
    Numbers,
    pack,
    packed_sha256,
    path_of,
    read_frozen,
    read_packs,
    write_frozen,
)
from evaluators.check.rescore import PROTOCOLS, rescore, scorers
from evaluators.check.seals import read_seals, seal_problems, seals_of, write_seals
from evaluators.metrics import METRICS

CONTROLS: dict[str, Entrant] = {
    "control:truth": Entrant(version="1", control="control:truth"),
    "control:shifted": Entrant(version="1", control="control:shifted", protocols=PROTOCOLS),
    "control:shuffled": Entrant(version="1", control="control:shuffled"),
    "control:shifted as vertices": Entrant(version="1", control="control:shifted", output="vertices"),
}
"""Controls of the frozen set: nothing of them is stored, the embedded corpus is frozen already. Those that need the
training split are left out: the check does without it."""


def check_clips(track: str, corpus: Corpus) -> dict[str, int]:
    """Clips of the frozen set of a track: frames by id, in the order of the test split."""
    return {clip: corpus.frames(clip) for clip in split_ids(FROZEN_TRACKS[track], "test", corpus)[::EVERY]}


def read_motions(folder: Path, clips: Sequence[str], samples: int) -> tuple[Entrant, list[bytes]]:
    """The frozen set's part of a submission's predictions on the test split.

    Args:
        folder: What ``mmbench generate`` wrote: parameters, and ``predictions.json``.
        clips: Clip ids of the frozen set.
        samples: Motions a clip; as many as there are where these are fewer.
    """
    record = read_record(folder / RECORD_NAME)
    packed = []
    for sample in range(min(samples, record.samples)):
        with NpzReader(folder / f"{sample}.npz") as reader:
            packed.append(pack([reader.load(clip) for clip in clips]))
    protocols = PROTOCOLS if len(packed) == 1 else PROTOCOLS[:1]  # the official protocol is one of single samples
    entrant = Entrant(version=record.version, samples=len(packed), sha256=packed_sha256(packed), protocols=protocols)
    return entrant, packed


def freeze(
    track: str,
    corpus: Corpus,
    predictions: Mapping[str, Path],
    samples: int = 2,
    folder: Path = FOLDER,
) -> Frozen:
    """Scores the controls, the entrants frozen before and new ones, and writes the set with its seals.

    Args:
        track: Track id.
        corpus: The embedded corpus.
        predictions: Folders of predictions by name of the entrant, to add.
        samples: Motions a clip of stochastic entrants.
        folder: Where the frozen sets lie.

    Raises:
        CheckFailedError: A sealed number would move under the same version.
    """
    clips = check_clips(track, corpus)
    old = read_frozen(track, folder) if path_of(track, folder).is_file() else None
    packs = dict(read_packs(path_of(track, folder))) if old else {}
    entrants = {**CONTROLS, **(old.entrants if old else {})}
    for name, source in predictions.items():
        entrants[name], packed = read_motions(source, list(clips), samples)
        packs[name] = tuple(packed)
    with tempfile.TemporaryDirectory() as kept:
        by_protocol = scorers(track, clips, corpus, Path(kept))
        found = rescore(entrants, packs, by_protocol)
    judge = by_protocol["strict"].judge
    encoders = {"text_motion": judge.evaluators.text.sha256}
    if judge.track.has_audio and judge.evaluators.audio is not None:
        encoders["audio_motion"] = judge.evaluators.audio.sha256
    frozen = Frozen(
        track=track,
        metrics={key: METRICS[key].id for key in judge.track.metrics},
        head=judge.head.sha256,
        evaluators=encoders,
        clips=clips,
        entrants=entrants,
        expected=_kept(old, found) if old else found,
    )
    _seal(frozen, packs, folder)
    return frozen


def _kept(old: Frozen, found: Expected) -> Expected:
    """Numbers found now, but the frozen ones where these are the same up to rounding, so that their seals hold."""
    return {
        name: {
            protocol: _merged(old.expected.get(name, {}).get(protocol), numbers, list(old.clips))
            for protocol, numbers in by_protocol.items()
        }
        for name, by_protocol in found.items()
    }


def _merged(old: Numbers | None, found: Numbers, clips: list[str]) -> Numbers:
    if old is None:
        return found
    same = {key for key in found.metrics if key in old.metrics and not differences(key, old, found, clips)}
    return Numbers(
        metrics={key: (old if key in same else found).metrics[key] for key in found.metrics},
        per_clip={column: (old if metric_of(column) in same else found).per_clip[column] for column in found.per_clip},
    )


def _seal(frozen: Frozen, packs: Mapping[str, Sequence[bytes]], folder: Path) -> None:
    seals = read_seals(folder / "seals.json")
    moved: list[Problem] = [fault for fault in seal_problems(frozen, seals) if "without a seal" not in fault.what]
    if moved:
        listed = "\n".join(map(str, moved[:10]))
        raise CheckFailedError(f"{len(moved)} sealed expectations would change:\n{listed}")
    write_frozen(frozen, packs, folder)
    added = {entry: {**seals.get(entry, {}), **new} for entry, new in seals_of(frozen).items()}
    write_seals({**seals, **added}, folder)
