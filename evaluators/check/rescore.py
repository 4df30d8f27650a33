"""The frozen set through the scorer: the same way every submission takes, from files on disk to a result."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmark.corpus import Corpus
from benchmark.head import open_head
from benchmark.predictions import read_predictions, write_sample
from benchmark.protocol import FloatArray
from benchmark.tracks import FROZEN_TRACKS
from evaluators.check.frozen import TRUTH, Entrant, Expected, Numbers, unpack
from evaluators.controls import control_seed, find_control
from evaluators.judge import Judge
from evaluators.result import Protocol, Result, Score, SubmissionRecord
from evaluators.retrieval import load_evaluators
from evaluators.score import Scorer

PROTOCOLS: tuple[Protocol, ...] = ("strict", "official")
Clips = Mapping[str, int]
"""Frames by clip id, in order."""


def scorers(track: str, clips: Clips, corpus: Corpus, kept: Path) -> dict[Protocol, Scorer]:
    """A scorer a protocol, whose truth is computed anew and not taken from an earlier run's cache.

    Args:
        track: Track id.
        clips: Frames by clip id, in order.
        corpus: The embedded corpus.
        kept: Folder for what is computed of the truth.
    """
    head = open_head()
    evaluators = load_evaluators(track, "cpu", head=head)
    judges = {
        protocol: Judge(
            FROZEN_TRACKS[track], corpus, "check", tuple(clips), tuple(clips.values()), head, evaluators, protocol
        )
        for protocol in PROTOCOLS
    }
    return {protocol: Scorer(judge, kept=kept) for protocol, judge in judges.items()}


def rescore(
    entrants: Mapping[str, Entrant],
    packs: Mapping[str, Sequence[bytes]],
    by_protocol: Mapping[Protocol, Scorer],
) -> Expected:
    """Scores entrants of the frozen set.

    Args:
        entrants: By name.
        packs: Packed motions of those that are no controls.
        by_protocol: See :func:`scorers`.

    Returns:
        All numbers by entrant and protocol; of the truth's own row under the name ``truth``.
    """
    found: Expected = {TRUTH: {}}
    for name, entrant in entrants.items():
        with tempfile.TemporaryDirectory() as folder:
            write_motions(Path(folder), motions_of(entrant, packs.get(name, ()), by_protocol["strict"].judge))
            found[name] = {}
            for protocol in entrant.protocols:
                result, numbers = _scored(name, entrant, by_protocol[protocol], Path(folder))
                found[name][protocol] = numbers
                found[TRUTH][protocol] = Numbers(metrics=_metrics(result.truth))
    return found


def motions_of(entrant: Entrant, packed: Sequence[bytes], judge: Judge) -> list[dict[str, FloatArray]]:
    """Motions by clip id, one dictionary a sample: unpacked, or the control's answer; vertices where these are asked.

    Raises:
        ValueError: The packed bytes are not those of these clips.
    """
    if entrant.control is None:
        samples = [unpack(data, judge.frames) for data in packed]
    else:
        truth = [judge.corpus.motion(clip_id) for clip_id in judge.clip_ids]
        seed = control_seed(entrant.control, judge.track.seed)
        samples = [find_control(entrant.control).answer(truth, [], seed)]
    if entrant.output == "vertices":
        samples = [judge.region_vertices(sample) for sample in samples]
    return [dict(zip(judge.clip_ids, sample, strict=True)) for sample in samples]


def write_motions(folder: Path, samples: Sequence[Mapping[str, FloatArray]]) -> None:
    """Writes motions as a submission's predictions."""
    for sample, motions in enumerate(samples):
        write_sample(folder, sample, motions.items())


def _scored(name: str, entrant: Entrant, scorer: Scorer, folder: Path) -> tuple[Result, Numbers]:
    judge = scorer.judge
    lengths = dict(zip(judge.clip_ids, judge.frames, strict=True))
    predictions = read_predictions(folder, lengths, entrant.samples, entrant.output, len(judge.head.region_ids))
    record = SubmissionRecord(
        name=name,
        version=entrant.version,
        kind="predictions",
        output=entrant.output,
        stochastic=entrant.samples > 1,
        card={},
        card_sha256="",
        code_sha256="",
        predictions_sha256="",
    )
    result = scorer.score(predictions, record, folder / "scored")
    predictions.close()
    return result, Numbers(
        metrics=_metrics(result.metrics),
        per_clip=_per_clip(folder / "scored" / result.per_clip_file, entrant.samples),
    )


def _metrics(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    return {key: _flat(score) for key, score in scores.items()}


def _flat(score: Score) -> dict[str, float]:
    """Every number of a score by name, rounded as it is kept."""
    named = {name: getattr(score, name) for name in ("value", "n", "ci_low", "ci_high", "noise_floor")}
    samples = {f"sample {k}": value for k, value in enumerate(score.per_sample)}
    return {name: rounded(value) for name, value in {**named, **samples, **score.details}.items() if value is not None}


def _per_clip(path: Path, samples: int) -> dict[str, list[list[float]]]:
    """The per-clip table, column by column: (K, N)."""
    import pandas as pd

    table = pd.read_csv(path)
    columns = [name for name in table.columns if name not in ("clip_id", "sample", "frames", "status")]
    numbers = {name: np.asarray(table[name], dtype=float).reshape(-1, samples).T for name in columns}
    return {name: [[rounded(value) for value in row] for row in values] for name, values in numbers.items()}


def rounded(value: float) -> float:
    """Nine significant digits: more than any tolerance looks at."""
    return float(f"{value:.9g}")
