"""Mouth shapes of phonemes, and how neighbouring ones blend into each other.

Source: dominance functions after Cohen & Massaro, "Modeling coarticulation in synthetic visual speech" (1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmark.mini.channels import CHANNELS
from benchmark.protocol import FPS

INDEX = {name: index for index, name in enumerate(CHANNELS)}


@dataclass(frozen=True)
class Viseme:
    """Target of the mouth while a phoneme sounds."""

    jaw: float
    """Jaw opening in radians."""
    lips: dict[str, float] = field(default_factory=dict)
    """Channel activations; a name without Left or Right means both sides."""
    strength: float = 1.0
    """How firmly it holds against its neighbours: a lip closure must be reached, an h looks like its vowel."""


_REST = Viseme(0.0, {}, 0.5)
_SHAPES: dict[str, Viseme] = {
    "lips": Viseme(0.0, {"mouthPress": 0.45, "mouthRollLower": 0.3, "mouthRollUpper": 0.25}, 3.5),
    "teeth": Viseme(0.035, {"mouthRollLower": 0.6, "mouthUpperUp": 0.3, "mouthShrugLower": 0.15}, 2.5),
    "tongue": Viseme(0.06, {"tongueShow": 0.7, "mouthLowerDown": 0.2}, 1.6),
    "alveolar": Viseme(0.045, {"mouthLowerDown": 0.22, "mouthStretch": 0.12}, 0.9),
    "sibilant": Viseme(0.025, {"mouthStretch": 0.28, "mouthLowerDown": 0.3, "mouthUpperUp": 0.12}, 1.5),
    "hush": Viseme(0.035, {"mouthFunnel": 0.65, "mouthUpperUp": 0.15, "mouthLowerDown": 0.2}, 1.7),
    "back": Viseme(0.07, {"mouthLowerDown": 0.12}, 0.6),
    "breath": Viseme(0.08, {}, 0.3),
    "r": Viseme(0.06, {"mouthPucker": 0.35, "mouthFunnel": 0.3}, 1.1),
    "w": Viseme(0.035, {"mouthPucker": 0.85, "mouthFunnel": 0.2}, 1.8),
    "j": Viseme(0.05, {"mouthStretch": 0.3, "mouthSmile": 0.15}, 0.8),
    "open": Viseme(0.24, {"mouthLowerDown": 0.4, "mouthUpperUp": 0.2}, 1.2),
    "wide": Viseme(0.19, {"mouthLowerDown": 0.4, "mouthUpperUp": 0.25, "mouthStretch": 0.3}, 1.2),
    "half": Viseme(0.15, {"mouthLowerDown": 0.35, "mouthUpperUp": 0.15, "mouthStretch": 0.2}, 1.1),
    "close": Viseme(0.08, {"mouthSmile": 0.3, "mouthStretch": 0.4, "mouthLowerDown": 0.25}, 1.1),
    "lax": Viseme(0.1, {"mouthStretch": 0.25, "mouthLowerDown": 0.25}, 1.0),
    "schwa": Viseme(0.11, {"mouthLowerDown": 0.2}, 0.7),
    "round": Viseme(0.18, {"mouthFunnel": 0.55, "mouthLowerDown": 0.2}, 1.2),
    "pout": Viseme(0.08, {"mouthPucker": 0.8, "mouthFunnel": 0.3}, 1.4),
    "rounded_r": Viseme(0.11, {"mouthPucker": 0.4, "mouthFunnel": 0.35}, 1.1),
}
_PHONEMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("p", "b", "m"), ("lips",)),
    **dict.fromkeys(("f", "v"), ("teeth",)),
    **dict.fromkeys(("T", "D"), ("tongue",)),
    **dict.fromkeys(("t", "d", "n", "l", "t2", "l^"), ("alveolar",)),
    **dict.fromkeys(("s", "z"), ("sibilant",)),
    **dict.fromkeys(("S", "Z", "tS", "dZ"), ("hush",)),
    **dict.fromkeys(("k", "g", "N", "x", "?"), ("back",)),
    "h": ("breath",),
    "r": ("r",),
    "w": ("w",),
    "j": ("j",),
    **dict.fromkeys(("a", "aa", "a#"), ("wide",)),
    **dict.fromkeys(("A", "A:", "A@", "0"), ("open",)),
    **dict.fromkeys(("E", "e", "e@"), ("half",)),
    **dict.fromkeys(("i", "i:", "i@"), ("close",)),
    **dict.fromkeys(("I", "I2", "I#"), ("lax",)),
    **dict.fromkeys(("@", "@2", "@L", "V"), ("schwa",)),
    **dict.fromkeys(("O", "O:", "O@", "o", "o@", "0#"), ("round",)),
    **dict.fromkeys(("u", "u:", "U", "U@"), ("pout",)),
    **dict.fromkeys(("3", "3:"), ("rounded_r",)),
    **dict.fromkeys(("aI", "aI2"), ("open", "lax")),
    **dict.fromkeys(("aI@", "aU@"), ("open", "schwa")),
    "aU": ("open", "pout"),
    "eI": ("half", "close"),
    "OI": ("round", "lax"),
    "oU": ("round", "pout"),
}
_REACH = 0.028
"""Seconds over which a mouth shape fades into its neighbours."""
_VOWEL_FALLBACK, _CONSONANT_FALLBACK = ("schwa",), ("alveolar",)


def is_vowel(phoneme: str) -> bool:
    """Whether an espeak-ng mnemonic names a vowel."""
    return _bare(phoneme)[:1] in tuple("aAeEiIoOuUV03@")


def is_pause(phoneme: str) -> bool:
    """Whether an espeak-ng mnemonic names silence."""
    return _bare(phoneme)[:1] in ("", "_")


def _bare(phoneme: str) -> str:
    return phoneme.strip("',%=;-|\"*")


def shapes(phoneme: str) -> tuple[Viseme, ...]:
    """Mouth targets of one phoneme: none for a pause (the mouth rests), two for a diphthong."""
    if is_pause(phoneme):
        return (_REST,)
    name = _bare(phoneme)
    for length in range(len(name), 0, -1):
        if found := _PHONEMES.get(name[:length]):
            return tuple(_SHAPES[shape] for shape in found)
    return tuple(_SHAPES[shape] for shape in (_VOWEL_FALLBACK if is_vowel(phoneme) else _CONSONANT_FALLBACK))


def vector(channels: dict[str, float]) -> NDArray[np.float64]:
    """(64,) activations from channel names; a name without Left or Right sets both sides."""
    activations = np.zeros(len(CHANNELS))
    for name, value in channels.items():
        sides = (name,) if name in INDEX else (f"{name}Left", f"{name}Right")
        for side in sides:
            activations[INDEX[side]] = value
    return activations


_VECTORS = {id(shape): np.append(vector(shape.lips), shape.jaw) for shape in (*_SHAPES.values(), _REST)}


def mouth(
    phonemes: Sequence[tuple[float, float, str]], frames: int, *, lead: float = 0.01, looseness: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mouth over time while ``phonemes`` sound.

    Args:
        phonemes: (start in s, end in s, mnemonic), in order.
        frames: Length T of the clip, at 25 frames a second.
        lead: Seconds by which the mouth is ahead of the sound.
        looseness: Width of co-articulation; 1 is careful speech, more is mumbling.

    Returns:
        Activations (T, 64) and jaw opening (T,) in radians.
    """
    segments: list[tuple[float, float, Viseme]] = []
    for start, end, phoneme in phonemes:
        parts = shapes(phoneme)
        edges = np.linspace(start, end, len(parts) + 1)
        segments += [(low, high, part) for (low, high), part in zip(pairwise(edges), parts, strict=True)]
    first, last = (segments[0][0], segments[-1][1]) if segments else (0.0, 0.0)
    segments = [(first - 10.0, first - 0.06, _REST), *segments, (last + 0.03, last + 20.0, _REST)]
    bounds = np.array([(low, high) for low, high, _ in segments]) - lead
    strengths = np.array([shape.strength for _, _, shape in segments])
    targets = np.stack([_VECTORS[id(shape)] for _, _, shape in segments])  # (n, 65)
    centres, cores = bounds.mean(1), 0.3 * np.diff(bounds, axis=1)[:, 0]  # its middle part belongs to a phoneme alone
    cores[[0, -1]] = np.diff(bounds[[0, -1]], axis=1)[:, 0] / 2.0
    distance = np.maximum(np.abs(np.arange(frames)[:, None] / FPS - centres) - cores, 0.0)  # (T, n)
    dominance = strengths * np.exp(-((distance / (_REACH * looseness)) ** 1.2))
    blended = dominance @ targets / dominance.sum(1, keepdims=True)
    return blended[:, :64], blended[:, 64]
