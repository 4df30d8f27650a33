"""The result record: one JSON a submission and track, with everything that can move a score."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import InputError, Problem
from benchmark.storage import content_hash, write_json

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).parent / "result.schema.json"
Protocol = Literal["strict", "official"]


class Record(BaseModel):
    """Closed and immutable: an unknown key is an error, a record is never edited in place."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Score(Record):
    """One metric of one submission."""

    id: str
    """Metric and version, e.g. ``lve_mm@1``."""
    unit: str
    """Unit of ``value``, ``1`` for ratios."""
    direction: Literal["higher", "lower", "truth"]
    """What is better: higher, lower, or nearer to the truth row's value."""
    value: float | None
    """The number, or None with ``refused`` saying why there is none."""
    n: int
    """Clips behind the number."""
    ci_low: float | None = None
    """Lower end of the 95% interval."""
    ci_high: float | None = None
    """Upper end of the 95% interval."""
    ci_method: str | None = None
    """How the interval was made: resampling, clusters, replicates, seed."""
    per_sample: list[float] = Field(default_factory=list)
    """The metric of each of the K samples on its own; ``value`` is their mean."""
    noise_floor: float | None = None
    """FID only: what two halves of the truth score against each other at this size."""
    details: dict[str, float] = Field(default_factory=dict)
    """Numbers that belong to the metric, e.g. full-gallery R@1 and median rank."""
    refused: str | None = None
    """Why there is no value."""


class TrackRecord(Record):
    """What was measured."""

    id: str
    """Track id with version."""
    task: str
    """``talking`` or ``text2motion``."""
    split: str
    """Split the clips come from."""
    n_clips: int
    """Clips in the split."""
    split_sha256: str
    """Hash of the ordered clip ids."""
    truth_sha256: str
    """Hash of the clips' contents: texts, audio and motions."""


class SubmissionRecord(Record):
    """Who was measured."""

    name: str
    """Name on the card, or ``control:...``."""
    version: str
    """Version on the card."""
    kind: Literal["code", "predictions", "control"]
    """How its motions came about."""
    output: Literal["parameters", "vertices"]
    """What it returns."""
    stochastic: bool
    """Whether it declares that samples differ."""
    card: dict[str, Any]
    """The card as read, empty for controls."""
    card_sha256: str
    """Hash of the card file."""
    code_sha256: str
    """Hash of the submission folder's files, predictions apart."""
    predictions_sha256: str
    """Hash of the scored arrays."""


class ProtocolRecord(Record):
    """How it was measured."""

    name: Protocol
    """``strict`` or ``official``."""
    gallery: int
    """Candidates in R-Precision."""
    samples: int
    """Motions a clip."""
    seeds: list[int]
    """Generation seed of each sample."""
    bootstrap_seed: int
    """Seed of the intervals."""
    distance: str
    """Distance between embeddings."""
    head_pose: str
    """Whose neck the text evaluator sees."""
    length_policy: str
    """What happens to motions of another length."""
    text_fields: list[str]
    """Annotations that form the query text."""
    metrics: list[str]
    """Metric ids with versions."""


class EvaluatorRecord(Record):
    """A retrieval encoder that took part."""

    id: str
    """Name of the encoder set."""
    sha256: str
    """Hash of weights and configuration."""
    trained_on: str
    """Track it was trained on, ``user`` when brought by the user."""


class HeadRecord(Record):
    """The head model behind vertices."""

    name: str
    """``open`` or the file's name."""
    sha256: str
    """Hash of the model and mask files."""
    n_face: int
    """Vertices of the face region."""
    n_lips: int
    """Vertices of the lip region."""


class CostRecord(Record):
    """What it cost; never part of the ranking."""

    generate_seconds: float | None = None
    """Wall time of generation."""
    score_seconds: float
    """Wall time of scoring."""
    real_time_factor: float | None = None
    """Seconds of motion made per second of generation."""


class Result(Record):
    """Everything one evaluation found, and everything that could have moved it."""

    schema_version: Literal[1] = 1
    """Version of this record's form."""
    mmbench_version: str
    """Version of the harness."""
    run_id: str = ""
    """Hash of all that can move a score: the same evaluation has the same id on any day and machine."""
    scores_sha256: str = ""
    """Hash of the numbers and statuses, so that an edit shows."""
    created_utc: str
    """When it was scored, ISO 8601."""
    track: TrackRecord
    """What was measured."""
    submission: SubmissionRecord
    """Who was measured."""
    protocol: ProtocolRecord
    """How it was measured."""
    head: HeadRecord
    """The head model behind vertices."""
    evaluators: dict[Literal["text_motion", "audio_motion"], EvaluatorRecord]
    """Encoders by role."""
    metrics: dict[str, Score]
    """The submission's scores by key."""
    truth: dict[str, Score]
    """The same metrics of the real motions: the mark to read the scores against."""
    status: dict[str, int]
    """Clips and samples by outcome: ok, model_error, invalid_output, timeout, infra_error, abstained."""
    ranked: bool
    """Whether the row may be ranked."""
    why_not: str | None = None
    """Why it may not."""
    warnings: list[str] = Field(default_factory=list)
    """What a reader of the numbers must know."""
    per_clip_file: str
    """Name of the sidecar with per-clip numbers."""
    per_clip_sha256: str
    """Hash of the sidecar."""
    isolation: Literal["sandbox", "process", "predictions"]
    """How far the generator was kept from the truth."""
    cost: CostRecord
    """What it cost."""
    machine: dict[str, str]
    """Device, system and threads."""
    versions: dict[str, str]
    """Versions of Python and of the packages that compute."""

    def sealed(self) -> "Result":
        """The same record with its ``run_id`` and ``scores_sha256``."""
        return self.model_copy(update={"run_id": self._hash_of(_INPUTS)[:16], "scores_sha256": self._hash_of(_SCORES)})

    def _hash_of(self, fields: set[str]) -> str:
        return content_hash(json.dumps(self.model_dump(mode="json", include=fields), sort_keys=True))


_INPUTS = {"schema_version", "track", "submission", "protocol", "head", "evaluators", "isolation"}
_SCORES = {"metrics", "truth", "status", "ranked", "why_not", "per_clip_sha256"}


def write_result(result: Result, path: Path) -> None:
    """Writes a result atomically as JSON."""
    write_json(path, result.model_dump(mode="json"))


def read_result(path: Path) -> Result:
    """Reads and checks a result file.

    Raises:
        InputError: No JSON, a newer schema, every unknown or missing field, or a record that was edited.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(Problem("result cannot be read", str(path), "a JSON file", str(error))) from error
    version = record.get("schema_version") if isinstance(record, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            Problem("written by a newer mmbench", str(path), f"schema {SCHEMA_VERSION}", str(version), "update mmbench")
        )
    try:
        result = Result.model_validate(record)
    except ValidationError as error:
        raise InputError(
            [
                Problem(fault["msg"], f"{path}: {'.'.join(map(str, fault['loc']))}", got=str(fault["input"])[:80])
                for fault in error.errors(include_url=False)
            ]
        ) from error
    if result != result.sealed():
        expected, got = (f"{of.run_id} and scores {of.scores_sha256[:16]}" for of in (result.sealed(), result))
        raise InputError(Problem("result was edited after it was written", str(path), expected, got))
    return result


def schema() -> dict[str, Any]:
    """The JSON schema of a result; the committed copy in ``result.schema.json`` is tested to equal it."""
    return {"$id": "mmbench-result-1", **Result.model_json_schema()}
