"""Multi-head attention over a sequence or a memory, with a cache for decoding step by step."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class KeysAndValues:
    """Keys and values of the positions decoded so far, or of a memory: what attention need not compute twice."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        """(B, heads, N, width / heads)."""
        self.values: Tensor | None = None
        """Of the same shape."""

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Appends new positions and returns all."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values


class Attention(nn.Module):
    """Multi-head attention of queries (B, Q, width) over themselves or over a memory (B, N, memory_width).

    Args:
        width: Width of the queries and of the output.
        heads: Number of heads.
        dropout: Of attention weights, in training.
        memory_width: Width of the memory; that of the queries by default.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, memory_width: int | None = None) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        queries: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        cache: KeysAndValues | None = None,
    ) -> Tensor:
        """Attends.

        Args:
            queries: (B, Q, width).
            memory: (B, N, memory_width); None for self-attention.
            mask: Broadcastable to (B, heads, Q, all keys): bool, True where a query sees a key, or an additive bias.
                Each query must see a key.
            cache: With it, self-attention appends its new keys to those of earlier calls, and cross-attention computes
                the memory's keys in the first call only.

        Returns:
            (B, Q, width).
        """
        query = self._split(self.query(queries))
        if memory is not None and cache is not None and cache.keys is not None and cache.values is not None:
            keys, values = cache.keys, cache.values
        else:
            keys, values = map(self._split, self.key_value(queries if memory is None else memory).chunk(2, dim=-1))
            if cache is not None:
                keys, values = cache.extend(keys, values)
        dropped = self.dropout if self.training else 0.0
        seen = scaled_dot_product_attention(query, keys, values, attn_mask=mask, dropout_p=dropped)
        return self.out(seen.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, values: Tensor) -> Tensor:
        split = values.view(*values.shape[:-1], self.heads, values.shape[-1] // self.heads)
        return split.transpose(1, 2)  # (B, heads, N, width / heads)


class FeedForward(nn.Sequential):
    """Two linear maps with GELU between them.

    Args:
        width: Width of input and output.
        hidden: Width between.
        dropout: Of the output, in training.
    """

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout))


def sinusoids(positions: int, width: int) -> Tensor:
    """(positions, width) sinusoidal position codes.

    Source:
        Vaswani et al. 2017, section 3.5.
    """
    place = torch.arange(positions, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-9.210340371976184 / width))
    codes = torch.zeros(positions, width)
    codes[:, 0::2] = torch.sin(place * rate)
    codes[:, 1::2] = torch.cos(place * rate)[:, : width // 2]
    return codes
