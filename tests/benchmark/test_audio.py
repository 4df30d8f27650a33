import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.audio import read_audio, read_recording
from benchmark.errors import InputError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray[Any, Any]:
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_rate_and_format_gives_the_same_tone(rate: int, subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(0.48, rate), rate, subtype=subtype)
    audio = read_audio(path)
    assert audio.dtype == np.float32 and audio.shape == (7_680,)
    error = np.abs(audio - tone(0.48, 16_000))[400:-400]  # resampling filters ring at the ends
    assert error.max() < (0.01 if subtype == "PCM_U8" else 0.001)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    samples = np.zeros((4_800, channels))
    samples[:, 0] = tone(0.1, 48_000)
    soundfile.write(path, samples, 48_000, subtype="FLOAT")
    audio = read_audio(path)
    np.testing.assert_allclose(audio[200:-200] * channels, tone(0.1, 16_000)[200:-200], atol=2e-3)


@pytest.mark.parametrize("samples", [1, 2, 300, 639])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_speech_shorter_than_a_frame_is_read(samples: int, rate: int, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(samples / rate, rate), rate)
    try:
        assert 0 < len(read_audio(path)) <= np.ceil(samples * 16_000 / rate) + 1
    except InputError as error:
        assert samples * 16_000 < rate, error  # less than one sample is left


def test_a_signal_at_full_scale_stays_within_one(tmp_path: Path) -> None:
    path = tmp_path / "square.wav"
    soundfile.write(path, np.sign(tone(0.2, 44_100, 300)), 44_100, subtype="FLOAT")
    assert np.abs(read_audio(path)).max() <= 1.0


@pytest.mark.parametrize(
    ("value", "named"), [(np.nan, "nan"), (np.inf, "inf"), (20_000.0, "20000")], ids=["nan", "infinite", "unscaled"]
)
def test_samples_that_are_no_sound_are_refused(value: float, named: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    samples = tone(0.1, 16_000)
    samples[7] = value
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match=named):
        read_audio(path)


def test_files_that_are_no_sound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    soundfile.write(path, np.zeros((0, 1)), 16_000)
    with pytest.raises(InputError, match="no samples"):
        read_audio(path)
    whole = path.read_bytes()
    for data in (b"", b"RIFF", whole[:20], b"plain text", bytes(1000)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="not a sound file" if data else "empty file"):
            read_audio(path)
    for absent in (tmp_path / "absent.wav", tmp_path):
        with pytest.raises(InputError, match="missing"):
            read_audio(absent)


def test_a_header_that_promises_too_much_is_refused_or_cut(tmp_path: Path) -> None:
    """The sizes in a header are not to be trusted with memory."""
    path = tmp_path / "lies.wav"
    soundfile.write(path, tone(0.1, 16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xf0\xff\xff\xff"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        assert len(read_audio(path)) <= 1_600


@pytest.mark.parametrize("seed", range(30))
def test_damaged_headers_raise_input_errors_only(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "damaged.wav"
    soundfile.write(path, tone(0.05, 22_050), 22_050)
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for position in rng.integers(0, 60, 3):
        data[position] = rng.integers(256)
    path.write_bytes(data[: rng.integers(30, len(data))])
    with contextlib.suppress(InputError):
        assert np.isfinite(read_audio(path)).all()


def test_every_real_recording_is_read(shared: Path) -> None:
    paths = sorted((shared / "real" / "speech").glob("*.wav"))
    assert paths
    for path in paths:
        recording, audio = read_recording(path), read_audio(path)
        assert abs(len(audio) / 16_000 - recording.seconds) < 0.001
        assert 0.01 < np.abs(audio).max() <= 1


def test_one_sentence_at_two_rates_sounds_the_same(shared: Path) -> None:
    speech = shared / "real" / "speech"
    low, high = (read_audio(speech / f"a2f3d_Claire_sadness_{rate}_5_sec.wav") for rate in ("16khz", "44.1khz"))
    assert len(low) == len(high)
    assert np.corrcoef(low, high)[0, 1] > 0.999
