"""How well retrieval encoders find what belongs together, and what they are blind to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.progress import Progress, no_progress
from benchmark.protocol import FloatArray
from evaluators.metrics._arrays import Float64
from evaluators.metrics.distances import euclidean
from evaluators.metrics.fid import fid_noise_floor
from evaluators.metrics.r_precision import GALLERY, expected_r_precision, full_gallery_ranks
from evaluators.retrieval.card import FidFloor, FieldScores, Kind, NetworkReport, ProbeScores, RetrievalScores
from evaluators.retrieval.probes import AUDIO_PROBES, TEXT_PROBES, Alter, Probe, Shown, Truth

if TYPE_CHECKING:
    from evaluators.retrieval.evaluator import AudioMotionEvaluator, EvaluatorSet, TextMotionEvaluator

_CHUNK = 64
"""Clips whose vertices are in memory at once."""
_DIGITS = 4
"""Decimals kept of probes."""
_LEAST_FOR_FLOOR = 4


def retrieval_report(queries: FloatArray, items: FloatArray) -> RetrievalScores:
    """Scores of queries against items by Euclidean distance.

    Args:
        queries: (N, d) embeddings.
        items: (N, d) embeddings; the item of query i is item i.
    """
    return _scores(euclidean(queries, items))


def _scores(distances: Float64) -> RetrievalScores:
    ranks = full_gallery_ranks(distances)
    in_gallery = [
        float(expected_r_precision(distances, k).mean()) if len(distances) >= GALLERY else None for k in (1, 2, 3)
    ]
    return RetrievalScores(
        n=len(distances),
        r_precision_1=in_gallery[0],
        r_precision_2=in_gallery[1],
        r_precision_3=in_gallery[2],
        full_r_precision_1=float(np.mean(ranks < 1.5)),
        median_rank=float(np.median(ranks)),
    )


def set_report(
    evaluators: "EvaluatorSet", truth: Truth, *, probed: bool, progress: Progress = no_progress
) -> dict[Kind, NetworkReport]:
    """Reports on the networks of a set.

    Args:
        evaluators: The set.
        truth: Clips of a track; they need speech where the set has an audio network.
        probed: Whether probes and fields are measured too; they are not with fewer clips than a gallery.
        progress: Called after each chunk of clips.
    """
    found: dict[Kind, NetworkReport] = {
        "text": text_report(evaluators.text, truth, TEXT_PROBES if probed else (), progress)
    }
    if evaluators.audio is not None:
        found["audio"] = audio_report(evaluators.audio, truth, AUDIO_PROBES if probed else (), progress)
    return found


def text_report(
    evaluator: "TextMotionEvaluator", truth: Truth, probes: Sequence[Probe] = (), progress: Progress = no_progress
) -> NetworkReport:
    """Scores of texts as queries among motions; with probes also what each costs, each text field, and the FID floor.

    Args:
        evaluator: The network.
        truth: The clips.
        probes: Which to take. With fewer clips than a gallery none is, nor the table of fields.
        progress: Called after each chunk of clips.
    """
    probes = probes if len(truth) >= GALLERY else ()

    def embed(motions: Iterable[Shown]) -> FloatArray:
        return evaluator.embed_motions((shown.vertices, shown.neck) for shown in motions)

    queries = evaluator.embed_texts(truth.texts)
    items = _embedded(embed, truth, probes, "text network: motions", progress)
    retold = {probe.name: evaluator.embed_texts(probe.retell(truth)) for probe in probes if probe.retell}
    distances = euclidean(queries, items["truth"])
    costs = {}
    for probe in probes:
        after = euclidean(retold.get(probe.name, queries), items.get(probe.name, items["truth"]))
        costs[probe.name] = _cost(probe, truth, distances, after)
    return NetworkReport(
        scores=_scores(distances),
        probes=costs,
        fields=_by_field(evaluator, truth, items["truth"], progress) if probes else {},
        fid_floor=_floor(items["truth"], truth.seed) if len(truth) >= _LEAST_FOR_FLOOR else None,
    )


def audio_report(
    evaluator: "AudioMotionEvaluator", truth: Truth, probes: Sequence[Probe] = (), progress: Progress = no_progress
) -> NetworkReport:
    """Scores of motions as queries among speech, and what each probe costs; see `text_report`."""
    probes = probes if len(truth) >= GALLERY else ()

    def embed(motions: Iterable[Shown]) -> FloatArray:
        return evaluator.embed_motions(shown.vertices for shown in motions)

    lengths = [len(motion) for motion in truth.motions]
    speech = ((truth.corpus.audio(clip_id), frames) for clip_id, frames in zip(truth.ids, lengths, strict=True))
    items = evaluator.embed_audio(speech)
    queries = _embedded(embed, truth, probes, "audio network: motions", progress)
    distances = euclidean(queries["truth"], items)
    costs = {probe.name: _cost(probe, truth, distances, euclidean(queries[probe.name], items)) for probe in probes}
    return NetworkReport(scores=_scores(distances), probes=costs)


def _embedded(
    embed: Callable[[Iterable[Shown]], FloatArray],
    truth: Truth,
    probes: Sequence[Probe],
    stage: str,
    progress: Progress,
) -> dict[str, FloatArray]:
    """Embeddings (N, d) of the truth and of every altered split by name; the truth's vertices are made once."""
    changes: dict[str, Alter] = {"truth": _unchanged} | {probe.name: probe.alter for probe in probes if probe.alter}
    parts: dict[str, list[FloatArray]] = {name: [] for name in changes}
    for start in range(0, len(truth), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(truth)))
        shown = [truth.shown(index) for index in chunk]
        for name, alter in changes.items():
            motions = (alter(truth, index, own) for index, own in zip(chunk, shown, strict=True))
            parts[name].append(embed(motions))
        progress(stage, chunk.stop, len(truth))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _unchanged(_truth: Truth, _index: int, shown: Shown) -> Shown:
    return shown


def _cost(probe: Probe, truth: Truth, before: Float64, after: Float64) -> ProbeScores:
    """From (N, N) distances before and after an alteration."""
    concerned = probe.select(truth) if probe.select else np.ones(len(truth), dtype=bool)
    hits, hits_after = expected_r_precision(before, 1), expected_r_precision(after, 1)
    own, own_after = _mean(hits, concerned), _mean(hits_after, concerned)
    return ProbeScores(
        what=probe.what,
        concerned=probe.concerned,
        n=int(concerned.sum()),
        truth=own,
        after=own_after,
        loss=None if own is None or own_after is None else round(own - own_after, _DIGITS),
        all_after=round(float(hits_after.mean()), _DIGITS),
        distance_truth=round(float(np.diagonal(before).mean()), _DIGITS),
        distance_after=round(float(np.diagonal(after).mean()), _DIGITS),
    )


def _mean(values: Float64, chosen: NDArray[np.bool_]) -> float | None:
    return round(float(values[chosen].mean()), _DIGITS) if chosen.any() else None


def _by_field(
    evaluator: "TextMotionEvaluator", truth: Truth, items: FloatArray, progress: Progress
) -> dict[str, FieldScores]:
    """R@1 with each text field left out, and with each alone."""
    names = evaluator.text_fields

    def first(fields: tuple[str, ...]) -> float:
        queries = replace(evaluator, text_fields=fields).embed_texts(truth.texts)
        return round(float(expected_r_precision(euclidean(queries, items), 1).mean()), _DIGITS)

    found = {}
    for done, name in enumerate(names, start=1):
        others = tuple(other for other in names if other != name)
        found[name] = FieldScores(without=first(others) if others else None, alone=first((name,)))
        progress("text network: fields", done, len(names))
    return found


def _floor(items: FloatArray, seed: int) -> FidFloor:
    floor = fid_noise_floor(items, seed)
    value = round(floor.value, _DIGITS)
    whole = round(floor.value * floor.n / len(items), _DIGITS)
    return FidFloor(value=value, n=floor.n, splits=floor.splits, seed=floor.seed, at_split_size=whole)
