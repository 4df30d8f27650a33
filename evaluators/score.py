"""From predictions on disk to a result record. Nothing here runs submitted code."""

import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmark.corpus import source_of
from benchmark.predictions import Predictions
from benchmark.progress import Progress, no_progress
from benchmark.storage import atomic_path, sha256_file
from benchmark.tracks import split_sha256
from evaluators.judge import Judge
from evaluators.measure import Measured, measure, measure_truth
from evaluators.metrics import METRICS
from evaluators.metrics.fid import small_sample_caveat
from evaluators.official import official_scores
from evaluators.result import (
    CostRecord,
    EvaluatorRecord,
    HeadRecord,
    ProtocolRecord,
    Result,
    SubmissionRecord,
    TrackRecord,
    write_result,
)
from evaluators.statistics import ClusterBootstrap
from evaluators.strict import Scores, refused_score, strict_scores
from evaluators.truth import TruthSide

LENGTH_POLICY = "lengths are given; a motion of another length is an error"


class Scorer:
    """Scores any number of submissions against one judge; the truth's side is computed once."""

    def __init__(self, judge: Judge, progress: Progress = no_progress, kept: Path | None = None) -> None:
        self.judge = judge
        self.progress = progress
        self.truth = TruthSide(judge, progress, kept)
        clusters = [source_of(clip_id) for clip_id in judge.clip_ids]
        self.bootstrap = ClusterBootstrap(clusters, judge.track.seed)
        self._truth_row: Scores | None = None

    @property
    def truth_row(self) -> Scores:
        """The real motions' own scores."""
        if self._truth_row is None:
            self._truth_row = self._scores(measure_truth(self.judge, self.truth), of_truth=True)
        return self._truth_row

    def score(
        self,
        predictions: Predictions,
        submission: SubmissionRecord,
        out: Path,
        warnings: tuple[str, ...] = (),
    ) -> Result:
        """Scores checked predictions and writes ``PROTOCOL.json`` and ``PROTOCOL.clips.csv`` into ``out``.

        Incomplete predictions get no numbers: what is missing is neither averaged away nor counted as zero. Their
        result says what became of the clips and why the row cannot be ranked.
        """
        start = time.perf_counter()
        truth_row = self.truth_row
        if predictions.complete:
            measured = measure(self.judge, self.truth, predictions, self.progress)
            scores = self._scores(measured)
        else:
            scores = self._refused(_incomplete(predictions))
        clips = out / f"{self.judge.protocol}.clips.csv"
        write_clips(clips, self.judge, predictions, scores)
        result = self._result(predictions, submission, scores, truth_row, clips, warnings)
        cost = CostRecord(
            generate_seconds=predictions.record.seconds if predictions.record else None,
            score_seconds=round(time.perf_counter() - start, 3),
            real_time_factor=predictions.record.real_time_factor if predictions.record else None,
        )
        result = result.model_copy(update={"cost": cost}).sealed()
        write_result(result, out / f"{self.judge.protocol}.json")
        return result

    def _scores(self, measured: Measured, *, of_truth: bool = False) -> Scores:
        if self.judge.official:
            return official_scores(self.judge, self.truth, measured, of_truth=of_truth)
        return strict_scores(self.judge, self.truth, measured, self.bootstrap)

    def _refused(self, reason: str) -> Scores:
        n = len(self.judge.clip_ids)
        return Scores({key: refused_score(key, n, reason) for key in self.judge.track.metrics})

    def _result(
        self,
        predictions: Predictions,
        submission: SubmissionRecord,
        scores: Scores,
        truth_row: Scores,
        clips: Path,
        warnings: tuple[str, ...],
    ) -> Result:
        judge = self.judge
        caveat = small_sample_caveat(len(judge.clip_ids), self.truth.embeddings.motion.shape[1])
        return Result(
            mmbench_version=version("mmbench"),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            track=_track_record(judge, self.truth),
            submission=submission,
            protocol=_protocol_record(judge, predictions),
            head=HeadRecord(
                name=judge.head.name,
                sha256=judge.head.sha256,
                n_face=len(judge.head.face_ids),
                n_lips=len(judge.head.lip_ids),
            ),
            evaluators=_evaluator_records(judge),
            metrics=scores.values,
            truth=truth_row.values,
            status=predictions.counts(),
            ranked=predictions.complete,
            why_not=None if predictions.complete else _incomplete(predictions),
            warnings=[*warnings, *([caveat] if caveat else [])],
            per_clip_file=clips.name,
            per_clip_sha256=sha256_file(clips),
            isolation=predictions.record.isolation if predictions.record else "predictions",
            cost=CostRecord(score_seconds=0.0),
            machine=_machine(judge.device),
            versions=_versions(),
        )


def write_clips(path: Path, judge: Judge, predictions: Predictions, scores: Scores) -> None:
    """Writes the per-clip numbers: one row a clip and sample, columns for every metric that has such a number."""
    import pandas as pd

    rows: dict[str, list[Any]] = {"clip_id": [], "sample": [], "frames": [], "status": []}
    for clip_id, frames in zip(judge.clip_ids, judge.frames, strict=True):
        for sample in range(predictions.samples):
            for name, value in zip(rows, (clip_id, sample, frames, predictions.status[clip_id][sample]), strict=True):
                rows[name].append(value)
    for key, values in scores.per_clip.items():
        shape = (predictions.samples, len(judge.clip_ids))
        rows[key] = np.broadcast_to(values, shape).T.reshape(-1).tolist()
    with atomic_path(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")


def _incomplete(predictions: Predictions) -> str:
    counts = {status: n for status, n in predictions.counts().items() if n and status != "ok"}
    parts = [f"{n} {status}" for status, n in counts.items()] or [f"{len(predictions.problems)} problems"]
    first = f"; first: {predictions.problems[0]}" if predictions.problems else ""
    return f"incomplete: {', '.join(parts)} of {len(predictions.status) * predictions.samples} motions{first}"


def _track_record(judge: Judge, truth: TruthSide) -> TrackRecord:
    return TrackRecord(
        id=judge.track.id,
        task=judge.track.task,
        split=judge.split,
        n_clips=len(judge.clip_ids),
        split_sha256=split_sha256(judge.clip_ids),
        truth_sha256=truth.sha256,
    )


def _protocol_record(judge: Judge, predictions: Predictions) -> ProtocolRecord:
    if judge.official:
        head_pose = "zero for predictions, real for the truth, as released"
    elif predictions.output == "vertices":
        head_pose = "absent: the submission returns vertices"
    else:
        head_pose = "the prediction's own"
    return ProtocolRecord(
        name=judge.protocol,
        gallery=judge.track.gallery,
        samples=predictions.samples,
        seeds=list(predictions.record.seeds) if predictions.record else [],
        bootstrap_seed=judge.track.seed,
        distance="Euclidean, embeddings not normalised",
        head_pose=head_pose,
        length_policy=LENGTH_POLICY,
        text_fields=list(judge.text_encoder.text_fields),
        metrics=[METRICS[key].id for key in judge.track.metrics],
    )


def _evaluator_records(judge: Judge) -> Mapping[Literal["text_motion", "audio_motion"], EvaluatorRecord]:
    roles: dict[Literal["text_motion", "audio_motion"], EvaluatorRecord] = {}
    found = judge.evaluators
    roles["text_motion"] = EvaluatorRecord(
        id=judge.text_encoder.id, sha256=judge.text_encoder.sha256, trained_on=found.trained_on
    )
    if found.audio is not None and judge.track.has_audio:
        roles["audio_motion"] = EvaluatorRecord(
            id=found.audio.id, sha256=found.audio.sha256, trained_on=found.trained_on
        )
    return roles


def _machine(device: str) -> dict[str, str]:
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or "cpu"
    return {
        "device": device,
        "device_name": name,
        "system": platform.system(),
        "architecture": platform.machine(),
        "threads": str(torch.get_num_threads()),
        "dtype": "float32",
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "torch", "transformers", "soxr", "espeakng-loader"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
