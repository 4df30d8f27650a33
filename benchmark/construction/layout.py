"""Writes clips in the MMHead layout."""

import io
import pickle  # the layout of the released corpus: one pickled dict of arrays a clip, written only
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.corpus import AUDIO_FOLDER, MOTION_FOLDER, TEXT_FOLDER
from benchmark.protocol import EXPRESSION, NECK, SAMPLE_RATE, TEXT_FIELDS, FloatArray, Texts
from benchmark.storage import atomic_path


def make_folders(folder: Path) -> None:
    """The folders of a corpus."""
    for name in (AUDIO_FOLDER, MOTION_FOLDER, *(f"{TEXT_FOLDER}/{field}" for field in TEXT_FIELDS)):
        (folder / name).mkdir(parents=True, exist_ok=True)


def clip_paths(folder: Path, clip_id: str, *, audio: bool) -> list[Path]:
    """Every file of a clip."""
    texts = [folder / TEXT_FOLDER / field / f"{clip_id}.txt" for field in TEXT_FIELDS]
    sound = [folder / AUDIO_FOLDER / f"{clip_id}.wav"] if audio else []
    return [folder / MOTION_FOLDER / f"{clip_id}.pkl", *sound, *texts]


def write_motion(folder: Path, clip_id: str, parameters: FloatArray) -> None:
    """Writes (T, 56) parameters as ``expcodes`` (T, 50) and ``posecodes`` (T, 6: neck, jaw)."""
    motion = {"expcodes": parameters[:, EXPRESSION].copy(), "posecodes": parameters[:, NECK.start :].copy()}
    _write(folder / MOTION_FOLDER / f"{clip_id}.pkl", pickle.dumps(motion, protocol=4))


def write_audio(folder: Path, clip_id: str, audio: FloatArray) -> None:
    """Writes (S,) samples at 16 kHz as 16-bit PCM."""
    import soundfile

    samples = np.clip(np.round(audio * 32767.0), -32768, 32767).astype(np.int16)
    buffer: Any = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    _write(folder / AUDIO_FOLDER / f"{clip_id}.wav", buffer.getvalue())


def write_texts(folder: Path, clip_id: str, texts: Texts) -> None:
    """Writes the five texts."""
    for field in TEXT_FIELDS:
        _write(folder / TEXT_FOLDER / field / f"{clip_id}.txt", (getattr(texts, field) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
