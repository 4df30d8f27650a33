"""What is left of a clip for the search for duplicates: its motion, sound and wording in a few hundred numbers."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmark.construction.records import Array
from benchmark.protocol import SAMPLE_RATE, FloatArray
from benchmark.storage import content_hash

_STEPS = 16
_BANDS = 20
_WINDOW, _HOP = 512, 640
_PHRASE = 3
_FLOOR = 1e-4
"""Of the loudest band: noise 40 dB below is not heard, whatever the gain."""


@dataclass(frozen=True)
class Fingerprint:
    """Of one clip."""

    motion_hash: str
    """Of its parameters."""
    audio_hash: str
    """Of its samples; empty without sound."""
    motion: FloatArray
    """(16 * 56,) the course of each parameter over the clip."""
    audio: FloatArray | None
    """(16 * 20,) log-mel picture, its mean taken off and of length one; None for silence or without sound."""
    phrases: frozenset[int]
    """Hashes of the three-word phrases of the five texts."""
    wording: str
    """The five texts in lower case."""


def fingerprint(parameters: FloatArray, audio: FloatArray | None, text: str) -> Fingerprint:
    """The fingerprint of a clip.

    Args:
        parameters: (T, 56).
        audio: (S,) at 16 kHz, or None.
        text: The five texts joined.

    Returns:
        What the audit compares.
    """
    wording = " ".join(text.lower().split())
    return Fingerprint(
        motion_hash=content_hash(np.ascontiguousarray(parameters, np.float32)),
        audio_hash=content_hash(np.round(audio * 32767.0).astype(np.int16)) if audio is not None else "",
        motion=_steps(parameters.astype(np.float64)).astype(np.float32).ravel(),
        audio=_picture(audio) if audio is not None else None,
        phrases=_phrases(wording),
        wording=wording,
    )


def _steps(values: Array) -> Array:
    """(16, D): means over sixteen equal stretches of time."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    edges = np.linspace(0.0, len(values), _STEPS + 1)
    low = np.minimum(edges.astype(int), len(values) - 1)
    at = sums[low] + (edges - low)[:, None] * (sums[low + 1] - sums[low])
    return np.asarray(np.diff(at, axis=0) / np.diff(edges)[:, None])


def _picture(audio: FloatArray) -> FloatArray | None:
    padded = np.pad(audio, (0, max(0, _WINDOW - len(audio))))
    starts = np.arange(0, len(padded) - _WINDOW + 1, _HOP)
    windows = padded[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(windows.astype(np.float32), axis=1)) ** 2
    bands = power @ _mel()
    bands = np.log(bands + _FLOOR * bands.max() + 1e-12)
    picture = _steps(bands).ravel()
    picture -= picture.mean()
    length = float(np.linalg.norm(picture))
    return (picture / length).astype(np.float32) if length > 1e-3 else None


def _mel() -> Array:
    """(257, 20) sums of neighbouring bins, evenly spaced on the mel scale."""
    hertz = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE)
    mel = 2595.0 * np.log10(1.0 + hertz / 700.0)
    band = np.minimum((mel / mel[-1] * _BANDS).astype(int), _BANDS - 1)
    return np.asarray(np.eye(_BANDS)[band])


def _phrases(wording: str) -> frozenset[int]:
    words = wording.replace(".", " ").replace(",", " ").split()
    runs = zip(*(words[start:] for start in range(_PHRASE)), strict=False)
    return frozenset(crc32(" ".join(run).encode()) for run in runs)
