"""Small submissions for tests, written where a test wants them."""

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np

from benchmark.protocol import Condition, FloatArray, Texts

CARD: dict[str, Any] = {
    "name": "trial",
    "version": "1.0",
    "kind": "code",
    "entry": "generator:Make",
    "output": "parameters",
    "stochastic": True,
    "tracks": ["mini/talking@1"],
    "authors": ["A. Nobody"],
    "licence": "MIT",
    "training_data": "none",
    "url": "https://example.org",
}

NOISE = """
    import numpy as np
    from benchmark.protocol import Motion

    class Make:
        def generate(self, conditions, seed):
            rng = np.random.default_rng(seed)
            return [Motion(rng.normal(0, 0.1, (c.frames, 56)).astype(np.float32)) for c in conditions]
"""


def write_card(folder: Path, without: tuple[str, ...] = (), **changes: Any) -> Path:
    """A folder with a card; JSON's strings, lists and booleans are TOML's too."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {key: value for key, value in {**CARD, **changes}.items() if key not in without}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items()]
    (folder / "submission.toml").write_text("".join(lines), encoding="utf-8")
    return folder


def write_code(folder: Path, code: str = NOISE, **changes: Any) -> Path:
    """A code submission."""
    write_card(folder, **changes)
    (folder / "generator.py").write_text(dedent(code), encoding="utf-8")
    return folder


def write_predictions(
    folder: Path, samples: list[dict[str, Any]], track: str = "mini/talking@1", **changes: Any
) -> Path:
    """A predictions submission with one npz a sample."""
    write_card(folder, without=("entry",), **{"kind": "predictions", **changes})
    (folder / "predictions" / track).mkdir(parents=True)
    for number, arrays in enumerate(samples):
        np.savez(folder / "predictions" / track / f"{number}.npz", allow_pickle=True, **arrays)
    return folder


def motion(frames: int, seed: int = 0) -> FloatArray:
    """A small motion, (frames, 56)."""
    noise: FloatArray = np.random.default_rng(seed).normal(0, 0.1, (frames, 56)).astype(np.float32)
    return noise


def conditions(*names: str, frames: int = 10) -> Iterator[Condition]:
    """Conditions with these clip ids, each with speech and one frame longer than the one before."""
    for number, name in enumerate(names):
        audio = np.sin(np.arange((frames + number) * 640) / 20).astype(np.float32)
        yield Condition(name, Texts(f"says {name}", "calm", "smiles", "nods", "a day"), audio, frames + number)
