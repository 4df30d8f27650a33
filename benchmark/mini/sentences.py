"""What the performers say, read and sing: sentences put together from a small grammar."""

import numpy as np

_WHO = (
    "I", "we", "you", "they", "she", "he", "everyone", "somebody", "nobody", "my sister", "my brother",
    "our neighbour", "the teacher", "the captain", "a friend of mine", "the old baker", "my uncle Paul",
    "the whole family", "a young doctor", "the man next door", "your mother",
)  # fmt: skip
_DID = (
    "found", "forgot", "wanted", "painted", "opened", "bought", "lost", "saved", "borrowed", "finished", "broke",
    "remembered", "carried", "loved", "watched", "dropped", "moved", "cleaned", "chose", "described",
)  # fmt: skip
_WHAT = (
    "the blue box", "a pair of boots", "the morning paper", "that funny film", "a bowl of soup", "the wooden bridge",
    "five fresh apples", "the map of the valley", "a very small boat", "the last piece of cake", "an umbrella",
    "the key to the garage", "a bouquet of flowers", "the piano in the hall", "a heavy suitcase", "the promise",
    "their favourite song", "a photograph of the beach", "the bicycle", "some honey and bread", "the big brown bear",
)  # fmt: skip
_WHERE = (
    "by the river", "in the kitchen", "behind the house", "on the way home", "at the market", "near the old mill",
    "under the table", "above the clouds", "in front of the museum", "at my office", "beside the fire", "on Monday",
    "before breakfast", "a few weeks ago", "without a word", "for the very first time", "with both hands", "again",
)  # fmt: skip
_OPENERS = (
    "Well,", "Honestly,", "You know,", "Yesterday", "To be fair,", "Oh,", "Listen,", "By the way,", "As far as I know,",
    "Of course", "Maybe", "This morning", "In my opinion,", "Believe me,", "Look,", "Once upon a time", "So,",
)  # fmt: skip
_SHORT = (
    "How are you today?", "What a view!", "I am not so sure about that.", "Thank you very much.", "Please wait for me.",
    "That would be wonderful.", "Who told you that?", "We should go now.", "It does not matter.", "Could you help me?",
    "I have no idea why.", "Keep up the good work.", "Where have you been?", "Five more minutes, please.",
    "Let me think about it.", "Everybody knows about it.", "That is what I mean.", "Move over a bit.",
)  # fmt: skip
_LINKS = ("and", "but", "because", "so", "while", "although")
_LYRICS = (
    "row", "over", "the", "moon", "my", "love", "slow", "river", "carry", "me", "home", "oh", "la", "la", "low", "sun",
    "blue", "far", "away", "you", "and", "I", "we", "fly", "high", "softly", "falling", "rain", "all", "night", "long",
    "dream", "of", "summer", "roses", "bloom", "for", "more", "golden", "morning", "sail", "wave", "free", "you", "are",
)  # fmt: skip


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _clause(rng: np.random.Generator) -> str:
    where = f" {_pick(_WHERE, rng)}" if rng.random() < 0.7 else ""
    return f"{_pick(_WHO, rng)} {_pick(_DID, rng)} {_pick(_WHAT, rng)}{where}"


def spoken(rng: np.random.Generator) -> str:
    """One or two sentences of conversation, about two to seven seconds long."""
    shape = rng.random()
    if shape < 0.25:
        return f"{_pick(_SHORT, rng)} {_pick(_SHORT, rng)}"
    if shape < 0.6:
        return f"{_pick(_OPENERS, rng)} {_clause(rng)}."
    if shape < 0.78:
        return f"{_clause(rng)}, {_pick(_LINKS, rng)} {_clause(rng)}."
    if shape < 0.94:
        return f"{_pick(_SHORT, rng)} {_pick(_OPENERS, rng)} {_clause(rng)}."
    return f"{_pick(_OPENERS, rng)} {_clause(rng)}, {_pick(_LINKS, rng)} {_clause(rng)}. {_pick(_SHORT, rng)}"


def read_aloud(rng: np.random.Generator) -> str:
    """A written sentence, without the turns of conversation."""
    return f"{_clause(rng)}. {_clause(rng)}." if rng.random() < 0.35 else f"{_clause(rng)}."


def sung(rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Lyrics and their notes: a melody that moves by steps on a scale of six notes."""
    count = int(rng.integers(4, 12))
    words = [_pick(_LYRICS, rng) for _ in range(count)]
    note = int(rng.integers(0, 4))
    notes = []
    for step in rng.choice((-2, -1, 0, 1, 1, 2), count):
        note = int(np.clip(note + step, 0, 5))
        notes.append(note)
    return words, notes
