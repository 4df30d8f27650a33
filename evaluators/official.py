"""The official protocol: the numbers the released evaluation would print, in batches of 32 in frozen id order."""

import numpy as np

from evaluators.judge import Judge
from evaluators.measure import Measured
from evaluators.metrics import METRICS, MetricRefusedError, official
from evaluators.metrics._arrays import Float64
from evaluators.metrics.matching_score import matching_score
from evaluators.result import Score
from evaluators.strict import Scores, refused_score
from evaluators.truth import TruthSide

NOT_COMPUTED = "the released evaluation does not compute it"


def official_scores(judge: Judge, truth: TruthSide, measured: Measured, *, of_truth: bool = False) -> Scores:
    """All metrics of the judge's track as the released code computes them; it knows no intervals.

    Args:
        judge: Clips, head, encoders.
        truth: The truth's side.
        measured: The submission, or the truth itself.
        of_truth: Whether ``measured`` is the truth's own row; its diversity uses the first of the two draws of pairs.
    """
    scores = Scores()
    for key in judge.track.metrics:
        try:
            values, per_clip = _compute(key, judge, truth, measured, of_truth)
        except MetricRefusedError as refusal:
            scores.values[key] = refused_score(key, len(judge.clip_ids), str(refusal.problems[0]))
            continue
        if values is None:
            scores.values[key] = refused_score(key, len(judge.clip_ids), NOT_COMPUTED)
            continue
        if per_clip is not None:
            scores.per_clip[key] = per_clip
        spec = METRICS[key]
        scores.values[key] = Score(
            id=spec.id,
            unit=spec.unit,
            direction=spec.direction,
            value=spec.check(float(np.mean(values))),
            n=len(judge.clip_ids),
            per_sample=[float(value) for value in values],
        )
    return scores


def _compute(
    key: str, judge: Judge, truth: TruthSide, measured: Measured, of_truth: bool
) -> tuple[list[float] | None, Float64 | None]:
    """One value a sample, None where the released code has none; and (K, N) per-clip numbers where there are any."""
    if key in ("lve_mm", "fve_mm"):
        per_clip = measured.lve_mm if key == "lve_mm" else measured.fve_mm
        return [official.batch_mean(row) for row in per_clip], per_clip
    real, motions = truth.embeddings.motion, measured.motion
    if key == "fid":
        return [official.fid(real, motion) for motion in motions], None
    if key == "diversity":
        return [official.diversity(real, motion, judge.track.seed)[0 if of_truth else 1] for motion in motions], None
    if key == "multimodality":
        return None, None
    return _retrieval(key, truth, measured)


def _retrieval(key: str, truth: TruthSide, measured: Measured) -> tuple[list[float] | None, Float64 | None]:
    kind = key.split("_")[0]
    condition = truth.text_queries if kind == "text" else truth.audio_queries
    motions = measured.motion if kind == "text" else measured.audio_motion
    if condition is None or motions is None:
        return None, None
    if key.endswith("_match"):
        values = [official.matching_score(condition, motion) for motion in motions]
        return values, np.stack([matching_score(condition, motion) for motion in motions])
    r_precision = official.text_r_precision if kind == "text" else official.audio_r_precision
    return [float(r_precision(condition, motion)[int(key[-1]) - 1]) for motion in motions], None
