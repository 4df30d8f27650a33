"""Sequences of many lengths through an encoder, in batches of about equal length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from benchmark.protocol import FloatArray

if TYPE_CHECKING:
    import torch

    Encode = Callable[[list[torch.Tensor], torch.Tensor], torch.Tensor]

_CHUNK = 64
"""Sequences in memory at once."""
_BATCH_STEPS = 4096
"""Padded time steps in one batch."""

Channels = tuple[FloatArray, ...]
"""One sequence's inputs, (T, D) each, of one length."""


def embed_all(sequences: Iterable[Channels], encode: "Encode", device: str, dim: int) -> FloatArray:
    """Embeds sequences; a sequence's embedding does not depend on the others.

    Args:
        sequences: Any number, any lengths; consumed as a stream.
        encode: From padded channels (B, T, D) and mask (B, T) to embeddings (B, d).
        device: Torch device the batches are moved to.
        dim: Width d of an embedding.

    Returns:
        (N, d) float32.
    """
    import torch

    stream, parts = iter(sequences), [np.zeros((0, dim), dtype=np.float32)]
    while chunk := list(islice(stream, _CHUNK)):
        embedded = np.empty((len(chunk), dim), dtype=np.float32)
        for items in _buckets([len(channels[0]) for channels in chunk]):
            with torch.inference_mode():
                inputs, mask = padded([chunk[item] for item in items], device)
                embedded[items] = encode(inputs, mask).float().cpu().numpy()
        parts.append(embedded)
    return np.concatenate(parts)


def padded(batch: Sequence[Channels], device: str = "cpu") -> "tuple[list[torch.Tensor], torch.Tensor]":
    """Sequences of several lengths as tensors (B, T, D), filled with zeros, and the mask (B, T) of what is real."""
    import torch

    lengths = [len(channels[0]) for channels in batch]
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    inputs = []
    for channel in range(len(batch[0])):
        block = torch.zeros(len(batch), max(lengths), batch[0][channel].shape[1])
        for row, channels in enumerate(batch):
            block[row, : lengths[row]] = torch.from_numpy(np.asarray(channels[channel], dtype=np.float32))
        inputs.append(block.to(device))
    return inputs, mask.to(device)


def _buckets(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches, longest first, each of at most `_BATCH_STEPS` padded steps."""
    order = sorted(range(len(lengths)), key=lambda item: -lengths[item])
    while order:
        size = max(1, _BATCH_STEPS // max(1, lengths[order[0]]))
        batch, order = order[:size], order[size:]
        yield batch
