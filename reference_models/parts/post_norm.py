"""Layers as of the first transformer: normalised after each sum, ReLU between, with a cache for single steps."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import dropout

from reference_models.parts.attention import Attention, KeysAndValues

Memory = Literal["none", "all", "own"]


class OwnFrame(nn.Module):
    """Cross-attention in which position i sees only memory i: its one weight is 1, so that it is a linear map.

    Queries and keys, which would never get a gradient, are left out. In training each head of a position is dropped
    as its attention weight would be.

    Args:
        width: Width of memory and output.
        heads: Number of heads.
        rate: Of dropout.

    Source:
        Fan et al. 2022 (FaceFormer), section 3.3.
    """

    def __init__(self, width: int, heads: int, rate: float = 0.0) -> None:
        super().__init__()
        self.heads, self.rate = heads, rate
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, memory: Tensor) -> Tensor:
        """(B, T, width) to (B, T, width)."""
        values = self.value(memory).unflatten(-1, (self.heads, -1))  # (B, T, heads, width / heads)
        kept = dropout(values.new_ones(*values.shape[:3], 1), self.rate, self.training)
        return self.out((values * kept).flatten(2))  # type: ignore[no-any-return]


class PostNormLayer(nn.Module):
    """Self-attention, cross-attention to a memory, two linear maps; a layer norm after each is added.

    Args:
        width: Width of input, memory and output.
        heads: Number of heads.
        hidden: Width between the two maps.
        rate: Of dropout of what is added, and of a position's own memory.
        memory: Whether positions see no memory, all of it, or only their own.
        attention_rate: Of dropout of attention weights, which on a CPU takes long.

    Source:
        Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, rate: float, memory: Memory, attention_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.attention = Attention(width, heads, attention_rate)
        self.cross: nn.Module | None = None
        if memory != "none":
            own = memory == "own"
            self.cross = OwnFrame(width, heads, rate) if own else Attention(width, heads, attention_rate)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(rate), nn.Linear(hidden, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 if memory == "none" else 3))
        self.dropout = nn.Dropout(rate)

    def forward(
        self,
        values: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: KeysAndValues | None = None,
    ) -> Tensor:
        """Attends to itself and to the memory.

        Args:
            values: (B, Q, width).
            memory: (B, N, width), N = Q where positions see their own.
            mask: Of self-attention, as in :class:`Attention`.
            memory_mask: Of cross-attention where positions see all of the memory.
            cache: Of self-attention's keys and values, for decoding step by step.

        Returns:
            (B, Q, width).
        """
        values = self.norms[0](values + self.dropout(self.attention(values, mask=mask, cache=cache)))
        if self.cross is not None:
            assert memory is not None
            seen = self.cross(memory) if isinstance(self.cross, OwnFrame) else self.cross(values, memory, memory_mask)
            values = self.norms[1](values + self.dropout(seen))
        return self.norms[-1](values + self.dropout(self.feed(values)))  # type: ignore[no-any-return]
