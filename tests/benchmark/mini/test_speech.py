"""Speech: phonemes cover the audio, and singing is told from talking."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.mini.speech import Speech, sing, speak
from benchmark.mini.visemes import is_pause, is_vowel, mouth, shapes
from benchmark.protocol import SAMPLE_RATE


def _vowels(speech: Speech) -> list[float]:
    return [end - start for start, end, name in speech.phonemes if is_vowel(name)]


def test_phonemes_follow_each_other_without_gaps_up_to_the_end_of_the_audio() -> None:
    speech = speak("The boy found a bowl of soup.", "en-us+f2", 160, 50, 50, 80)
    assert speech.audio.dtype == np.float32
    assert np.abs(speech.audio).max() <= 1.0
    starts, ends = ([p[i] for p in speech.phonemes] for i in (0, 1))
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(len(speech.audio) / SAMPLE_RATE, abs=0.01)


def test_a_slower_rate_takes_longer_and_a_smaller_volume_is_quieter() -> None:
    text = "Everybody knows about it."
    fast, slow, quiet = speak(text, rate_wpm=230), speak(text, rate_wpm=110), speak(text, rate_wpm=110, volume=30)
    assert len(slow.audio) > 1.4 * len(fast.audio)
    assert np.std(quiet.audio) < 0.6 * np.std(slow.audio)


def test_singing_holds_its_vowels_longer_than_talking() -> None:
    words = ["slow", "river", "carry", "me", "home"]
    sung, said = sing(words, [0, 1, 2, 3, 5]), speak(" ".join(words))
    assert np.mean(_vowels(sung)) > 1.8 * np.mean(_vowels(said))


def _pitch(audio: NDArray[np.float32]) -> float:
    """Fundamental frequency by autocorrelation, in Hz."""
    wave = audio.astype(np.float64) - audio.mean()
    correlation = np.correlate(wave, wave, "full")[len(wave) :]
    low, high = SAMPLE_RATE // 350, SAMPLE_RATE // 80
    return SAMPLE_RATE / (low + 1 + int(correlation[low:high].argmax()))


def test_sung_notes_rise_with_the_scale() -> None:
    speech = sing(["low", "low", "low"], [0, 3, 5], "en-us+m3", 40)
    vowels = [(start, end) for start, end, name in speech.phonemes if is_vowel(name)]
    pitches = [_pitch(speech.audio[int((s + 0.05) * SAMPLE_RATE) : int((e - 0.05) * SAMPLE_RATE)]) for s, e in vowels]
    assert pitches[0] * 1.1 < pitches[1] < pitches[2] / 1.05


def test_an_unknown_voice_is_bad_input() -> None:
    with pytest.raises(InputError, match="unknown espeak-ng voice"):
        speak("hello", "xx-nowhere")


def test_lips_close_on_bilabials_and_open_on_vowels() -> None:
    phonemes = [(0.2, 0.4, "A:"), (0.4, 0.5, "m"), (0.5, 0.7, "'A:"), (0.7, 0.9, "_:")]
    _, jaw = mouth(phonemes, 40)
    assert jaw[7] > 0.15
    assert jaw[11] < 0.06
    assert jaw[15] > 0.15
    assert jaw[35] < 0.01


@pytest.mark.parametrize("mnemonic", ["'oU", ",aI2", "t#", "l-", "??", "@-", "_:", "xyz"])
def test_every_mnemonic_has_a_mouth_shape(mnemonic: str) -> None:
    assert shapes(mnemonic)
    assert is_pause(mnemonic) == mnemonic.startswith("_")
