"""Frozen text and audio features, with a disk cache by content."""

from pathlib import Path

from benchmark._features_audio import SAMPLES_PER_FRAME, AudioEncoder, LogMel, Wav2Vec2, prepared
from benchmark._features_cache import FeatureCache
from benchmark._features_text import MINILM_SHA256, TextEncoder, minilm, text_encoder_from
from benchmark.storage import home

__all__ = [
    "MINILM_SHA256",
    "SAMPLES_PER_FRAME",
    "AudioEncoder",
    "FeatureCache",
    "LogMel",
    "TextEncoder",
    "Wav2Vec2",
    "audio_encoder",
    "prepared",
    "text_encoder",
]


def default_cache() -> FeatureCache:
    """The cache below mmbench's home."""
    return FeatureCache(home() / "features")


def text_encoder(
    name_or_dir: str | Path = "minilm", device: str = "cpu", cache: FeatureCache | None = None
) -> TextEncoder:
    """A frozen text encoder.

    Args:
        name_or_dir: ``minilm`` (all-MiniLM-L6-v2, shipped as a package, texts cut at 256 tokens), or a local folder in
            the transformers format such as DistilBERT-base-uncased (texts cut at 300 tokens).
        device: Torch device.
        cache: Where features are kept; the default is below mmbench's home.

    Raises:
        InputError: The weights are missing or, for ``minilm``, not the published ones.
    """
    cache = cache or default_cache()
    if str(name_or_dir) == "minilm":
        return minilm(device, cache)
    return text_encoder_from(Path(name_or_dir), device, cache)


def audio_encoder(
    name_or_dir: str | Path = "logmel", device: str = "cpu", cache: FeatureCache | None = None
) -> AudioEncoder:
    """A frozen audio encoder.

    Args:
        name_or_dir: ``logmel``, or a local folder with a wav2vec 2.0 in the transformers format.
        device: Torch device.
        cache: Where features are kept; the default is below mmbench's home.

    Raises:
        InputError: The folder holds no such model.
    """
    if str(name_or_dir) == "logmel":
        return LogMel()
    return Wav2Vec2(Path(name_or_dir), device, cache or default_cache())
