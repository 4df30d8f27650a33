"""The frozen held-out clips as compact files: motion on its grid, texts and phonemes in one zip, Opus in another.

Motion is stored as differences from frame to frame, folded to unsigned numbers, parameter by parameter over all clips,
low bytes before high ones: in this order LZMA comes within 2% of the entropy of the differences.
"""

import io
import json
import lzma
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.mini.files import SAMPLES_PER_FRAME, Content, to_pcm
from benchmark.protocol import PARAMETERS, SAMPLE_RATE, TEXT_FIELDS
from benchmark.storage import atomic_path

_OPUS_LEVEL = 0.90
"""libsndfile's compression level: about 18 kbit/s, 9.5 KB a clip, 16.6 dB signal to noise."""
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}
]
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_MEND = "install mmbench again, or take the file from a fresh clone"


def pack_names(split: str) -> tuple[str, str]:
    """File names of a split's packs: motion, texts and phonemes, then audio."""
    return f"{split}.zip", f"{split}-audio.zip"


def encode_motion(clips: Sequence[NDArray[np.int32]]) -> bytes:
    """Packs motions on the grid.

    Args:
        clips: (T, 56) each.

    Returns:
        Compressed bytes for :func:`decode_motion`.
    """
    rows = np.concatenate([np.diff(steps, axis=0, prepend=0) for steps in clips])  # (all frames, 56)
    folded = ((rows << 1) ^ (rows >> 31)).T.ravel()  # 0, -1, 1, -2 become 0, 1, 2, 3
    if folded.size and folded.max() >= 1 << 16:
        raise ValueError(f"a change of {np.abs(rows).max()} steps from frame to frame does not fit 16 bits")
    halves = np.stack([folded & 255, folded >> 8]).astype(np.uint8)
    return lzma.compress(halves.tobytes(), format=lzma.FORMAT_XZ, filters=_FILTERS)


def decode_motion(data: bytes, frames: Sequence[int]) -> list[NDArray[np.int32]]:
    """Unpacks what :func:`encode_motion` packed.

    Args:
        data: The compressed bytes.
        frames: Length of each clip.

    Returns:
        (T, 56) steps of the grid, one array a clip.

    Raises:
        ValueError: The data is not that of clips of these lengths.
    """
    size = 2 * PARAMETERS * sum(frames)
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    try:
        content = unpacker.decompress(data, max_length=size + 1)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error
    if len(content) != size:
        raise ValueError(f"{len(content)} bytes of motion, expected {size}")
    low, high = np.frombuffer(content, np.uint8).reshape(2, -1).astype(np.int32)
    folded = (low | high << 8).reshape(PARAMETERS, -1).T
    rows = (folded >> 1) ^ -(folded & 1)
    return [np.cumsum(part, axis=0, dtype=np.int32) for part in np.split(rows, np.cumsum(frames)[:-1])]


def encode_audio(audio: NDArray[np.int16]) -> bytes:
    """(S,) samples at 16 kHz as an Ogg Opus file."""
    import soundfile

    file = io.BytesIO()
    floats = audio.astype(np.float32) / 32767.0
    soundfile.write(file, floats, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=_OPUS_LEVEL)
    return file.getvalue()


def decode_audio(data: bytes, samples: int) -> NDArray[np.int16]:
    """(S,) samples at 16 kHz from an Ogg Opus file; ValueError where it does not hold ``samples`` of them."""
    import soundfile

    try:
        audio, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.SoundFileError as error:
        raise ValueError(str(error)) from error
    if rate != SAMPLE_RATE or audio.shape != (samples,):
        raise ValueError(f"{audio.shape} samples at {rate} Hz, expected ({samples},) at {SAMPLE_RATE} Hz")
    return to_pcm(audio)


def write_packs(folder: Path, split: str, clips: Mapping[str, Content], workers: int = 1) -> None:
    """Writes the packs of one split.

    Args:
        folder: Where to.
        split: Names the files.
        clips: Content by clip id.
        workers: Processes that encode audio.
    """
    frames = {name: len(clip.steps) for name, clip in clips.items()}
    texts = {name: [clip.texts[field] for field in TEXT_FIELDS] for name, clip in clips.items()}
    phonemes = {name: clip.phonemes for name, clip in clips.items() if clip.phonemes is not None}
    tables = {"frames.json": frames, "texts.json": texts, "phonemes.json": phonemes}
    main, audio = (folder / name for name in pack_names(split))
    with _writing(main) as archive:
        for name, table in tables.items():
            _add(archive, name, json.dumps(table, ensure_ascii=False, indent=0).encode(), zipfile.ZIP_LZMA)
        _add(archive, "motion.xz", encode_motion([clip.steps for clip in clips.values()]))
    heard = {name: clip.audio for name, clip in clips.items() if clip.audio is not None}
    with _writing(audio) as archive, ProcessPoolExecutor(workers) as pool:
        for name, data in zip(heard, pool.map(encode_audio, heard.values(), chunksize=8), strict=True):
            _add(archive, f"{name}.opus", data)


def read_packs(folder: Path, split: str) -> Iterator[tuple[str, Content]]:
    """Reads the packs of one split, clip by clip.

    Args:
        folder: Where they lie.
        split: Which.

    Yields:
        Clip id and content, in the order of writing.

    Raises:
        InputError: A pack is missing or damaged.
    """
    main, audio = (folder / name for name in pack_names(split))
    with _reading(main) as archive:
        frames, texts, phonemes = (json.loads(archive.read(f"{t}.json")) for t in ("frames", "texts", "phonemes"))
        motions = decode_motion(archive.read("motion.xz"), list(frames.values()))
    with _reading(audio) as archive:
        for (name, count), steps in zip(frames.items(), motions, strict=True):
            fields = dict(zip(TEXT_FIELDS, texts[name], strict=True))
            table = phonemes.get(name)
            heard = None
            if table is not None:
                heard = decode_audio(archive.read(f"{name}.opus"), count * SAMPLES_PER_FRAME)
            yield name, Content(steps, fields, table, heard)


@dataclass(frozen=True)
class Media:
    """What can be read and heard of a clip."""

    frames: int
    """Length in frames."""
    texts: Mapping[str, str]
    """The five annotations by field."""
    opus: bytes | None
    """Its speech as an Ogg Opus file; None without speech."""


def read_media(folder: Path, split: str, names: Sequence[str]) -> dict[str, Media]:
    """Texts and encoded speech of some clips, without unpacking any motion.

    Args:
        folder: Where the packs lie.
        split: Which.
        names: Clip ids.

    Returns:
        By clip id, in the order asked.

    Raises:
        InputError: A pack is missing or damaged, or has no such clip.
    """
    main, audio = (folder / name for name in pack_names(split))
    with _reading(main) as archive:
        frames, texts = (json.loads(archive.read(f"{table}.json")) for table in ("frames", "texts"))
    with _reading(audio) as archive:
        heard = {name: archive.read(f"{name}.opus") for name in names if f"{name}.opus" in archive.NameToInfo}
    if absent := [name for name in names if name not in frames]:
        raise InputError([Problem("no such clip", str(main), got=name) for name in absent])
    tables = {name: dict(zip(TEXT_FIELDS, texts[name], strict=True)) for name in names}
    return {name: Media(frames[name], tables[name], heard.get(name)) for name in names}


@contextmanager
def _writing(path: Path) -> Iterator[zipfile.ZipFile]:
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield archive


def _add(archive: zipfile.ZipFile, name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> None:
    entry = zipfile.ZipInfo(name, _FIRST_DATE)
    entry.compress_type = method
    archive.writestr(entry, data)


@contextmanager
def _reading(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, lzma.LZMAError) as error:
        problem = Problem("a pack of held-out clips cannot be read", str(path), got=str(error), mend=_MEND)
        raise InputError(problem) from error
