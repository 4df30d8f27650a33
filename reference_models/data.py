"""Clips as flat tensors with the frozen features of texts and speech, and batches cut from them.

Imports torch: import this module inside functions only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import InputError, Problem
from benchmark.features import AudioEncoder, TextEncoder
from benchmark.progress import Progress, no_progress
from benchmark.protocol import PARAMETERS, TEXT_FIELDS, Condition, FloatArray, Texts
from benchmark.storage import write_npz
from reference_models.batch import RATE, Batch

_FIELDS = len(TEXT_FIELDS)
_CHUNK = 64


@dataclass(frozen=True)
class Clips:
    """Clips one after the other in flat tensors, all on one device."""

    ids: tuple[str, ...]
    """Clip ids."""
    frames: Tensor
    """(N,) int64: length of each clip."""
    tokens: Tensor
    """(sum of L, d_text): token features; of each clip the five texts, then the full text."""
    token_lengths: Tensor
    """(N, 6) int64: tokens of each of them."""
    audio: Tensor | None
    """(sum of T, d_audio): speech features a motion frame; None without speech."""
    motion: Tensor | None
    """(sum of T, 56): true parameters; None where they are asked for."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def text_width(self) -> int:
        """Width of a text token's features."""
        return int(self.tokens.shape[1])

    @property
    def audio_width(self) -> int:
        """Width of a frame's speech features; 0 without speech."""
        return 0 if self.audio is None else int(self.audio.shape[1])

    def to(self, device: torch.device | str) -> "Clips":
        """The same clips on another device."""
        return replace(
            self,
            frames=self.frames.to(device),
            tokens=self.tokens.to(device),
            token_lengths=self.token_lengths.to(device),
            audio=None if self.audio is None else self.audio.to(device),
            motion=None if self.motion is None else self.motion.to(device),
        )

    def batch(self, items: Sequence[int] | Tensor) -> Batch:
        """The clips at these indices, padded to one length, features as float32."""
        rows = torch.as_tensor(items, dtype=torch.long, device=self.frames.device)
        frames = self.frames[rows]
        starts = _starts(self.frames)[rows]
        longest = -(-int(frames.max()) // RATE) * RATE
        lengths = self.token_lengths[rows]  # (B, 6)
        own = lengths[:, :_FIELDS].sum(1)
        first = _starts(self.token_lengths.sum(1))[rows]
        text, present = _gather(self.tokens, first, own, int(own.max()))
        full, full_mask = _gather(self.tokens, first + own, lengths[:, _FIELDS], int(lengths[:, _FIELDS].max()))
        position = torch.arange(text.shape[1], device=rows.device).expand(len(rows), -1).contiguous()
        field = torch.searchsorted(lengths[:, :_FIELDS].cumsum(1).contiguous(), position, right=True)
        return Batch(
            frames=frames,
            text=text,
            text_field=torch.where(present, field, -1),
            full=full,
            full_mask=full_mask,
            audio=None if self.audio is None else _gather(self.audio, starts, frames, longest)[0],
            motion=None if self.motion is None else _gather(self.motion, starts, frames, longest)[0],
            padded=longest,
        )


def _starts(lengths: Tensor) -> Tensor:
    return lengths.cumsum(0) - lengths


def _gather(flat: Tensor, starts: Tensor, lengths: Tensor, padded: int) -> tuple[Tensor, Tensor]:
    """Rows of a flat tensor padded to (B, padded, d) float32 with zeros, and where they are."""
    position = torch.arange(padded, device=flat.device)
    present = position < lengths[:, None]
    index = (starts[:, None] + position).clamp(max=max(len(flat) - 1, 0))
    values = flat[index].float() * present[..., None]
    return values, present


def features_of(
    conditions: Iterable[Condition],
    motions: Callable[[str], FloatArray] | None,
    text: TextEncoder,
    audio: AudioEncoder | None,
    progress: Progress = no_progress,
    total: int = 0,
) -> Clips:
    """Conditions through the frozen encoders.

    Args:
        conditions: Clips as generators are told of them; consumed in chunks.
        motions: Gives the true motion (T, 56) of a clip id, for training; None where motions are asked for.
        text: Frozen text encoder.
        audio: Frozen audio encoder; None to leave speech out.
        progress: Told how many clips are done.
        total: Number of conditions, for progress.

    Raises:
        InputError: A clip without speech where there is an audio encoder.
    """
    ids: list[str] = []
    frames: list[int] = []
    tokens: list[FloatArray] = []
    speech: list[FloatArray] = []
    truth: list[FloatArray] = []
    for chunk in _chunks(conditions):
        tokens += text.tokens([line for condition in chunk for line in six_texts(condition.texts)])
        for condition in chunk:
            ids.append(condition.clip_id)
            frames.append(condition.frames)
            if audio is not None:
                speech.append(audio.frames(_speech(condition), condition.frames))
            if motions is not None:
                truth.append(motions(condition.clip_id))
        progress("features of texts and speech", len(ids), max(total, len(ids)))
    lengths = np.array([len(part) for part in tokens], dtype=np.int64).reshape(-1, _FIELDS + 1)
    return Clips(
        ids=tuple(ids),
        frames=torch.tensor(frames, dtype=torch.long),
        tokens=_flat(tokens, text.dim, np.float16),
        token_lengths=torch.from_numpy(lengths),
        audio=None if audio is None else _flat(speech, audio.dim, np.float16),
        motion=None if motions is None else _flat(truth, PARAMETERS, np.float32),
    )


def six_texts(texts: Texts) -> list[str]:
    """The five texts one by one, then as one: what the text encoder is given of a clip."""
    return [*(getattr(texts, name).strip() for name in TEXT_FIELDS), texts.joined()]


def _chunks(conditions: Iterable[Condition]) -> Iterable[list[Condition]]:
    chunk: list[Condition] = []
    for condition in conditions:
        chunk.append(condition)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _speech(condition: Condition) -> FloatArray:
    if condition.audio is None:
        raise InputError(Problem("the clip has no speech", condition.clip_id, "a condition with audio"))
    return condition.audio


def _flat(parts: Sequence[FloatArray], width: int, dtype: type) -> Tensor:
    flat = np.concatenate([part.astype(dtype) for part in parts]) if parts else np.zeros((0, width), dtype)
    return torch.from_numpy(flat)


def write_clips(path: Path, clips: Clips) -> None:
    """Keeps clips with their features in a file that needs no encoder to be read."""
    arrays = {name: value.cpu().numpy() for name, value in clips.__dict__.items() if isinstance(value, Tensor)}
    write_npz(path, {**arrays, "ids": np.array(clips.ids)})


def read_clips(path: Path) -> Clips:
    """Clips kept by :func:`write_clips`.

    Raises:
        InputError: No such file, or another content.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        ids = tuple(str(name) for name in arrays.pop("ids"))
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        audio, motion = tensors.pop("audio", None), tensors.pop("motion", None)
        return Clips(ids, tensors["frames"], tensors["tokens"], tensors["token_lengths"], audio, motion)
    except (OSError, ValueError, KeyError, TypeError) as error:
        mend = "run mmbench train --prepare again"
        raise InputError(
            Problem("no training features", str(path), "a file of training features", str(error), mend)
        ) from error
