"""How sentences are put together: picks, degrees, chains in order of time, and clauses of action units."""

from collections.abc import Sequence

import numpy as np

from benchmark.construction.arkit import UNITS
from benchmark.mini import phrases

_CHANNEL_OF = {int(number): channel for channel, number in UNITS.items()} | {
    26: "jawDrop", 27: "mouthStretched", 61: "gazeLeft", 62: "gazeRight",
}  # fmt: skip
_OTHER: dict[int, tuple[tuple[str, str, str, str], ...]] = {
    25: (("side of the lips", "lips", "parts", "part"), ("side of the mouth", "mouth", "opens", "opens")),
    28: (("side of the lips", "lips", "rolls in", "are sucked in"),),
    29: (("jaw", "jaw", "thrusts forward", "thrusts forward"),),
    30: (("jaw", "jaw", "moves sideways", "moves sideways"),),
    33: (("cheek", "cheeks", "blows out air", "blow out air"),),
    43: (("eye", "eyes", "closes", "close"), ("eye", "eyes", "stays shut", "stay shut")),
    45: (("eye", "eyes", "closes", "close"), ("eyelid", "eyelids", "shuts", "shut")),
    46: (("eye", "eyes", "winks", "wink"),),
}
_NEAR = 6.0
"""Frames within which two movements begin at the same time."""


def pick(options: Sequence[str], rng: np.random.Generator) -> str:
    """One of them."""
    return options[int(rng.integers(len(options)))]


def level(intensity: float) -> int:
    """0 weak, 1 middle, 2 strong."""
    return 0 if intensity < 0.45 else 1 if intensity < 0.75 else 2


def degree(intensity: float, rng: np.random.Generator) -> str:
    """An adverb for an intensity, sometimes none."""
    return pick(phrases.DEGREES[level(intensity)], rng)


def sentence(text: str) -> str:
    """With a capital, a full stop and single spaces."""
    text = " ".join(text.replace(" ,", ",").split()).strip(" ,")
    return text[:1].upper() + text[1:] + "."


def chain(done: Sequence[str], rng: np.random.Generator) -> str:
    """Verb phrases joined in order of time."""
    if len(done) < 2:
        return "".join(done)
    joined = ("first " if rng.random() < 0.5 and "first" not in done[0] else "") + done[0]
    for index, words in enumerate(done[1:], 1):
        last = index == len(done) - 1 and len(done) > 2
        links = ("and finally", "and at the end", "and in the end") if last else ("then", "and then", "after that")
        joined += f", {pick(links, rng)} {words}"
    return joined


def listed(parts: Sequence[str]) -> str:
    """Parts joined by commas and an ``and``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def timed(items: Sequence[tuple[float, float, str]], frames: int, rng: np.random.Generator) -> str:
    """Sentences from (first frame, last frame, clause) in order of time, each led by a word for its place."""
    sentences: list[str] = []
    previous = -100.0
    for index, (start, end, clause) in enumerate(items):
        final = index == len(items) - 1 and (start + end) / 2.0 > 0.6 * frames
        if start <= 0.08 * frames and end >= 0.92 * frames:
            lead = pick(phrases.THROUGHOUT, rng)
        elif index and start - previous < _NEAR:
            lead = pick(phrases.MEANWHILE, rng)
        elif not index and (start < 0.4 * frames or len(items) > 1):
            lead = pick(phrases.FIRST, rng)
        else:
            lead = pick(phrases.LAST if final else phrases.NEXT, rng)
        sentences.append(sentence(f"{lead}, {clause}"))
        previous = start
    return " ".join(sentences)


def unit_clause(number: int, side: str, rng: np.random.Generator) -> str:
    """What one action unit does, in a few words.

    Args:
        number: Of the facial action coding system.
        side: ``left``, ``right``, or nothing for both.
        rng: Source of the wording.

    Returns:
        A clause such as ``the left lip corner is pulled up``; nothing for a number that has no words.
    """
    base = _CHANNEL_OF.get(number, "")
    if base in phrases.UNIT_NAMES and rng.random() < 0.25:
        where = f" on the {side} side" if side else ""
        return f"the {phrases.UNIT_NAMES[base]} {pick(('is active', 'activates', 'shows'), rng)}{where}"
    if base in phrases.SINGLE:
        return pick(phrases.SINGLE[base], rng)
    options = _OTHER.get(number) or phrases.PAIRED.get(base)
    if not options:
        return ""
    one, both, verb_one, verb_both = options[int(rng.integers(len(options)))]
    return f"the {side} {one} {verb_one}" if side else f"the {both} {verb_both}"
