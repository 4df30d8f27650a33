"""The strict protocol: the paper's quantities without noise or leaks, every one with its interval."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmark.errors import Problem
from evaluators.judge import Judge
from evaluators.measure import Measured
from evaluators.metrics import METRICS, MetricRefusedError
from evaluators.metrics._arrays import Float64
from evaluators.metrics.distances import euclidean
from evaluators.metrics.diversity import diversity_per_clip
from evaluators.metrics.fid import fid, fid_noise_floor
from evaluators.metrics.matching_score import matching_score
from evaluators.metrics.multimodality import multimodality
from evaluators.metrics.r_precision import expected_r_precision, full_gallery_ranks, median_rank
from evaluators.result import Score
from evaluators.statistics import ClusterBootstrap, Interval, diversity_interval, fid_interval
from evaluators.truth import TruthSide


@dataclass
class Scores:
    """Scores by key, and the per-clip numbers behind them."""

    values: dict[str, Score] = field(default_factory=dict)
    """One score a metric of the track."""
    per_clip: dict[str, Float64] = field(default_factory=dict)
    """(K, N) a metric that has a number for each clip and sample; (1, N) where it is one a clip."""


def strict_scores(judge: Judge, truth: TruthSide, measured: Measured, bootstrap: ClusterBootstrap) -> Scores:
    """All metrics of the judge's track under the strict protocol."""
    scorer = _Scorer(judge, truth, measured, bootstrap)
    for key in judge.track.metrics:
        try:
            scorer.add(key)
        except MetricRefusedError as refusal:
            scorer.scores.values[key] = refused_score(key, len(judge.clip_ids), str(refusal.problems[0]))
    return scorer.scores


def refused_score(key: str, n: int, reason: str) -> Score:
    """A score without a value, and why."""
    spec = METRICS[key]
    return Score(id=spec.id, unit=spec.unit, direction=spec.direction, value=None, n=n, refused=reason)


class _Scorer:
    def __init__(self, judge: Judge, truth: TruthSide, measured: Measured, bootstrap: ClusterBootstrap) -> None:
        self.judge, self.truth, self.measured, self.bootstrap = judge, truth, measured, bootstrap
        self.scores = Scores()
        self._distances: dict[str, list[Float64]] = {}

    def add(self, key: str) -> None:
        if key.startswith(("text_r_precision_", "audio_r_precision_")):
            self._r_precision(key, int(key[-1]))
        else:
            compute: dict[str, Callable[[str], None]] = {
                "text_match": self._match,
                "audio_match": self._match,
                "fid": self._fid,
                "diversity": self._diversity,
                "multimodality": self._multimodality,
                "lve_mm": self._vertex_error,
                "fve_mm": self._vertex_error,
            }
            compute[key](key)

    def _record(self, key: str, value: float, interval: Interval | None, n: int, **more: object) -> None:
        spec = METRICS[key]
        self.scores.values[key] = Score.model_validate(
            {
                "id": spec.id,
                "unit": spec.unit,
                "direction": spec.direction,
                "value": spec.check(value),
                "n": n,
                "ci_low": interval.low if interval else None,
                "ci_high": interval.high if interval else None,
                "ci_method": interval.method if interval else None,
                **more,
            }
        )

    def _per_clip(self, key: str, values: Float64, **more: object) -> None:
        """Records a metric that is a mean of per-clip numbers, (K, N)."""
        self.scores.per_clip[key] = values
        interval = self.bootstrap.mean_interval(values.mean(axis=0))
        samples = values.mean(axis=1).tolist()
        self._record(key, float(values.mean()), interval, values.shape[1], per_sample=samples, **more)

    def _pairs(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Condition embeddings (N, d) and motion embeddings (K, N, d) of one evaluator."""
        if kind == "text":
            return self.truth.text_queries, self.measured.motion
        audio, motion = self.truth.audio_queries, self.measured.audio_motion
        if audio is None or motion is None:
            raise MetricRefusedError(_no_audio_evaluator(self.judge))
        return audio, motion

    def _square(self, kind: str) -> list[Float64]:
        """Distances (N, N) a sample, query by gallery: text asks for motion, motion asks for audio."""
        if kind not in self._distances:
            condition, motions = self._pairs(kind)
            pairs = [(condition, motion) if kind == "text" else (motion, condition) for motion in motions]
            self._distances[kind] = [euclidean(query, gallery) for query, gallery in pairs]
        return self._distances[kind]

    def _r_precision(self, key: str, k: int) -> None:
        squares = self._square(key.split("_")[0])
        gallery = self.judge.track.gallery
        values = np.stack([expected_r_precision(square, k, gallery) for square in squares])
        details = {}
        if k == 1:
            details = {
                "full_gallery_r_precision_1": float(np.mean([expected_r_precision(s, 1, len(s)) for s in squares])),
                "median_rank": float(np.mean([median_rank(square) for square in squares])),
            }
            rank = np.stack([full_gallery_ranks(square) for square in squares])
            self.scores.per_clip[key.replace("r_precision_1", "rank")] = rank
        self._per_clip(key, values, details=details)

    def _match(self, key: str) -> None:
        condition, motions = self._pairs(key.split("_")[0])
        self._per_clip(key, np.stack([matching_score(condition, motion) for motion in motions]))

    def _fid(self, key: str) -> None:
        real, motions = self.truth.embeddings.motion, self.measured.motion
        values = [fid(real, motion) for motion in motions]
        interval = fid_interval(real, motions, self.bootstrap)
        floor = fid_noise_floor(real, self.judge.track.seed).value if len(real) >= 4 else None
        self._record(key, float(np.mean(values)), interval, len(real), per_sample=values, noise_floor=floor)

    def _diversity(self, key: str) -> None:
        values = np.stack([diversity_per_clip(motion) for motion in self.measured.motion])
        self.scores.per_clip[key] = values
        interval = diversity_interval(self.measured.motion, self.bootstrap)
        samples = values.mean(axis=1).tolist()
        self._record(key, float(values.mean()), interval, values.shape[1], per_sample=samples)

    def _multimodality(self, key: str) -> None:
        values = multimodality(self.measured.motion)[None]
        self.scores.per_clip[key] = values
        interval = self.bootstrap.mean_interval(values[0])
        self._record(key, float(values.mean()), interval, values.shape[1])

    def _vertex_error(self, key: str) -> None:
        self._per_clip(key, self.measured.lve_mm if key == "lve_mm" else self.measured.fve_mm)


def _no_audio_evaluator(judge: Judge) -> Problem:
    return Problem("no audio-motion encoder", judge.evaluators.id, mend="name encoders that include one")
