"""Texts by rules: five annotators, each for one of the five texts, offline and deterministic by seed.

They write from labels, active units and head-pose states in order of time; they paraphrase, and leave weak and short
things out as a summary does. They never see a clip's id and name no parameter.

Source: MMHead, section 3 (five texts, each annotated by itself). The sentences are ours.
"""

from collections.abc import Callable

import numpy as np

from benchmark.construction import unit_summary
from benchmark.construction.config import Wording
from benchmark.construction.head_summary import head_items
from benchmark.construction.records import EXPRESSING, EmotionSpan, Evidence
from benchmark.construction.wording import chain, degree, level, pick, sentence, timed
from benchmark.mini import phrases

Writer = Callable[[Evidence, np.random.Generator, Wording], str]
PLAIN = Wording()
"""Little is left out, nothing is blurred."""
_MORE_ACTIONS: dict[str, tuple[str, ...]] = {
    "blink": ("blinks", "blinks with both eyes"),
    "kiss": ("gives a kiss",),
    "listen_to_music": ("listens to music",),
    "play_instrument": ("plays an instrument",),
    "smoke": ("smokes",),
    "whisper": ("whispers", "speaks in a whisper"),
}
_UNSIDED = {
    "gaze": ("gazes aside", "looks aside with the eyes"),
    "wink": ("winks", "gives a wink"),
    "turn": ("turns the head",),
    "smirk": ("smirks", "gives a smirk"),
}
"""Verb phrases for one-sided actions whose side is not known."""
_VAGUE_HEAD = ("the head moves a little", "the head changes its pose", "there is some movement of the head")
_ANY_MOOD = ("absorbed", "as people often do", "much as before", "lost in thought")
_ANYTHING = (
    "something said by a friend", "a moment of everyday life", "an event of the day", "a short conversation",
    "a memory that comes to mind", "something seen on the way",
)  # fmt: skip
_SIDES = {"gaze": (61, 62), "wink": (45, 45), "sneer": (9, 9), "smirk": (12, 12)}


def write_action(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> str:
    """Abstract action: one sentence over the labels, in the order in which they show; studio clips draw a fixed one."""
    if evidence.setting == "studio" or not evidence.actions:
        fixed = evidence.speech if evidence.speech in phrases.FIXED else ""
        return pick(phrases.FIXED[fixed], rng)
    done = [action for action in evidence.actions if action not in (evidence.speech, EXPRESSING)]
    kept = [action for action in done if len(done) < 2 or rng.random() >= wording.omitted] or done[:1]
    words = [_action_words(action, evidence, rng, wording) for action in kept]
    subject = pick(phrases.SUBJECTS, rng)
    if not evidence.speech:
        return sentence(f"{subject} {chain(words, rng)}")
    speaking = _action_words(evidence.speech, evidence, rng, wording)
    link = pick(("and", "and meanwhile", "and along the way"), rng) if words else ""
    return sentence(f"{subject} {speaking} {link} {chain(words, rng)}")


def write_emotion(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> str:
    """Abstract emotion: one sentence over the emotion labels in order."""
    spans = evidence.emotions or (EmotionSpan("neutral"),)
    words = [_emotion_words(span, evidence, rng, wording) for span in spans]
    subject, verb = pick(phrases.SUBJECTS, rng), pick(("looks", "seems", "feels", "appears"), rng)
    if len(words) == 1:
        return sentence(f"{subject} {verb} {words[0]}{pick(('', ' throughout the video', ' in the clip'), rng)}")
    text = f"{subject} {verb} {words[0]} at first"
    for index, word in enumerate(words[1:], 1):
        last = index == len(words) - 1
        text += (
            f", {pick(('then becomes', 'then turns') if not last else ('and later becomes', 'and turns'), rng)} {word}"
        )
    return sentence(text)


def write_expression(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> str:
    """Facial movements in order of time, from active units."""
    leads = []
    if evidence.speech:
        leads.append(sentence(pick(phrases.SPEAKING.get(evidence.speech, phrases.SPEAKING["talk"]), rng)))
    items = unit_summary.expression_items(evidence, rng)
    items = _summarised(items, phrases.VAGUE, rng, wording.omitted, wording.vague)
    if not items and not leads:
        if evidence.jaw_peak > 0.08:
            return sentence(f"{pick(phrases.THROUGHOUT, rng)}, {pick(phrases.SINGLE['jawDrop'], rng)}")
        return "The face stays neutral with hardly any movement."
    return " ".join([*leads, timed(items, evidence.frames, rng)]).strip()


def write_head_pose(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> str:
    """Head movements in order of time, from the head-pose states and their angles."""
    items = head_items(evidence.head, rng)
    items = _summarised(items, _VAGUE_HEAD, rng, wording.omitted_head, wording.vague_head)
    if items:
        return timed(items, evidence.frames, rng)
    if float(np.ptp(evidence.head.angles, axis=0).max()) > 5.0:
        return pick(("The head moves a little but keeps facing the front.", "The head sways slightly in place."), rng)
    return pick(phrases.STILL, rng)


def write_scenarios(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> str:
    """Three scenarios that may cause the emotion."""
    spans = evidence.emotions or (EmotionSpan("neutral"),)
    picks: list[str] = []
    for index in range(3):
        emotion = spans[min(index, len(spans) - 1)].emotion
        options = phrases.SCENARIOS.get(emotion, phrases.SCENARIOS["neutral"])
        if rng.random() < wording.vague:
            options = _ANYTHING
        picks.append(pick([line for line in options if line not in picks], rng))
    return " ".join(f"{number}. {sentence(line)}" for number, line in enumerate(picks, 1))


RULES: dict[str, Writer] = {
    "action": write_action,
    "emotion": write_emotion,
    "detail_expression": write_expression,
    "detail_head_pose": write_head_pose,
    "emotion_scenario": write_scenarios,
}
"""The rule-based annotator of each text field."""


def _summarised(
    items: list[tuple[float, float, str]],
    blurred: tuple[str, ...],
    rng: np.random.Generator,
    omitted: float,
    vague: float,
) -> list[tuple[float, float, str]]:
    """Movements less those left out, some of them told without saying which."""
    kept = [item for item in items if len(items) < 3 or rng.random() >= omitted]
    return [(start, end, pick(blurred, rng) if rng.random() < vague else text) for start, end, text in kept]


def _action_words(action: str, evidence: Evidence, rng: np.random.Generator, wording: Wording) -> str:
    options = (
        phrases.ACTIONS.get(action) or _MORE_ACTIONS.get(action) or (f"does the action {action.replace('_', ' ')}",)
    )
    side = _side_of(action, evidence) if rng.random() >= wording.vague_head else ""
    if not side:
        options = tuple(option for option in options if "{side}" not in option) or _UNSIDED.get(action, (action,))
    other = {"left": "right", "right": "left"}.get(side, "")
    return pick(options, rng).format(side=side, other=other)


def _side_of(action: str, evidence: Evidence) -> str:
    """Side of a one-sided action, as far as units and head angles tell."""
    if action in ("turn", "look_around"):
        turned = [span for span in evidence.head.spans if span.name.startswith("turned")]
        if action == "turn":  # the largest turn: smaller ones belong to other movements
            turned.sort(key=lambda span: -span.peak * float(np.sqrt(span.end - span.start)))
        return turned[0].name.removeprefix("turned ") if turned else ""
    if action not in _SIDES:
        return ""
    left, right = _SIDES[action]
    names = (f"AU{left}", f"AU{right}") if left != right else (f"AUL{left}", f"AUR{right}")
    strength = [sum(s.peak * (s.end - s.start) for s in evidence.units if s.name == name) for name in names]
    if max(strength) <= 0.0:
        return ""
    return "left" if strength[0] > strength[1] else "right"


def _emotion_words(span: EmotionSpan, evidence: Evidence, rng: np.random.Generator, wording: Wording) -> str:
    if rng.random() < wording.vague:
        return pick(_ANY_MOOD, rng)
    intensity = span.intensity
    if intensity is None:
        peaks = sorted((unit.peak for unit in evidence.units), reverse=True)[:3]
        intensity = 0.6 if not peaks else 0.4 + 0.5 * float(np.mean(peaks))
    words = phrases.EMOTIONS.get(span.emotion)
    return pick(words[level(intensity)], rng) if words else f"{degree(intensity, rng)} {span.emotion.replace('_', ' ')}"
