"""Which clips an alteration concerns: told from their texts and from what their head does."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.config import HeadPoseRules
from benchmark.construction.head_pose import head_pose
from benchmark.protocol import FloatArray, Texts

_ORDER = re.compile(
    r"\b(?:(?:at )?first|initially|in the beginning|(?:to )?begins? with|then|next(?! to)|after(?:wards?| that| this)?"
    r"|later|following this|subsequently|finally|lastly|(?:at|in|towards|by) the end)\b",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"(?<!all )\b(?:left(?! out| behind| alone| over)|right(?! away| now| after| before))\b", re.IGNORECASE
)
_HEAD = re.compile(r"\b(?:nods?|shakes? the head|wags?|rocks? the head|turns?|looks? around)\b", re.IGNORECASE)
_MOVES = re.compile(
    r"\b(?:nods?|shakes?|wags?|rocks?|turns?|rotates?|tilts?|leans?|lowered|raised|goes|moves up|swings?|scans?)\b",
    re.IGNORECASE,
)
_EMOTIONS = {
    "neutral": r"neutral|calm|composed|expressionless",
    "happy": r"happ|content(?:ed)?\b|pleased|cheer|delight|overjoyed|joy",
    "sadness": r"sad|unhapp|downcast|heartbroken|sorrow",
    "anger": r"ang(?:er|ry)|annoyed|irritated|furious|enraged|fury",
    "fear": r"fear|afraid|uneasy|terrified|frightened|scared|anxious",
    "surprise": r"surprise|astonish|amazed|shocked",
    "contempt": r"contempt|scorn|dismissive|disdain",
    "disgust": r"disgust|repelled|revolted|revulsion",
}
"""Beginnings of the words for each of CelebV-HQ's eight emotions."""
_FEELING = {emotion: re.compile(rf"\b(?:{words})", re.IGNORECASE) for emotion, words in _EMOTIONS.items()}


def names_a_side(texts: Texts) -> bool:
    """Whether the action, the expression or the head movements name left or right.

    >>> names_a_side(Texts("She winks with the left eye.", "", "", "", ""))
    True
    >>> names_a_side(Texts("She nods.", "", "", "", "Being left out of a party."))
    False
    """
    return any(_SIDE.search(text) for text in (texts.action, texts.detail_expression, texts.detail_head_pose))


def tells_an_order(texts: Texts) -> bool:
    """Whether the expression or the head movements tell at least two things in order of time.

    >>> tells_an_order(Texts("", "", "At first, the brows raise. Then the jaw drops.", "", ""))
    True
    >>> tells_an_order(Texts("", "", "At first, the brows raise.", "The head tilts and nods.", ""))
    False
    """
    return any(len(_told(text)) > 1 for text in (texts.detail_expression, texts.detail_head_pose))


def tells_of_the_head(texts: Texts) -> bool:
    """Whether the action or the head text tells of a head that moves.

    >>> tells_of_the_head(Texts("She nods.", "", "", "", ""))
    True
    >>> tells_of_the_head(Texts("She smiles.", "", "", "The head stays almost still.", ""))
    False
    """
    return bool(_HEAD.search(texts.action) or _MOVES.search(texts.detail_head_pose))


def _told(text: str) -> list[str]:
    """What stands between the words that tell an order."""
    return [part for part in _ORDER.split(text) if re.search(r"\w+\W+\w+", part)]


def emotions_of(texts: Texts) -> frozenset[str]:
    """The emotions whose words the emotion text uses.

    >>> sorted(emotions_of(Texts("", "She seems very happy at first, then turns annoyed.", "", "", "")))
    ['anger', 'happy']
    """
    return frozenset(emotion for emotion, words in _FEELING.items() if words.search(texts.emotion))


def emotion_partners(texts: Sequence[Texts], seed: int) -> NDArray[np.intp]:
    """For each clip another one whose emotions are all others than its own; the clip itself where there is none.

    Args:
        texts: The clips' annotations.
        seed: Of the order in which partners are looked for.

    Returns:
        (N,) indices.
    """
    emotions = [emotions_of(text) for text in texts]
    order = np.random.default_rng([seed, 5]).permutation(len(texts)).tolist()
    partners = np.arange(len(texts))
    for place, clip in enumerate(order):
        others = (other for other in order[place + 1 :] + order[:place] if emotions[other])
        if emotions[clip]:
            partners[clip] = next((other for other in others if not emotions[other] & emotions[clip]), clip)
    return partners


def head_states(neck: FloatArray) -> frozenset[str]:
    """Names of the head-pose states of a neck rotation (T, 3) in radians, by the construction's default thresholds."""
    return frozenset(span.name for span in head_pose(neck.astype(np.float64), HeadPoseRules()).spans)
