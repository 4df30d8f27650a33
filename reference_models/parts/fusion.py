"""Where texts and speech enter a transformer over motion tokens: before them, or beside them, and who sees whom.

The blocks of such a transformer are here, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from benchmark.protocol import TEXT_FIELDS
from reference_models.batch import RATE, Batch
from reference_models.data import Clips
from reference_models.parts.attention import Attention, FeedForward, KeysAndValues, sinusoids
from reference_models.recipe import Context

FUSIONS = ("ft|ht+a", "ft|a", "ft+ht|a", "ft+ht+a|", "|ft+ht+a")
"""Sources by self-attention | by cross-attention: MM2Face's own fusion first, then the others of its ablation."""
_FULL = len(TEXT_FIELDS)
_TEXT_PLACES = 512
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Sources:
    """Texts and speech as the transformer takes them, and who sees what."""

    prefix: Tensor
    """(B, P, width): what comes before the motion tokens: texts, then speech."""
    sees: Tensor
    """(B, 1, P + J, P + J) bool: which of the prefix and the motion tokens sees which."""
    memory: Tensor
    """(B, N, width): what the motion tokens use by cross-attention: texts, then speech."""
    sees_memory: Tensor
    """(B, 1, J, N) bool: which motion token sees which of it."""


class Fusion(nn.Module):
    """Full text (``ft``), the five texts encoded one by one (``ht``) and speech (``a``), each in its place.

    Args:
        fusion: One of ``FUSIONS``.
        width: Width of the transformer.
        context: Widths of the features; without speech, ``a`` is left out.

    Source:
        MMHead 2024, MM2Face's biased mask and table 4.
    """

    places: Tensor
    audio_mean: Tensor
    audio_std: Tensor

    def __init__(self, fusion: str, width: int, context: Context) -> None:
        super().__init__()
        absent = () if context.audio_width else ("a",)
        own, cross = ([name for name in side.split("+") if name not in ("", *absent)] for side in fusion.split("|"))
        self.own, self.cross = own, cross
        self.text = nn.Sequential(nn.LayerNorm(context.text_width), nn.Linear(context.text_width, width))
        self.text_kind = nn.Embedding(_FULL + 1, width)
        self.place_gain = nn.Parameter(torch.tensor(0.1))
        self.no_text = nn.Parameter(torch.randn(width) * 0.02)
        self.audio = nn.Linear(RATE * context.audio_width, width) if context.audio_width else None
        self.memory_norm = nn.LayerNorm(width) if cross else None
        self.register_buffer("places", sinusoids(_TEXT_PLACES, width), persistent=False)
        self.register_buffer("audio_mean", torch.zeros(context.audio_width))
        self.register_buffer("audio_std", torch.ones(context.audio_width))
        nn.init.normal_(self.text_kind.weight, std=0.02)

    def fit(self, clips: Clips) -> None:
        """Takes the scale of the speech features from the training clips."""
        if clips.audio is not None and self.audio is not None:
            speech = clips.audio.double()
            self.audio_mean.copy_(speech.mean(0).float())
            self.audio_std.copy_(speech.std(0).clamp(min=_LEAST_DEVIATION).float())

    def forward(self, batch: Batch, dropped: Tensor | None = None, shown: Tensor | None = None) -> Sources:
        """The sources of a batch.

        Args:
            batch: Conditions.
            dropped: (B,) bool: clips whose texts are all hidden.
            shown: (B, 5) bool: which of the five texts encoded one by one are not hidden.
        """
        length = batch.padded // RATE
        text, text_seen = self._texts(batch, self.own, dropped, shown)
        speech = self._speech(batch, self.own)
        memory_text, memory_seen = self._texts(batch, self.cross, dropped, shown)
        memory_speech = self._speech(batch, self.cross)
        memory = torch.cat([memory_text, memory_speech], dim=1)
        return Sources(
            prefix=torch.cat([text, speech], dim=1),
            sees=_sees(text_seen, speech.shape[1], length),
            memory=memory if self.memory_norm is None else self.memory_norm(memory),
            sees_memory=_sees_memory(memory_seen, memory_speech.shape[1], length),
        )

    def _texts(
        self, batch: Batch, names: Sequence[str], dropped: Tensor | None, shown: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, L, width) tokens of the texts among these sources, and (B, L) bool where there is one.

        The first is the learned absence of text, there only where no other is: no query is left without a key.
        """
        values = [self.no_text.expand(len(batch), 1, -1)]
        seen: list[Tensor] = []
        for name in names:
            if name == "ft":
                values.append(self._text(batch.full, torch.full_like(batch.full_mask, _FULL, dtype=torch.long)))
                seen.append(batch.full_mask)
            elif name == "ht":
                field = batch.text_field.clamp(min=0)
                values.append(self._text(batch.text, field))
                seen.append(batch.text_mask if shown is None else batch.text_mask & shown.gather(1, field))
        if not seen:
            return values[0][:, :0], batch.full_mask[:, :0]
        there = torch.cat(seen, dim=1)
        if dropped is not None:
            there = there & ~dropped[:, None]
        return torch.cat(values, dim=1), torch.cat([~there.any(1, keepdim=True), there], dim=1)

    def _text(self, features: Tensor, kind: Tensor) -> Tensor:
        place = torch.arange(features.shape[1], device=features.device).clamp(max=_TEXT_PLACES - 1)
        tokens: Tensor = self.text(features) + self.text_kind(kind) + self.place_gain * self.places[place]
        return tokens

    def _speech(self, batch: Batch, names: Sequence[str]) -> Tensor:
        """(B, J, width): the speech, four frames a token; (B, 0, width) where it is not among the sources."""
        if self.audio is None or "a" not in names:
            return self.no_text.expand(len(batch), 0, -1)
        if batch.audio is None:
            raise ValueError("a model built for clips with speech was given a clip without")
        speech = (batch.audio - self.audio_mean) / self.audio_std * batch.mask[..., None]
        tokens: Tensor = self.audio(speech.reshape(len(batch), -1, self.audio.in_features))
        return tokens


def without_texts(batch: Batch) -> Batch:
    """The same clips with no text tokens at all: what hidden texts amount to, at less cost."""
    return replace(
        batch,
        text=batch.text[:, :0],
        text_field=batch.text_field[:, :0],
        full=batch.full[:, :0],
        full_mask=batch.full_mask[:, :0],
    )


class Block(nn.Module):
    """Self-attention, cross-attention of the motion tokens where there is a memory, feed-forward; each after a norm.

    Args:
        width: Width of the transformer.
        heads: Attention heads.
        hidden: Width within the feed-forward part.
        dropout: Of what each part adds.
        crossed: Whether there is a memory.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float, crossed: bool) -> None:
        super().__init__()
        self.norm_own, self.own = nn.LayerNorm(width), Attention(width, heads)
        self.norm_cross = nn.LayerNorm(width) if crossed else None
        self.cross = Attention(width, heads) if crossed else None
        self.norm_forward, self.feed_forward = nn.LayerNorm(width), FeedForward(width, hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        sees: Tensor,
        memory: Tensor,
        sees_memory: Tensor,
        prefix: int,
        caches: Sequence[KeysAndValues | None] = (None, None),
    ) -> Tensor:
        """(B, P + n, width) to the same shape.

        Args:
            x: (B, P + n, width): prefix, then n motion tokens.
            sees: (B, 1, P + n, all keys) bool.
            memory: (B, N, width).
            sees_memory: (B, 1, n, N) bool.
            prefix: P: these positions use no cross-attention.
            caches: Of self-attention and of cross-attention.
        """
        x = x + self.dropout(self.own(self.norm_own(x), mask=sees, cache=caches[0]))
        if self.cross is not None and self.norm_cross is not None and prefix < x.shape[1]:
            before, motion = x[:, :prefix], x[:, prefix:]
            seen = self.cross(self.norm_cross(motion), memory, sees_memory, caches[1])
            x = torch.cat([before, motion + self.dropout(seen)], dim=1)
        return x + self.feed_forward(self.norm_forward(x))  # type: ignore[no-any-return]


class Room(KeysAndValues):
    """Keys and values in tensors as long as they will get: only what is new is copied.

    Each head's keys lie one after the other, which attention of single queries reads two to three times as fast.

    Args:
        capacity: Keys there will be.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity, self._used = capacity, 0
        self._rooms: tuple[Tensor, Tensor] | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Appends new positions and returns all."""
        if self._rooms is None:
            size = (*keys.shape[:2], self._capacity, keys.shape[3])
            self._rooms = keys.new_empty(size), values.new_empty(size)
        start, self._used = self._used, self._used + keys.shape[2]
        for room, new in zip(self._rooms, (keys, values), strict=True):
            room[:, :, start : self._used] = new
        self.keys, self.values = self._rooms[0][:, :, : self._used], self._rooms[1][:, :, : self._used]
        return self.keys, self.values


def _sees(text_seen: Tensor, speech: int, length: int) -> Tensor:
    """(B, 1, S, S) bool: who sees whom among texts, speech and motion tokens.

    All see the texts; a speech token is seen by itself and its motion token; a motion token by itself and later ones.

    Args:
        text_seen: (B, L) bool: where there is a text token.
        speech: Speech tokens, none or as many as motion tokens.
        length: Motion tokens.
    """
    device = text_seen.device
    counts = (text_seen.shape[1], speech, length)
    kind = torch.cat([torch.full((count,), kind, device=device) for kind, count in enumerate(counts)])  # text: 0
    place = torch.cat([torch.arange(count, device=device) for count in counts])
    query, at = kind[:, None], place[:, None]
    rule = (kind == 0) | ((kind == 1) & (query > 0) & (place == at)) | ((kind == 2) & (query == 2) & (place <= at))
    return (rule & pad(text_seen, (0, speech + length), value=True)[:, None])[:, None]


def _sees_memory(text_seen: Tensor, speech: int, length: int) -> Tensor:
    """(B, 1, J, N) bool: motion tokens see all texts and their own part of the speech. Arguments as of ``_sees``."""
    aligned = torch.eye(length, speech, dtype=torch.bool, device=text_seen.device)
    size = len(text_seen)
    return torch.cat([text_seen[:, None].expand(size, length, -1), aligned.expand(size, -1, -1)], dim=2)[:, None]
