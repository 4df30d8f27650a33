"""Speech from espeak-ng with the start and end of every phoneme.

espeak-ng keeps state between calls, so the same call can sound different after other calls. A fresh process that makes
the same calls in the same order is bit-identical: the corpus is built in fixed shards, one process each.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Problem
from benchmark.protocol import SAMPLE_RATE

_SYNCHRONOUS_OUTPUT, _PHONEME_EVENTS, _DO_NOT_EXIT = 2, 0x0001, 0x8000
_UTF8, _SSML = 1, 0x10
_RATE, _VOLUME, _PITCH, _PITCH_RANGE = 1, 2, 3, 4
_EVENT_END, _EVENT_PHONEME = 0, 7
_NOTE_PERCENTS = (0, 10, 20, 40, 60, 80)


@dataclass(frozen=True)
class Speech:
    """One utterance."""

    audio: NDArray[np.float32]
    """(S,) mono 16 kHz in [-1, 1]."""
    phonemes: tuple[tuple[float, float, str], ...]
    """(start in s, end in s, espeak-ng mnemonic with its stress marks), in order and without gaps."""


class _EventId(ctypes.Union):
    _fields_: ClassVar[Any] = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Engine:
    """The one espeak-ng of this process; it fills ``chunks`` and ``events`` while an utterance is made."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        kinds: list[Any] = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint]
        self.library.espeak_Synth.argtypes = [*kinds, ctypes.c_void_p, ctypes.c_void_p]
        data = espeakng_loader.get_data_path()
        self.rate = self.library.espeak_Initialize(
            _SYNCHRONOUS_OUTPUT, 0, str(data).encode(), _PHONEME_EVENTS | _DO_NOT_EXIT
        )
        if self.rate <= 0:
            raise InputError(
                Problem(
                    "espeak-ng does not start",
                    str(data),
                    expected="its data folder, at a path under 160 characters",
                    mend="install espeakng-loader again, in a folder with a shorter path",
                )
            )
        self.chunks: list[NDArray[np.int16]] = []
        self.events: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)  # kept alive: the library holds only the pointer
        self.library.espeak_SetSynthCallback(self._callback)

    def _receive(self, wave: Any, samples: int, events: Any) -> int:
        if samples > 0:
            self.chunks.append(np.ctypeslib.as_array(wave, (samples,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_PHONEME:
                name = bytes(events[index].id.string).split(b"\0")[0].decode("utf-8", "replace")
                self.events.append((events[index].sample, name))
            index += 1
        return 0


@cache
def _engine() -> _Engine:
    return _Engine()


def speak(
    text: str,
    voice: str = "en-us",
    rate_wpm: int = 170,
    pitch: int = 50,
    pitch_range: int = 50,
    volume: int = 80,
    *,
    ssml: bool = False,
) -> Speech:
    """Speaks ``text``.

    Args:
        text: What is said, or SSML when ``ssml`` is set.
        voice: espeak-ng voice, with a variant after ``+``: ``en-us+f3``.
        rate_wpm: Words a minute, 80 to 450.
        pitch: Base pitch, 0 to 99.
        pitch_range: Liveliness of the pitch, 0 (monotone) to 99.
        volume: 0 to 200; above 100 the loudest voices clip.
        ssml: Whether ``text`` is SSML.

    Returns:
        Audio at 16 kHz and phoneme times.

    Raises:
        InputError: No such voice, or nothing was spoken.
    """
    engine = _engine()
    if engine.library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise InputError(Problem("unknown espeak-ng voice", voice, expected="a voice such as en-us+f3"))
    for parameter, value in ((_RATE, rate_wpm), (_PITCH, pitch), (_PITCH_RANGE, pitch_range), (_VOLUME, volume)):
        engine.library.espeak_SetParameter(parameter, value, 0)
    engine.library.espeak_ng_SetRandSeed(1)  # it starts from the clock, and breathy voices are made of noise
    engine.chunks.clear()
    engine.events.clear()
    data = text.encode()
    engine.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | (_SSML if ssml else 0), None, None)
    if not engine.chunks:
        raise InputError(Problem("espeak-ng said nothing", repr(text), expected="text with words in it"))
    wave = np.concatenate(engine.chunks)
    return Speech(_resampled(wave, engine.rate), _intervals(engine.events, len(wave), engine.rate))


def sing(words: Sequence[str], notes: Sequence[int], voice: str = "en-us", pitch: int = 45, volume: int = 80) -> Speech:
    """Sings ``words``: stretched vowels, every word held on one level note.

    Args:
        words: The lyrics, one word a note.
        notes: Steps of a rising scale, 0 to 5, one a word.
        voice: As for :func:`speak`.
        pitch: Pitch of note 0, 0 to 99.
        volume: As for :func:`speak`.

    Returns:
        Audio at 16 kHz and phoneme times.
    """
    sung = " ".join(
        f"<prosody pitch='+{_NOTE_PERCENTS[note]}%'>{word}</prosody>" for word, note in zip(words, notes, strict=True)
    )
    return speak(f"<speak>{sung}</speak>", voice, 80, pitch, 0, volume, ssml=True)


def _resampled(wave: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    import soxr

    resampled = soxr.resample(wave.astype(np.float32) / 32768.0, rate, SAMPLE_RATE)
    return np.asarray(np.clip(resampled, -1.0, 1.0), np.float32)


def _intervals(events: list[tuple[int, str]], samples: int, rate: int) -> tuple[tuple[float, float, str], ...]:
    """Phoneme starts to intervals: each ends where the next begins, the last at the end of the audio."""
    starts = [min(sample, samples) / rate for sample, _ in events]
    ends = [*starts[1:], samples / rate]
    return tuple(
        (start, end, name) for start, end, (_, name) in zip(starts, ends, events, strict=True) if name and end > start
    )
