"""The frozen digests of the corpus, clip by clip, and the check of a built folder against them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import storage
from benchmark.errors import InputError, Problem
from benchmark.protocol import TEXT_FIELDS

MANIFEST = Path(__file__).with_name("manifest.json")
"""The manifest of the frozen corpus."""
_BANDS = 8
_DECIBELS = 3.0
_QUIETEST = -60.0
_REBUILD = "mmbench data build mini"


@dataclass(frozen=True)
class Entry:
    """Digests of one clip; empty strings where a clip has no speech."""

    frames: int
    texts: str
    """Of the five annotations."""
    motion: str
    """Of the parameters in steps of 1e-4."""
    phonemes: str = ""
    """Of the phoneme times."""
    audio: str = ""
    """Of the 16-bit samples."""
    loudness: str = ""
    """Energy of eight stretches of the audio in dB above -60, two hex digits each: for other builds of espeak-ng."""


def _short(*parts: str | bytes | NDArray[Any] | Iterable[str]) -> str:
    return storage.content_hash(*parts)[:16]


def entry(
    texts: Mapping[str, str], parameters: NDArray[np.float32], phonemes: str | None, audio: NDArray[np.int16] | None
) -> Entry:
    """Digests of a clip's content.

    Args:
        texts: The five annotations by field.
        parameters: (T, 56).
        phonemes: The clip's phoneme table as written, or None.
        audio: (S,) samples, or None.

    Returns:
        The entry of the manifest.
    """
    steps = np.round(parameters.astype(np.float64) * 10_000).astype(np.int32)
    text = _short([texts[field] for field in TEXT_FIELDS])
    if audio is None or phonemes is None:
        return Entry(len(parameters), text, _short(steps))
    return Entry(len(parameters), text, _short(steps), _short(phonemes), _short(audio), _loudness(audio))


def _loudness(audio: NDArray[np.int16]) -> str:
    bands = np.array_split(audio.astype(np.float64) / 32768.0, _BANDS)
    decibels = [10.0 * np.log10(np.mean(band**2) + 1e-12) - _QUIETEST for band in bands]
    return bytes(int(np.clip(round(value), 0, 255)) for value in decibels).hex()


def espeak_version() -> str:
    """Version of the installed espeak-ng wheel, empty without one."""
    try:
        return version("espeakng-loader")
    except PackageNotFoundError:
        return ""


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Writes a manifest, one clip a line."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(astuple(entries[name]))}" for name in sorted(entries))
    head = json.dumps({"corpus": "mini", "version": 0, "espeakng_loader": espeak_version()}, indent=1)[:-2]
    with storage.atomic_path(path) as temporary:
        temporary.write_text(f'{head},\n "clips": {{\n{lines}\n }}\n}}\n', encoding="utf-8")


@cache
def _parsed(path: Path, digest: str) -> tuple[str, dict[str, Entry]]:  # noqa: ARG001  # the digest keys the cache
    record = json.loads(path.read_text(encoding="utf-8"))
    return record["espeakng_loader"], {name: Entry(*fields) for name, fields in record["clips"].items()}


def read(path: Path = MANIFEST) -> tuple[str, dict[str, Entry]]:
    """The espeak-ng wheel a manifest was made with, and its entries by clip id."""
    return _parsed(path, storage.sha256_file(path))


def read_clip(folder: Path, name: str) -> Entry:
    """Digests of one clip of a built folder.

    Raises:
        InputError: A file of the clip is missing or cannot be read.
    """
    from benchmark.unpickle import load_arrays

    try:
        fields = {
            field: (folder / "text_annotations" / field / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
            for field in TEXT_FIELDS
        }
        arrays = load_arrays(folder / "facial_motion" / f"{name}.pkl")
        parameters = np.concatenate([arrays["expcodes"], arrays["posecodes"]], axis=1)
        table = folder / "phonemes" / f"{name}.tsv"
        if not table.is_file():
            return entry(fields, parameters, None, None)
        import soundfile

        audio, _ = soundfile.read(folder / "audio" / f"{name}.wav", dtype="int16")
        return entry(fields, parameters, table.read_text(encoding="utf-8"), audio)
    except (OSError, ValueError, KeyError, UnicodeError, RuntimeError) as error:  # soundfile raises RuntimeErrors
        raise InputError(Problem("a file of the clip cannot be read", name, got=str(error), mend=_REBUILD)) from error


def compare(name: str, found: Entry, wanted: Entry, *, same_espeak: bool) -> list[Problem]:
    """What differs between a built clip and its entry in the manifest."""
    problems = [
        Problem(f"the {part} differ from the manifest", name, str(expected), str(got), _REBUILD)
        for part, expected, got in (
            ("frames", wanted.frames, found.frames),
            ("texts", wanted.texts, found.texts),
            ("motion parameters", wanted.motion, found.motion),
            ("phoneme times", wanted.phonemes, found.phonemes),
        )
        if expected != got and (same_espeak or not wanted.phonemes or part == "texts")
    ]
    if same_espeak and found.audio != wanted.audio:
        problems.append(Problem("the audio differs from the manifest", name, wanted.audio, found.audio, _REBUILD))
    elif not same_espeak and _louder(found.loudness, wanted.loudness) > _DECIBELS:
        problems.append(Problem("the audio sounds different", name, wanted.loudness, found.loudness, _REBUILD))
    return problems


def _louder(found: str, wanted: str) -> float:
    """Mean difference of two loudness records in dB, infinite where only one of them has audio."""
    if len(found) != len(wanted):
        return float("inf")
    pairs = zip(bytes.fromhex(found), bytes.fromhex(wanted), strict=True)
    return float(np.mean([abs(a - b) for a, b in pairs])) if wanted else 0.0
