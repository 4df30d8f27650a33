"""Frozen audio encoders: log-mel frames, and wav2vec 2.0 from a local folder. Both give one feature a motion frame."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark._features_cache import FeatureCache, FloatArray
from benchmark._features_models import load_frozen, weights_file
from benchmark.protocol import FPS, SAMPLE_RATE
from benchmark.storage import content_hash, sha256_file

if TYPE_CHECKING:
    import torch

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
_HOPS, _BANDS, _WINDOW, _FFT = 4, 40, 400, 512
_FLOOR = 1e-5


class AudioEncoder(Protocol):
    """A frozen encoder of speech, aligned to motion frames."""

    @property
    def name(self) -> str:
        """Name of the encoder, for results."""

    @property
    def sha256(self) -> str:
        """SHA-256 of its weights, or of its settings where it has none."""

    @property
    def dim(self) -> int:
        """Width of a frame's feature."""

    def frames(self, audio: FloatArray, frames: int) -> FloatArray:
        """One feature a motion frame.

        The signal is scaled to zero mean and unit variance over all of ``audio``, then cut or filled with zeros to
        ``frames`` x 640 samples: a feature depends neither on the recording's level nor on a batch.

        Args:
            audio: (S,) float32, mono, 16 kHz.
            frames: Number of motion frames at 25 fps.

        Returns:
            (frames, dim) float32.
        """


def prepared(audio: FloatArray, frames: int) -> FloatArray:
    """``audio`` at zero mean and unit variance, then cut or filled with zeros to ``frames`` motion frames."""
    signal = np.asarray(audio, dtype=np.float64)
    signal = (signal - signal.mean()) / np.sqrt(signal.var() + 1e-7) if signal.size else signal
    fitted = np.zeros(frames * SAMPLES_PER_FRAME, dtype=np.float32)
    shared = min(len(fitted), len(signal))
    fitted[:shared] = signal[:shared]
    return fitted


def _mel_filters(bands: int, bins: int) -> NDArray[np.float64]:
    """Triangular filters, equally spaced on the mel scale from 0 to 8 kHz: (bins, bands)."""
    edges_mel = np.linspace(0.0, 2595.0 * np.log10(1 + SAMPLE_RATE / 2 / 700.0), bands + 2)
    edges = 700.0 * (10 ** (edges_mel / 2595.0) - 1)
    frequency = np.linspace(0.0, SAMPLE_RATE / 2, bins)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None))


class LogMel:
    """Log-mel energies every 10 ms, the four of a motion frame stacked: 160 numbers, fine enough to judge synchrony.

    Not cached on disk: computing them is as fast as reading them.
    """

    name = "logmel"
    dim = _HOPS * _BANDS

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the settings."""
        return content_hash("logmel 1", *map(str, (_HOPS, _BANDS, _WINDOW, _FFT, _FLOOR, SAMPLE_RATE, FPS)))

    @cached_property
    def _filters(self) -> NDArray[np.float64]:
        return _mel_filters(_BANDS, _FFT // 2 + 1)

    def frames(self, audio: FloatArray, frames: int) -> FloatArray:
        """See `AudioEncoder.frames`."""
        hop = SAMPLES_PER_FRAME // _HOPS
        margin = (_WINDOW - hop) // 2  # each window is centred on its 10 ms
        signal = np.pad(prepared(audio, frames), (margin, _WINDOW))
        windows = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[: frames * SAMPLES_PER_FRAME : hop]
        power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), _FFT)) ** 2 / _WINDOW
        mel = np.log(power @ self._filters + _FLOOR)  # (frames * 4, bands)
        return np.asarray(mel.reshape(frames, self.dim), dtype=np.float32)


class Wav2Vec2:
    """wav2vec 2.0 features, brought to the motion's frame rate between the convolutions and the transformer.

    Source:
        FaceFormer (Fan et al. 2022) and the evaluation code released with MMHead; golden values pin it.
    """

    def __init__(self, folder: Path, device: str, cache: FeatureCache | None) -> None:
        self.name = folder.resolve().name
        self.sha256 = sha256_file(weights_file(folder))
        self._folder, self._device, self._cache = folder, device, cache

    @cached_property
    def dim(self) -> int:
        """Width of a frame's feature."""
        import json

        return int(json.loads((self._folder / "config.json").read_text(encoding="utf-8"))["hidden_size"])

    @cached_property
    def _model(self) -> Any:
        from transformers import Wav2Vec2Model

        return load_frozen(Wav2Vec2Model, self._folder, self._device, attn_implementation="eager")

    def frames(self, audio: FloatArray, frames: int) -> FloatArray:
        """See `AudioEncoder.frames`."""
        signal = prepared(audio, frames)
        key = content_hash("wav2vec2 features 1", self.sha256, signal)
        if self._cache and (known := self._cache.get(key)) is not None:
            return known
        features: FloatArray = self.encode(signal[None], frames)[0]
        if self._cache:
            self._cache.put(key, features)
        return features

    def encode(self, signals: FloatArray, frames: int) -> FloatArray:
        """Features of prepared signals of one length, without an attention mask.

        Args:
            signals: (B, S) float32, taken as they are.
            frames: Number of motion frames they are stretched to.

        Returns:
            (B, frames, dim) float32.
        """
        import torch

        with torch.inference_mode():
            waves = torch.from_numpy(np.ascontiguousarray(signals, dtype=np.float32)).to(self._device)
            features: FloatArray = _stretched(self._model, waves, frames).float().cpu().numpy()
        return features


def _stretched(model: Any, waves: "torch.Tensor", frames: int) -> "torch.Tensor":
    from torch.nn.functional import interpolate

    local = model.feature_extractor(waves)  # (B, channels, about 49 a second)
    local = interpolate(local, size=frames, mode="linear", align_corners=True)
    hidden, _ = model.feature_projection(local.transpose(1, 2))
    output: torch.Tensor = model.encoder(hidden).last_hidden_state
    return output
