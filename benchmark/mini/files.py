"""A clip's files in the MMHead layout: what they hold, written and read back."""

import pickle  # the layout of the released corpus: one pickled dict of arrays a clip, written only
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.mini.clips import Clip
from benchmark.mini.quantise import from_grid, to_grid
from benchmark.protocol import EXPRESSION, FPS, SAMPLE_RATE, TEXT_FIELDS

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
FOLDERS = ("audio", "facial_motion", "phonemes", *(f"text_annotations/{field}" for field in TEXT_FIELDS))


@dataclass(frozen=True)
class Content:
    """All that a clip's files hold."""

    steps: NDArray[np.int32]
    """(T, 56) parameters as points of the grid (see ``quantise``)."""
    texts: Mapping[str, str]
    """The five annotations by field."""
    phonemes: str | None
    """The phoneme table as written; None without speech."""
    audio: NDArray[np.int16] | None
    """(T * 640,) samples; None without speech."""


def files_of(clip: Clip) -> list[str]:
    """Paths of a clip's files inside the corpus folder."""
    paths = [f"facial_motion/{clip.name}.pkl", *(f"text_annotations/{field}/{clip.name}.txt" for field in TEXT_FIELDS)]
    return [*paths, f"audio/{clip.name}.wav", f"phonemes/{clip.name}.tsv"] if clip.has_speech else paths


def phoneme_table(phonemes: Sequence[tuple[float, float, str]]) -> str:
    """Phonemes as lines of start, end in seconds, and mnemonic, separated by tabs."""
    return "".join(f"{start:.4f}\t{end:.4f}\t{name}\n" for start, end, name in phonemes)


def to_pcm(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    """(S,) samples in [-1, 1] as 16-bit ones."""
    return np.clip(np.round(audio * 32767.0), -32768, 32767).astype(np.int16)


def write_clip(folder: Path, name: str, content: Content) -> None:
    """Writes one clip's files below a folder that has ``FOLDERS``."""
    parameters = from_grid(content.steps)
    motion = {"expcodes": parameters[:, EXPRESSION].copy(), "posecodes": parameters[:, EXPRESSION.stop :].copy()}
    (folder / "facial_motion" / f"{name}.pkl").write_bytes(pickle.dumps(motion, protocol=4))
    for field in TEXT_FIELDS:
        path = folder / "text_annotations" / field / f"{name}.txt"
        path.write_text(content.texts[field] + "\n", encoding="utf-8")
    if content.audio is None or content.phonemes is None:
        return
    import soundfile

    soundfile.write(folder / "audio" / f"{name}.wav", content.audio, SAMPLE_RATE, subtype="PCM_16")
    (folder / "phonemes" / f"{name}.tsv").write_text(content.phonemes, encoding="utf-8")


def read_clip(folder: Path, name: str) -> Content:
    """Reads one clip's files.

    Raises:
        InputError: A file of the clip is missing or cannot be read.
    """
    from benchmark.unpickle import load_arrays

    try:
        texts = {
            field: (folder / "text_annotations" / field / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")
            for field in TEXT_FIELDS
        }
        arrays = load_arrays(folder / "facial_motion" / f"{name}.pkl")
        steps = to_grid(np.concatenate([arrays["expcodes"], arrays["posecodes"]], axis=1))
        table = folder / "phonemes" / f"{name}.tsv"
        if not table.is_file():
            return Content(steps, texts, None, None)
        import soundfile

        audio, _ = soundfile.read(folder / "audio" / f"{name}.wav", dtype="int16")
        return Content(steps, texts, table.read_text(encoding="utf-8"), audio)
    except (OSError, ValueError, KeyError, UnicodeError, RuntimeError) as error:  # soundfile raises RuntimeErrors
        mend = "mmbench data build mini"
        raise InputError(Problem("a file of the clip cannot be read", name, got=str(error), mend=mend)) from error
