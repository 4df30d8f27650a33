"""A folder of raw tracks: what the labels list, and each clip's track, sound and action units, read when asked for.

clips.jsonl            one record a line, see ClipRecord
motion/ID.npz          expression (T, 50), neck (T, 3), jaw (T, 3), optionally fps or times (T,)
    or ID.pkl          as in the MMHead layout: expcodes, posecodes
    or ID.csv          ARKit coefficients by name, for the open head
audio/ID.wav           any rate and channel count; flac, ogg and mp3 too
action_units/ID.csv    columns of OpenFace or py-feat
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmark.audio import Recording, read_recording
from benchmark.clip_files import N_EXPRESSION, read_motion
from benchmark.construction import arkit
from benchmark.construction.action_units import read_units
from benchmark.construction.records import ActionUnits, Array, EmotionSpan, RawClip, Setting
from benchmark.errors import InputError, Problem
from benchmark.npz import NpzReader
from benchmark.protocol import EXPRESSION, FPS, JAW, NECK
from benchmark.storage import content_hash
from benchmark.subsets import clip_name_fault

LIST_FILE = "clips.jsonl"
MOTION_SUFFIXES = (".npz", ".pkl", ".csv")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
MAX_BYTES = 256 * 2**20
"""Largest motion file that is opened."""
Label = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=60)]


class EmotionRecord(BaseModel):
    """One emotion label with its time."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    emotion: Label
    start_sec: float | None = Field(None, ge=0)
    end_sec: float | None = Field(None, ge=0)
    intensity: float | None = Field(None, ge=0, le=1)


class ClipRecord(BaseModel):
    """One line of ``clips.jsonl``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    source: str | None = None
    """Video or person; the id without its last ``_`` part if it is not given."""
    setting: Setting = "wild"
    actions: tuple[Label, ...] = ()
    emotions: tuple[Label | EmotionRecord, ...] = ()
    """Labels, or labels with times in seconds, in order."""
    fps: float | None = Field(None, gt=0, le=1000)
    """Of the motion, if its file does not say; 25 by default."""
    units_fps: float | None = Field(None, gt=0, le=1000)
    """Of the action units, if it is not the motion's."""
    sync_confidence: float | None = None

    def spans(self) -> tuple[EmotionSpan, ...]:
        """The emotions as spans."""
        return tuple(
            EmotionSpan(one)
            if isinstance(one, str)
            else EmotionSpan(one.emotion, one.start_sec, one.end_sec, one.intensity)
            for one in self.emotions
        )


@dataclass(frozen=True)
class RawFolder:
    """Raw tracks on disk."""

    path: Path
    """The folder."""
    records: dict[str, ClipRecord]
    """Labels by clip id, in the order of the list."""

    def files(self, clip_id: str) -> dict[str, Path]:
        """The clip's files that exist: motion, audio, action_units."""
        wanted = (("motion", MOTION_SUFFIXES), ("audio", AUDIO_SUFFIXES), ("action_units", (".csv",)))
        found = {}
        for folder, suffixes in wanted:
            paths = (self.path / folder / f"{clip_id}{suffix}" for suffix in suffixes)
            if path := next((path for path in paths if path.is_file()), None):
                found[folder] = path
        return found

    def content_hash(self, clip_id: str) -> str:
        """SHA-256 over the clip's labels and the bytes of its files."""
        files = self.files(clip_id)
        parts = [part for kind, path in files.items() for part in (kind + path.suffix, path.read_bytes())]
        return content_hash(self.records[clip_id].model_dump_json(), *parts)

    def read(self, clip_id: str) -> RawClip:
        """Reads one clip.

        Args:
            clip_id: Of the list.

        Returns:
            The clip as it is.

        Raises:
            InputError: A file is missing or faulty: everything wrong with any of them.
        """
        record, files = self.records[clip_id], self.files(clip_id)
        if "motion" not in files:
            expected = f"one of {', '.join(MOTION_SUFFIXES)}"
            raise InputError(Problem("motion is missing", str(self.path / "motion" / clip_id), expected))
        track = _read_track(files["motion"], record)
        problems: list[Problem] = []
        units, audio = track.units, None
        try:
            if "action_units" in files:
                units = read_units(files["action_units"], record.units_fps or track.fps)
        except InputError as error:
            problems += error.problems
        try:
            audio = _read_audio(files.get("audio"))
        except InputError as error:
            problems += error.problems
        if problems:
            raise InputError(problems)
        return RawClip(
            clip_id, track.expression, track.neck, track.jaw, track.fps, track.times, audio, record.actions,
            record.spans(), units, record.sync_confidence, record.setting, record.source,
        )  # fmt: skip


@dataclass(frozen=True)
class _Track:
    expression: Array
    neck: Array
    jaw: Array
    fps: float
    times: Array | None = None
    units: ActionUnits | None = None


def open_raw(path: Path) -> RawFolder:
    """Reads the list of a folder of raw tracks.

    Args:
        path: The folder.

    Returns:
        The folder; no track has been read yet.

    Raises:
        InputError: No list, or faulty records: all of them at once.
    """
    listing = path / LIST_FILE
    if not listing.is_file():
        found = ", ".join(sorted(item.name for item in path.iterdir())[:10]) if path.is_dir() else "no such folder"
        raise InputError(Problem("no raw tracks", str(path), f"{LIST_FILE} beside motion/", found or "an empty folder"))
    records: dict[str, ClipRecord] = {}
    problems: list[Problem] = []
    for where, line in _lines(listing):
        try:
            record = ClipRecord.model_validate_json(line)
        except ValidationError as error:
            problems += [
                Problem(issue["msg"], f"{where}: {'.'.join(map(str, issue['loc']))}", got=repr(issue["input"])[:80])
                for issue in error.errors()
            ]
            continue
        if fault := clip_name_fault(record.id):
            problems.append(Problem(f"clip name {fault}", where, "a plain file name", ascii(record.id)[:80]))
        elif record.id in records:
            problems.append(Problem("clip is listed twice", where, "each clip once", record.id))
        records[record.id] = record
    if not records and not problems:
        problems.append(Problem("the list is empty", str(listing), "one JSON record a line"))
    if problems:
        raise InputError(problems)
    return RawFolder(path, records)


def _lines(listing: Path) -> Iterator[tuple[str, str]]:
    try:
        text = listing.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem("list is not UTF-8", str(listing), "UTF-8", str(error))) from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{listing} line {number}", line


def _read_audio(path: Path | None) -> Recording | None:
    return read_recording(path) if path is not None else None


def _read_track(path: Path, record: ClipRecord) -> _Track:
    if path.suffix == ".npz":
        return _read_npz(path, record)
    fps = record.fps or float(FPS)
    if path.suffix == ".pkl":
        parameters = read_motion(path).parameters.astype(np.float64)
        return _Track(parameters[:, EXPRESSION], parameters[:, NECK], parameters[:, JAW], fps)
    if record.fps is None:
        raise InputError(Problem("rate of the capture is not known", str(path), f"fps in {LIST_FILE}"))
    names, values = arkit.read_arkit(path)
    parameters = arkit.parameters(names, values)
    units = arkit.units_of(arkit.activations(names, values), parameters[:, JAW.start], fps)
    return _Track(parameters[:, EXPRESSION], parameters[:, NECK], parameters[:, JAW], fps, units=units)


def _read_npz(path: Path, record: ClipRecord) -> _Track:
    with NpzReader(path, MAX_BYTES) as reader:
        if reader.problems:
            raise InputError(reader.problems)
        arrays = {name: reader.load(name) for name in reader.headers}
    problems = [
        Problem(
            f"{name} has the wrong shape", str(path), f"(T, {width})", str(getattr(arrays.get(name), "shape", "none"))
        )
        for name, width in (("expression", N_EXPRESSION), ("neck", 3), ("jaw", 3))
        if name not in arrays or arrays[name].ndim != 2 or arrays[name].shape[1] != width
    ]
    problems += [
        Problem(f"{name} are no numbers", str(path), "floats", str(array.dtype))
        for name, array in arrays.items()
        if array.dtype.kind not in "fiu"
    ]
    lengths = {
        name: len(arrays[name])
        for name in ("expression", "neck", "jaw", "times")
        if name in arrays and arrays[name].ndim
    }
    if len(set(lengths.values())) > 1:
        problems.append(Problem("arrays differ in length", str(path), "as many frames in all", str(lengths)))
    if not problems:
        problems += _time_problems(path, arrays)
    if problems:
        raise InputError(problems)
    times = arrays["times"].astype(np.float64) if "times" in arrays else None
    fps = _rate(arrays, times, record)
    expression, neck, jaw = (arrays[name].astype(np.float64) for name in ("expression", "neck", "jaw"))
    return _Track(expression, neck, jaw, fps, times)


def _rate(arrays: dict[str, Any], times: Array | None, record: ClipRecord) -> float:
    if "fps" in arrays:
        return float(arrays["fps"].reshape(-1)[0])
    if times is not None and len(times) > 1:
        return float(1.0 / np.median(np.diff(times)))
    return record.fps or float(FPS)


def _time_problems(path: Path, arrays: dict[str, Any]) -> list[Problem]:
    problems = []
    if "times" in arrays:
        times = arrays["times"]
        if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            problems.append(Problem("times do not rise", str(path), "(T,) rising seconds", f"shape {times.shape}"))
    if "fps" in arrays and not (arrays["fps"].size == 1 and 0 < float(arrays["fps"].reshape(-1)[0]) <= 1000):
        problems.append(Problem("fps is no rate", str(path), "one number of frames a second", str(arrays["fps"])[:40]))
    return problems
