"""Reads speech of any sampling rate, channel count and sample format as mono at 16 kHz."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import InputError, Problem
from benchmark.protocol import SAMPLE_RATE, FloatArray

MAX_SECONDS = 3600
"""Longest recording that is read; clips last eight seconds."""
MAX_CHANNELS = 64
_MEND = "save it as a PCM wav file"


@dataclass(frozen=True)
class Recording:
    """A recording as its file holds it."""

    samples: FloatArray
    """(S, channels) float32, full scale 1."""
    sample_rate: int
    """Samples a second."""
    subtype: str
    """Sample format as libsndfile calls it, e.g. ``PCM_16``."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate

    def mono_16k(self) -> FloatArray:
        """(S,) float32 in [-1, 1]: mean of the channels, resampled to 16 kHz at soxr's HQ setting."""
        import soxr

        mono: FloatArray = self.samples.mean(axis=1, dtype=np.float32)
        if self.sample_rate != SAMPLE_RATE:
            mono = soxr.resample(mono, self.sample_rate, SAMPLE_RATE, quality="HQ")
        # Resampling a signal at full scale overshoots by a little.
        return np.clip(mono, np.float32(-1), np.float32(1))


def read_recording(path: Path) -> Recording:
    """Reads a whole sound file without resampling it.

    Args:
        path: A wav file, or any other format that libsndfile reads.

    Returns:
        The recording: at least one sample, all finite.

    Raises:
        InputError: The file is missing, empty, no sound file, or its samples are not finite or far beyond full scale.
    """
    soundfile = _soundfile()
    try:
        if not path.is_file():
            raise InputError(Problem("audio is missing", str(path), "a wav file"))
        with soundfile.SoundFile(path) as sound:
            _check_header(path, sound)
            samples = sound.read(dtype="float32", always_2d=True)
            rate, subtype = int(sound.samplerate), str(sound.subtype)
    except OSError as error:
        raise InputError(Problem("audio cannot be read", str(path), got=error.strerror or str(error))) from error
    except soundfile.SoundFileError as error:
        got = str(error)[:200] if path.stat().st_size else "an empty file"
        raise InputError(Problem("not a sound file", str(path), "a wav file", got, _MEND)) from error
    if not len(samples):
        raise InputError(Problem("audio holds no samples", str(path), "at least one sample"))
    peak = float(np.abs(samples).max())
    if not peak <= 4:  # NaN included
        got = f"a peak of {peak:g}"
        raise InputError(
            Problem("audio samples are not sound", str(path), "finite samples within full scale", got, _MEND)
        )
    return Recording(samples, rate, subtype)


def read_audio(path: Path) -> FloatArray:
    """Reads speech as generators and encoders take it.

    Args:
        path: A wav file of any rate, channel count and sample format.

    Returns:
        (S,) float32, mono, 16 kHz, in [-1, 1].

    Raises:
        InputError: As ``read_recording``, or so short that nothing is left at 16 kHz.
    """
    audio = read_recording(path).mono_16k()
    if not len(audio):
        raise InputError(Problem("audio holds no samples at 16 kHz", str(path), "at least one sample"))
    return audio


def _check_header(path: Path, sound: Any) -> None:
    """Refuses what would take too much memory, before any is taken."""
    rate, seconds = int(sound.samplerate), len(sound) / max(int(sound.samplerate), 1)
    if not 1000 <= rate <= 768_000 or sound.channels > MAX_CHANNELS or seconds > MAX_SECONDS:
        expected = f"at most {MAX_SECONDS} s, {MAX_CHANNELS} channels and 768 kHz"
        got = f"{seconds:.1f} s, {sound.channels} channels, {rate} Hz"
        raise InputError(Problem("audio is beyond the bounds", str(path), expected, got, _MEND))


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        mend = "install mmbench with its extra [eval]"
        raise InputError(
            Problem("reading audio needs the package soundfile", "this installation", mend=mend)
        ) from error
    return soundfile
