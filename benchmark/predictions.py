"""Predictions on disk: ``<sample>.npz`` with one array a clip, and ``predictions.json`` saying where they come from."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.motion_check import Output, header_problem, load_checked, max_file_bytes
from benchmark.npz import NpzReader, collecting, write_arrays
from benchmark.protocol import FloatArray
from benchmark.storage import content_hash, sha256_file, write_json

RECORD_NAME = "predictions.json"
SCHEMA_VERSION = 1
Status = Literal["ok", "abstained", "invalid_output", "model_error", "timeout", "infra_error"]
STATUSES: tuple[Status, ...] = ("ok", "abstained", "invalid_output", "model_error", "timeout", "infra_error")
"""What became of one clip of one sample, the better first."""


class PredictionsRecord(BaseModel):
    """The file ``predictions.json``: who made the motions, from what, and how it went."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    schema_version: Literal[1] = 1
    """Version of this record's form."""
    name: str
    """Name on the card."""
    version: str
    """Version on the card."""
    kind: Literal["code", "predictions", "control"]
    """How the motions came about."""
    card: dict[str, Any]
    """The card as read, empty for controls."""
    card_sha256: str
    """Hash of the card."""
    code_sha256: str
    """Hash of the submission's files."""
    output: Output
    """What the arrays are."""
    stochastic: bool
    """Whether the card says that samples differ."""
    track: str
    """Track id with version."""
    split: str
    """Split the clips come from."""
    samples: int
    """Motions a clip."""
    seed: int
    """Seed of the run."""
    seeds: list[int]
    """Seed of each sample; those of its batches derive from it."""
    isolation: Literal["sandbox", "process", "predictions"]
    """How far the generator was kept from the truth."""
    key: str
    """Hash of everything the motions depend on: submission, bundle, seed, samples, protocol."""
    bundle_sha256: str
    """Hash of what the generator was given."""
    frames: dict[str, int]
    """Length of every clip asked for, in the order asked."""
    status: dict[str, list[Status]]
    """By clip, what became of each sample."""
    problems: list[dict[str, str]]
    """What went wrong, clip by clip, in the form of ``benchmark.errors.Problem``."""
    files: dict[str, str]
    """SHA-256 of each npz by name."""
    seconds: float | None
    """Seconds spent generating, start-up left out."""
    real_time_factor: float | None
    """Seconds of motion made per second of generation."""
    created_utc: str
    """When it was finished, ISO 8601."""


@dataclass
class Predictions:
    """Motions on disk that were checked one by one; the arrays are loaded when asked for."""

    folder: Path
    """Where they lie."""
    record: PredictionsRecord | None
    """Who made them; None for a bare folder of npz files."""
    output: Output
    """What the arrays are."""
    samples: int
    """Motions a clip."""
    frames: dict[str, int]
    """Clips asked for with their lengths, in the order asked."""
    status: dict[str, list[Status]]
    """By clip, what became of each sample."""
    problems: list[Problem] = field(default_factory=list)
    """Everything that is wrong, from generation and from reading."""
    _readers: dict[tuple[int, int], NpzReader] = field(default_factory=dict, repr=False)

    def array(self, sample: int, clip_id: str) -> FloatArray:
        """One motion: (T, 56) parameters or (T, n_region, 3) vertices, float32.

        Raises:
            KeyError: That motion is not there or not valid; see ``status``.
        """
        if self.status[clip_id][sample] != "ok":
            raise KeyError(f"no valid motion of {clip_id} in sample {sample}: {self.status[clip_id][sample]}")
        key = (os.getpid(), sample)  # an open file's position would be shared across a fork
        if key not in self._readers:
            self._readers[key] = NpzReader(self.folder / f"{sample}.npz")
        loaded: FloatArray = self._readers[key].load(clip_id)
        return loaded

    def close(self) -> None:
        """Closes the files; ``array`` opens them again when needed."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    @property
    def complete(self) -> bool:
        """Whether every sample of every clip is there and valid, and nothing else is wrong."""
        return not self.problems and all(status == "ok" for row in self.status.values() for status in row)

    @property
    def valid_clips(self) -> list[str]:
        """Clips of which every sample is ok, in order."""
        return [clip for clip, row in self.status.items() if all(status == "ok" for status in row)]

    def counts(self) -> dict[str, int]:
        """Clips times samples by status; every status is named."""
        rows = [status for row in self.status.values() for status in row]
        return {status: rows.count(status) for status in STATUSES}

    def sha256(self) -> str:
        """Hash of the valid arrays with their clip and sample, in order: what a score is a score of."""
        valid = ((clip, k) for k in range(self.samples) for clip in self.frames if self.status[clip][k] == "ok")
        return content_hash(*(content_hash(clip, str(k), self.array(k, clip)) for clip, k in valid))


def read_predictions(
    folder: Path, expected: Mapping[str, int], samples: int | None, output: Output, n_region: int | None = None
) -> Predictions:
    """Opens predictions and checks every array: name, dtype, shape, length, finiteness, plausible size.

    Problems are collected, not raised: a wrong clip costs that clip only, with a status that says so.

    Args:
        folder: ``<sample>.npz`` files, with or without ``predictions.json``.
        expected: Frames of every clip, in frozen order.
        samples: Motions a clip; files beyond that are not read. None for as many as there are, counted from 0.
        output: What the arrays must be.
        n_region: Vertices of the face region, for output ``vertices``; unchecked when None.

    Raises:
        InputError: There is no such folder, or ``predictions.json`` is there and wrong.
    """
    if not folder.is_dir():
        raise InputError(Problem("no such predictions folder", str(folder), "a folder with 0.npz"))
    record = read_record(folder / RECORD_NAME) if (folder / RECORD_NAME).is_file() else None
    if samples is None:
        samples = next(count for count in range(10_000) if not (folder / f"{count}.npz").exists()) or 1
    rows: dict[str, list[Status]] = {clip: [] for clip in expected}
    predictions = Predictions(folder, record, output, samples, dict(expected), rows)
    if record is not None:
        predictions.problems += [Problem(**problem) for problem in record.problems]
        predictions.problems += _changed_files(folder, record)
    for sample in range(samples):
        _read_sample(predictions, sample, n_region)
    return predictions


def output_of(folder: Path) -> Output:
    """What bare prediction files hold, told by the shape of the first array: vertices have three axes.

    Raises:
        InputError: The first file is missing or no npz.
    """
    with NpzReader(folder / "0.npz") as reader:
        shapes = [header.shape for header in reader.headers.values()]
    return "vertices" if shapes and len(shapes[0]) == 3 else "parameters"


def write_sample(folder: Path, sample: int, arrays: Iterable[tuple[str, FloatArray]]) -> str:
    """Writes one sample's motions by clip id, one at a time, and returns the file's SHA-256."""
    path = folder / f"{sample}.npz"
    write_arrays(path, arrays)
    return sha256_file(path)


def write_record(folder: Path, record: PredictionsRecord) -> None:
    """Writes ``predictions.json``. Write it last: its presence says that the samples are whole."""
    write_json(folder / RECORD_NAME, record.model_dump(mode="json"))


def read_record(path: Path) -> PredictionsRecord:
    """Reads ``predictions.json``.

    Raises:
        InputError: Not JSON, from a newer version, or every wrong field.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(Problem("cannot be read", str(path), "a JSON file", str(error))) from error
    version = table.get("schema_version") if isinstance(table, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        newer = Problem("from a newer mmbench", str(path), f"schema {SCHEMA_VERSION}", str(version), "update mmbench")
        raise InputError(newer)
    try:
        return PredictionsRecord.model_validate(table)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise InputError(
            [Problem(f["msg"], f"{path}: {'.'.join(map(str, f['loc']))}", got=str(f["input"])[:80]) for f in faults]
        ) from error


def _read_sample(predictions: Predictions, sample: int, n_region: int | None) -> None:
    path = predictions.folder / f"{sample}.npz"
    names = tuple(predictions.frames)
    told = _told_by_record(predictions, sample)
    readable: set[str] = set()
    problems = predictions.problems
    with collecting(problems), NpzReader(path, max_file_bytes(predictions.frames.values(), n_region)) as reader:
        problems += reader.problems
        for extra in reader.headers.keys() - predictions.frames.keys():
            where = f"{path}: {extra}"
            problems.append(
                Problem("extra clip", where, "only clips of the split", extra, nearest_names(extra, names[:2000]))
            )
        for clip in [clip for clip in names if clip in reader.headers]:
            if fault := _array_problem(reader, clip, predictions, n_region):
                problems.append(fault)
            else:
                readable.add(clip)
        broken = {fault.where for fault in reader.problems}
        absent = [c for c in names if c not in reader.headers and c not in told and f"{path}: {c}" not in broken]
        problems += [Problem("missing clip", f"{path}: {clip}", "one motion a clip", "none") for clip in absent]
    for clip, row in predictions.status.items():
        row.append(told.get(clip, "invalid_output") if clip not in readable else "ok")


def _told_by_record(predictions: Predictions, sample: int) -> dict[str, Status]:
    """Clips the record itself says were not made: they are no news when they are missing."""
    record = predictions.record
    rows = record.status if record is not None else {}
    return {clip: row[sample] for clip, row in rows.items() if sample < len(row) and row[sample] != "ok"}


def _array_problem(reader: NpzReader, clip: str, predictions: Predictions, n_region: int | None) -> Problem | None:
    where = f"{reader.path}: {clip}"
    frames, output = predictions.frames[clip], predictions.output
    fault = header_problem(reader.headers[clip], where, frames, output, n_region)
    return fault or load_checked(reader, clip, where, output)[1]


def _changed_files(folder: Path, record: PredictionsRecord) -> list[Problem]:
    changed = [n for n, sha in record.files.items() if (folder / n).is_file() and sha256_file(folder / n) != sha]
    mend = "generate again, or remove predictions.json to score the files as they are"
    return [Problem("changed since it was written", str(folder / name), mend=mend) for name in changed]
