"""Small corpora without faults, for tests that then break them."""

import json
import pickle
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.protocol import TEXT_FIELDS

CorpusBuilder = Callable[..., Path]


def write_motion(path: Path, parameters: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"expcodes": parameters[:, :50], "posecodes": parameters[:, 50:]}
    path.write_bytes(pickle.dumps(record, protocol=2))


def write_speech(path: Path, samples: int, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    signal = np.random.default_rng(samples).normal(0, 3000, samples).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, samples, "NONE", ""))
        file.writeframes(signal.tobytes())


@pytest.fixture
def build_corpus(tmp_path: Path) -> CorpusBuilder:
    """Writes a corpus without faults: ``build_corpus(talking={"train": [...]}, text2motion={...}, frames=20)``."""

    def build(
        talking: dict[str, list[str]] | None = None, text2motion: dict[str, list[str]] | None = None, frames: int = 20
    ) -> Path:
        folder = tmp_path / "corpus"
        folder.mkdir()
        rng = np.random.default_rng(7)
        for name, subset in (("talking", talking), ("t2m", text2motion)):
            if subset is None:
                continue
            (folder / f"{name}_subset.json").write_text(json.dumps(subset))
            for clip in dict.fromkeys(clip for clips in subset.values() for clip in clips):
                parameters = rng.normal(0, 0.1, (frames, 56)).astype(np.float32)
                parameters[:, 53] = rng.uniform(0, 0.3, frames)
                parameters[:, 54:] /= 10
                write_motion(folder / "facial_motion" / f"{clip}.pkl", parameters)
                write_speech(folder / "audio" / f"{clip}.wav", frames * 640)
                for field in TEXT_FIELDS:
                    (folder / "text_annotations" / field).mkdir(parents=True, exist_ok=True)
                    (folder / "text_annotations" / field / f"{clip}.txt").write_text(f"The {field} of {clip}.\n")
        return folder

    return build
