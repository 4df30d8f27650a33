"""The frozen digests of the corpus, clip by clip, and what differs from them."""

import json
import platform
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import storage
from benchmark.errors import InputError, Problem
from benchmark.mini.clips import Sizes
from benchmark.mini.files import Content
from benchmark.protocol import SAMPLE_RATE, TEXT_FIELDS

DATA = Path(__file__).with_name("data")
"""The frozen corpus: the manifest and the packs of held-out clips."""
_TIMES, _BANDS = 8, 6
_WINDOW = 512
_LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DECIBELS_A_LEVEL = 1.5
_QUIETEST_DB = -70.0
_MOST_DB = 2.5
"""Mean difference of two pictures up to which they count as the same sound.

Unrelated clips are 11 dB apart in the median, 4 in the closest hundredth; 10 ms of delay makes 0.5, a decibel 0.9.
"""
_DIGITS = 12
_REBUILD = "mmbench data build mini"


@dataclass(frozen=True)
class Entry:
    """Digests of one clip; empty strings where a clip has no speech."""

    frames: int
    texts: str
    """Of the five annotations."""
    motion: str
    """Of the parameters as points of the grid."""
    phonemes: str = ""
    """Of the phoneme table."""
    audio: str = ""
    """Of the 16-bit samples."""
    picture: str = ""
    """Log-mel energies of eight stretches by six bands, one letter each: for other builds of the libraries."""


@dataclass(frozen=True)
class Manifest:
    """What the frozen corpus is."""

    sizes: Sizes
    synthesis: str
    """What the training clips' speech was made with."""
    decoding: str
    """What the held-out clips' audio was unpacked with."""
    packs: dict[str, str]
    """SHA-256 of each pack by file name."""
    clips: dict[str, Entry]
    """By clip id."""


def path_of(data: Path) -> Path:
    """The manifest's file in a folder of frozen data."""
    return data / "manifest.json"


def _short(*parts: str | bytes | NDArray[Any] | Iterable[str]) -> str:
    return storage.content_hash(*parts)[:_DIGITS]


def entry(content: Content) -> Entry:
    """Digests of a clip's content."""
    texts = _short([content.texts[field] for field in TEXT_FIELDS])
    motion = _short(content.steps.astype("<i4"))
    if content.audio is None or content.phonemes is None:
        return Entry(len(content.steps), texts, motion)
    audio = _short(content.audio.astype("<i2"))
    return Entry(len(content.steps), texts, motion, _short(content.phonemes), audio, picture(content.audio))


def picture(audio: NDArray[np.int16]) -> str:
    """A coarse log-mel picture of (S,) samples: 48 letters, time by time from low to high, 1.5 dB a step."""
    whole = len(audio) // _WINDOW * _WINDOW
    windows = audio[:whole].reshape(-1, _WINDOW) / 32768.0 * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2 / _WINDOW  # (windows, 257)
    bands = power @ _mel()
    energy = np.stack([part.mean(axis=0) for part in np.array_split(bands, _TIMES)])  # (8, 6)
    levels = (10.0 * np.log10(energy + 1e-12) - _QUIETEST_DB) / _DECIBELS_A_LEVEL
    return "".join(_LEVELS[level] for level in np.clip(np.round(levels), 0, 63).astype(int).ravel())


@cache
def _mel() -> NDArray[np.float64]:
    """(257, 6) sums of neighbouring bins, evenly spaced on the mel scale."""
    hertz = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE)
    mel = 2595.0 * np.log10(1.0 + hertz / 700.0)
    band = np.minimum((mel / mel[-1] * _BANDS).astype(int), _BANDS - 1)
    return np.asarray(np.eye(_BANDS)[band])


def picture_distance_db(found: str, wanted: str) -> float:
    """Mean difference of two pictures in dB, infinite where only one of the clips has audio."""
    if len(found) != len(wanted):
        return float("inf")
    steps = [abs(_LEVELS.index(a) - _LEVELS.index(b)) for a, b in zip(found, wanted, strict=True)]
    return float(np.mean(steps)) * _DECIBELS_A_LEVEL if steps else 0.0


def _versions(*packages: str) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join([*found, platform.machine()])


def synthesis() -> str:
    """What speech is made with here: the same text gives the same samples, all else being equal."""
    return _versions("espeakng-loader", "soxr")


def decoding() -> str:
    """What packed audio is decoded with here."""
    return _versions("soundfile")


def write(path: Path, record: Manifest) -> None:
    """Writes a manifest, one clip a line."""
    head: dict[str, Any] = {"corpus": "mini", "version": 1, "sizes": astuple(record.sizes)}
    head |= {"synthesis": record.synthesis, "decoding": record.decoding, "packs": record.packs}
    lines = ",\n".join(f'"{name}": {json.dumps(astuple(record.clips[name]))}' for name in sorted(record.clips))
    with storage.atomic_path(path) as temporary:
        temporary.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "clips": {{\n{lines}\n}}}}\n', encoding="utf-8")


@cache
def _parsed(path: Path, digest: str) -> Manifest:  # noqa: ARG001  # the digest keys the cache
    record = json.loads(path.read_text(encoding="utf-8"))
    clips = {name: Entry(*fields) for name, fields in record["clips"].items()}
    sizes = Sizes.from_list(record["sizes"])
    return Manifest(sizes, record["synthesis"], record["decoding"], record["packs"], clips)


def read(data: Path = DATA) -> Manifest:
    """The manifest of a folder of frozen data.

    Raises:
        InputError: It is missing or no manifest.
    """
    path = path_of(data)
    try:
        return _parsed(path, storage.sha256_file(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        mend = "install mmbench again, or take the file from a fresh clone"
        raise InputError(Problem("the corpus has no manifest", str(path), got=str(error), mend=mend)) from error


def pack_problems(data: Path, names: Iterable[str]) -> list[Problem]:
    """Packs that are missing or not those of the manifest."""
    wanted = read(data).packs
    problems = []
    for name in names:
        path, mend = data / name, "install mmbench again, or take the file from a fresh clone"
        found = storage.sha256_file(path) if path.is_file() else "nothing"
        if found != wanted[name]:
            problems.append(Problem("a pack is not that of the manifest", str(path), wanted[name], found, mend))
    return problems


def compare(name: str, found: Entry, wanted: Entry, *, synthesised: bool, same_libraries: bool) -> list[Problem]:
    """What differs between a built clip and its entry in the manifest.

    Args:
        name: Clip id.
        found: What was built.
        wanted: The manifest's entry.
        synthesised: Whether the clip was made here, not unpacked: with other libraries its speech has other phoneme
            times, and so other motion.
        same_libraries: Whether the libraries that gave its audio are those of the manifest; if not, the sound is
            compared by its log-mel picture.
    """
    follows_speech = synthesised and not same_libraries and wanted.phonemes != ""
    parts = [("texts", wanted.texts, found.texts)]
    if not follows_speech:
        parts += [
            ("frames", str(wanted.frames), str(found.frames)),
            ("motion parameters", wanted.motion, found.motion),
            ("phoneme times", wanted.phonemes, found.phonemes),
        ]
    if same_libraries:
        parts.append(("audio samples", wanted.audio, found.audio))
    problems = [
        Problem(f"the {part} differ from the manifest", name, expected, got, _REBUILD)
        for part, expected, got in parts
        if expected != got
    ]
    distance = picture_distance_db(found.picture, wanted.picture)
    if not same_libraries and distance > _MOST_DB:
        expected, got = f"within {_MOST_DB} dB in the mean of {_TIMES * _BANDS} log-mel energies", f"{distance:.1f} dB"
        problems.append(Problem("the audio sounds different", name, expected, got, _REBUILD))
    return problems
