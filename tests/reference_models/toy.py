"""Toy clips for tests of reference models: random smooth motions, random features, nothing read from disk."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from reference_models.data import Clips
from reference_models.recipe import Context


def toy_clips(
    n: int = 6,
    seed: int = 0,
    *,
    audio: bool = True,
    text_width: int = 16,
    audio_width: int = 12,
    frames: Sequence[int] | None = None,
) -> Clips:
    """Clips of 9 to 24 frames, texts of 2 to 5 tokens each."""
    rng = np.random.default_rng(seed)
    lengths = np.array(frames if frames is not None else rng.integers(9, 25, n))
    tokens = rng.integers(2, 6, (len(lengths), 6))
    motion = [np.cumsum(rng.normal(0, 0.1, (length, 56)), axis=0) * scale() for length in lengths]
    return Clips(
        ids=tuple(f"TOY_{i}" for i in range(len(lengths))),
        frames=torch.from_numpy(lengths).long(),
        tokens=torch.from_numpy(rng.normal(size=(tokens.sum(), text_width)).astype(np.float16)),
        token_lengths=torch.from_numpy(tokens).long(),
        audio=torch.from_numpy(rng.normal(size=(lengths.sum(), audio_width)).astype(np.float16)) if audio else None,
        motion=torch.from_numpy(np.concatenate(motion).astype(np.float32)),
    )


def scale() -> np.ndarray:
    """Expression moves by ones, neck and jaw by tenths of a radian."""
    return np.concatenate([np.ones(50), np.full(6, 0.1)])


def toy_context(clips: Clips, needs: Mapping[str, nn.Module] | None = None) -> Context:
    """What a network for these clips is built on."""
    return Context(clips.text_width, clips.audio_width, needs=dict(needs or {}))
