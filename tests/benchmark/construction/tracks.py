"""Made-up tracks and raw folders for the tests of the construction."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.construction.records import Array, EmotionSpan, RawClip
from benchmark.protocol import FPS
from benchmark.storage import write_npz


def motion(rng: np.random.Generator, frames: int = 100, fps: float = FPS) -> Array:
    """(T, 56) of slow waves: expression of size one, a neck of a few degrees, a jaw that opens."""
    seconds = np.arange(frames)[:, None] / fps
    rates, phases = rng.uniform(0.2, 1.2, (3, 56)), rng.uniform(0, 2 * np.pi, (3, 56))
    waves = sum(np.sin(2 * np.pi * rates[k] * seconds + phases[k]) / (k + 1) for k in range(3))
    track = np.asarray(waves) * 0.6
    track[:, 50:53] *= 0.15
    track[:, 53] = 0.1 + 0.08 * track[:, 53]
    track[:, 54:] *= 0.01
    return track


def corrupted(
    track: Array, rng: np.random.Generator, noise: float = 0.15, wild: float = 0.015, lost: float = 0.01
) -> tuple[Array, np.ndarray[Any, np.dtype[np.bool_]]]:
    """A shaky copy and where its outliers are.

    White noise of ``noise`` standard deviations; a share ``wild`` of values, in runs of one or two frames, and a share
    ``lost`` of whole frames, in runs of one to three, are off by three to eight standard deviations.
    """
    spread = track.std(axis=0)
    shaky = track + rng.normal(size=track.shape) * spread * noise
    mask = np.zeros(track.shape, np.bool_)
    for column in range(track.shape[1]):
        for start in np.flatnonzero(rng.random(len(track)) < wild / 1.5):
            run = slice(start, start + rng.integers(1, 3))
            mask[run, column] = True
            shaky[run, column] += rng.choice([-1, 1]) * rng.uniform(3, 8) * spread[column]
    for start in np.flatnonzero(rng.random(len(track)) < lost / 2):
        run = slice(start, start + rng.integers(1, 4))
        mask[run] = True
        shaky[run] += rng.choice([-1, 1], track.shape[1]) * rng.uniform(3, 8, track.shape[1]) * spread
    return shaky, mask


def raw_clip(track: Array, clip_id: str = "V_a_0", fps: float = FPS, **fields: Any) -> RawClip:
    """A raw clip of a track."""
    defaults: dict[str, Any] = {"actions": ("smile",), "emotions": (EmotionSpan("happy"),)}
    return RawClip(clip_id, track[:, :50], track[:, 50:53], track[:, 53:], fps, **{**defaults, **fields})


def write_sound(path: Path, samples: Array, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


class RawBuilder:
    """Writes raw folders clip by clip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def clip(
        self, clip_id: str, track: Array | None, fps: float = FPS, sound: Array | None = None, **record: Any
    ) -> "RawBuilder":
        self.records.append({"id": clip_id, "actions": ["smile"], "emotions": ["happy"], **record})
        if track is not None:
            parts = {"expression": track[:, :50], "neck": track[:, 50:53], "jaw": track[:, 53:], "fps": np.array([fps])}
            write_npz(self.folder / "motion" / f"{clip_id}.npz", parts)
        if sound is not None:
            write_sound(self.folder / "audio" / f"{clip_id}.wav", sound)
        self.write()
        return self

    def write(self) -> None:
        lines = [json.dumps(record) + "\n" for record in self.records]
        (self.folder / "clips.jsonl").write_text("".join(lines), encoding="utf-8")


def units_table(folder: Path, clip_id: str, columns: dict[str, Array]) -> None:
    """Action units in py-feat's manner."""
    (folder / "action_units").mkdir(parents=True, exist_ok=True)
    rows = [",".join(columns)] + [
        ",".join(f"{value:.3f}" for value in row) for row in zip(*columns.values(), strict=True)
    ]
    (folder / "action_units" / f"{clip_id}.csv").write_text("\n".join(rows) + "\n")
