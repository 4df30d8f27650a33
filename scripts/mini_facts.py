"""What the embedded corpus's data card counts: clips, motion, and labels found by their words in the texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.corpus import Corpus
from benchmark.mini import phrases
from benchmark.protocol import TEXT_FIELDS
from benchmark.subsets import SPLITS
from benchmark.tracks import TASKS

ONLY_EXPRESSION = "expression only"
NAMELESS = "named by no phrase"
UNSIDED = {
    "gaze": ("gazes aside", "looks aside with the eyes"),
    "wink": ("winks", "gives a wink"),
    "turn": ("turns the head",),
    "smirk": ("smirks", "gives a smirk"),
    "eat": ("takes a bite",),
}
"""One-sided actions whose side the text leaves open."""
Floats = NDArray[np.float64]


class Vocabulary:
    """Finds labels by their words; of words that overlap the longest counts."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self.words = sorted(((word, label) for label, some in words.items() for word in some), key=lambda w: -len(w[0]))
        self.pattern = re.compile(r"\b(?:" + "|".join(f"({_blank(word)})" for word, _ in self.words) + r")(?!\w)", re.I)

    def find(self, text: str) -> tuple[str, ...]:
        """The labels in order, each once."""
        found = (self.words[(match.lastindex or 1) - 1][1] for match in self.pattern.finditer(text))
        return tuple(dict.fromkeys(found))


def _blank(words: str) -> str:
    return re.escape(words).replace(r"\{side\}", "(?:left|right)").replace(r"\{other\}", "(?:left|right)")


ACTIONS = Vocabulary(
    {
        label: (
            *phrases.ACTIONS.get(label, ()),
            *UNSIDED.get(label, ()),
            *(sentence.removesuffix(".") for sentence in phrases.FIXED.get(label, ())),
        )
        for label in phrases.ACTIONS
    }
    | {ONLY_EXPRESSION: tuple(sentence.removesuffix(".") for sentence in phrases.FIXED[""])}
)
EMOTIONS = Vocabulary(
    {label: tuple(word for level in levels for word in level) for label, levels in phrases.EMOTIONS.items()}
)


@dataclass
class Facts:
    """What is counted."""

    corpus: Corpus
    tracks_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each clip, as the rest by clip id."""
    frames: dict[str, int] = field(default_factory=dict)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    actions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    emotions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    motion: dict[str, Floats] = field(default_factory=dict)
    """(N, 56) frames by ``talking`` (speech) and ``text2motion`` (all others), each clip once."""

    def clips(self, task: str, split: str | None = None) -> list[str]:
        """Clips of a track, of one split or of all."""
        lists = self.corpus.subsets[task]  # type: ignore[index]
        return [name for part in ([split] if split else SPLITS) for name in lists.get(part, ())]


def gather(corpus: Corpus) -> Facts:
    """Reads the whole corpus once."""
    facts = Facts(corpus)
    motion: dict[str, list[Floats]] = {task: [] for task in TASKS}
    listed = {task: set(corpus.clip_ids([task])) for task in TASKS}
    for clip_id in corpus.clip_ids():
        facts.tracks_of[clip_id] = tuple(task for task in TASKS if clip_id in listed[task])
        parameters = corpus.motion(clip_id).astype(np.float64)
        motion[facts.tracks_of[clip_id][0]].append(parameters)
        facts.frames[clip_id] = len(parameters)
        texts = corpus.texts(clip_id)
        facts.texts[clip_id] = {name: getattr(texts, name) for name in TEXT_FIELDS}
        facts.actions[clip_id] = ACTIONS.find(texts.action) or (NAMELESS,)
        facts.emotions[clip_id] = EMOTIONS.find(texts.emotion) or (NAMELESS,)
    facts.motion = {task: np.concatenate(parts) if parts else np.zeros((0, 56)) for task, parts in motion.items()}
    return facts
