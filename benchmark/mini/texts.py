"""The five annotations of a clip, written from what happens in it, in order of time.

They paraphrase, leave out and blur, as summaries of the real corpus do: they never hold an id or an exact value.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.mini import phrases
from benchmark.mini.actions import ACCENTS, ACTIONS
from benchmark.mini.emotions import FACES
from benchmark.mini.gestures import GESTURES
from benchmark.mini.performer import head_events
from benchmark.mini.plan import Event, Mood, Plan
from benchmark.protocol import Texts

_STRONGEST_WORDS = 2
_OMITTED, _BLURRED = 0.12, 0.06


def write(plan: Plan, neck: NDArray[np.float64], rng: np.random.Generator) -> Texts:
    """The annotations of one clip.

    Args:
        plan: What happens when.
        neck: (T, 3) radians as played: the sizes of head movements are measured, not taken from the plan.
        rng: Source of the wording.

    Returns:
        The five texts.
    """
    return Texts(
        action=_action(plan, rng),
        emotion=_emotion(plan.moods, rng),
        detail_expression=_expression(plan, rng),
        detail_head_pose=_head(plan, neck, rng),
        emotion_scenario=_scenarios(plan.moods, rng),
    )


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _level(intensity: float) -> int:
    return 0 if intensity < 0.45 else 1 if intensity < 0.75 else 2


def _sentence(text: str) -> str:
    text = " ".join(text.replace(" ,", ",").split()).strip(" ,")
    return text[:1].upper() + text[1:] + "."


def _sides(event: Event) -> dict[str, str]:
    side, other = ("right", "left") if event.mirrored else ("left", "right")
    return {"side": side, "other": other}


def _action(plan: Plan, rng: np.random.Generator) -> str:
    plain = 1.0 if not plan.style else 0.6
    if plan.style in phrases.FIXED and rng.random() < (0.06 if plan.actions else plain):
        return _pick(phrases.FIXED[plan.style], rng)
    kept = [event for event in plan.actions if len(plan.actions) < 3 or rng.random() > _OMITTED] or plan.actions[:1]
    done = []
    for event in kept:
        words = _pick(phrases.ACTIONS[event.name], rng).format(**_sides(event))
        degree = _pick(phrases.DEGREES[_level(event.intensity)], rng) if rng.random() < 0.5 else ""
        done.append(f"{words} {degree}".strip() if " and then " not in words else words)
    subject = _pick(phrases.SUBJECTS, rng)
    if plan.style:
        speaking = _pick(phrases.ACTIONS[plan.style], rng)
        link = _pick(("and", "and meanwhile", "and along the way"), rng)
        return _sentence(f"{subject} {speaking} {link if done else ''} {_chain(done, rng)}")
    return _sentence(f"{subject} {_chain(done, rng)}")


def _chain(done: Sequence[str], rng: np.random.Generator) -> str:
    """Verb phrases joined in order of time."""
    if len(done) < 2:
        return "".join(done)
    joined = ("first " if rng.random() < 0.5 and "first" not in done[0] else "") + done[0]
    for index, words in enumerate(done[1:], 1):
        last = index == len(done) - 1 and len(done) > 2
        links = ("and finally", "and at the end", "and in the end") if last else ("then", "and then", "after that")
        joined += f", {_pick(links, rng)} {words}"
    return joined


def _emotion(moods: Sequence[Mood], rng: np.random.Generator) -> str:
    words = [_pick(phrases.EMOTIONS[mood.emotion][_level(mood.intensity)], rng) for mood in moods]
    subject = _pick(phrases.SUBJECTS, rng)
    verb = _pick(("looks", "seems", "feels", "appears"), rng)
    if len(words) == 1:
        return _sentence(f"{subject} {verb} {words[0]} {_pick(('', 'throughout', 'all the time'), rng)}")
    change = _pick(("then becomes", "and turns", "later"), rng)
    return _sentence(f"{subject} {verb} {words[0]} at first, {change} {words[1]}")


def _scenarios(moods: Sequence[Mood], rng: np.random.Generator) -> str:
    bank = [phrases.SCENARIOS[mood.emotion] for mood in moods]
    picks = []
    for index in range(3):
        options = [line for line in bank[min(index, len(bank) - 1)] if line not in picks]
        picks.append(_pick(options, rng))
    return " ".join(f"{number}. {_sentence(line)}" for number, line in enumerate(picks, 1))


def _clauses(channels: Mapping[str, float], jaw: float, swapped: bool, rng: np.random.Generator) -> list[str]:
    """One clause for each of the strongest channels, the two sides of a pair merged where both move."""
    strength: dict[tuple[str, str], float] = {}
    for name, value in channels.items():
        base, side = name, ""
        for ending in ("Left", "Right"):
            if name.endswith(ending) and name[: -len(ending)] in (*phrases.PAIRED, "eyeLookIn", "eyeLookOut"):
                base, side = name[: -len(ending)], ending.lower()
        if swapped and side:
            side = {"left": "right", "right": "left"}[side]
        elif swapped and base in ("mouthLeft", "mouthRight"):
            base = {"mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}[base]
        if base in ("eyeLookIn", "eyeLookOut"):
            base, side = ("gazeLeft" if (side == "left") == (base == "eyeLookOut") else "gazeRight"), ""
        strength[base, side] = value
    if jaw > 0.05:
        strength["mouthStretched" if jaw > 0.24 else "jawDrop", ""] = 0.5 + jaw
    strongest = sorted(strength, key=lambda key: (-strength[key] * rng.uniform(0.75, 1.25), key))[:_STRONGEST_WORDS]
    return [_clause(base, side, rng) for base, side in strongest]


def _clause(base: str, side: str, rng: np.random.Generator) -> str:
    if base in phrases.UNIT_NAMES and rng.random() < 0.3:
        where = f" on the {side} side" if side else ""
        return f"the {phrases.UNIT_NAMES[base]} {_pick(('is active', 'activates', 'is engaged'), rng)}{where}"
    if base in phrases.SINGLE:
        return _pick(phrases.SINGLE[base], rng)
    options = phrases.PAIRED[base]
    one, both, verb_one, verb_both = options[int(rng.integers(len(options)))]
    return f"the {side} {one} {verb_one}" if side else f"the {both} {verb_both}"


def _timed(items: Sequence[tuple[float, float, str]], frames: int, rng: np.random.Generator) -> str:
    """Sentences from (start, end, clause) in order of time, each led by a word for its place."""
    sentences: list[str] = []
    previous = -100.0
    for index, (start, end, clause) in enumerate(items):
        if index and start - previous < 5.0:
            lead = _pick(phrases.MEANWHILE, rng)
        elif not index:
            lead = _pick(phrases.FIRST, rng) if start < 0.4 * frames or len(items) > 1 else _pick(phrases.LAST, rng)
        elif index == len(items) - 1 and (start + end) / 2.0 > 0.6 * frames:
            lead = _pick(phrases.LAST, rng)
        else:
            lead = _pick(phrases.NEXT, rng)
        sentences.append(_sentence(f"{lead}, {clause}"))
        previous = start
    return " ".join(sentences)


def _expression(plan: Plan, rng: np.random.Generator) -> str:
    items: list[tuple[float, float, str]] = []
    for event in plan.actions:
        parts = ACTIONS[event.name].parts
        for part in parts[: 1 if rng.random() < 0.3 else 2]:
            span = event.end - event.start
            clause = _degreed(_clauses(part.face, part.jaw, event.mirrored, rng), event.intensity, rng)
            again = " repeatedly" if part.rate and rng.random() < 0.7 else ""
            items.append((event.start + part.start * span, event.start + part.end * span, clause + again))
    for event in plan.accents:
        if rng.random() > _OMITTED:
            clause = _degreed(_clauses(ACCENTS[event.name], 0.0, False, rng), event.intensity, rng)
            items.append((event.start, event.end, _pick(phrases.VAGUE, rng) if rng.random() < _BLURRED else clause))
    leads = []
    if plan.style and rng.random() < 0.85:
        leads.append(_sentence(_pick(phrases.SPEAKING[plan.style], rng)))
    for index, mood in enumerate(plan.moods):
        face = FACES[mood.emotion].face
        if face and rng.random() < 0.8:
            lead = _pick(phrases.THROUGHOUT, rng) if len(plan.moods) == 1 else ("In the first half", "Later on")[index]
            clauses = _clauses(face, FACES[mood.emotion].jaw, mood.mirrored, rng)
            leads.append(_sentence(f"{lead}, {_degreed(clauses, mood.intensity, rng)}"))
    timed = _timed(sorted(items), plan.frames, rng)
    return " ".join([*leads, timed]).strip() or "The face stays neutral with hardly any movement."


def _degreed(clauses: Sequence[str], intensity: float, rng: np.random.Generator) -> str:
    return f"{' and '.join(clauses)} {_pick(phrases.DEGREES[_level(intensity)], rng)}".strip()


def _head(plan: Plan, neck: NDArray[np.float64], rng: np.random.Generator) -> str:
    events = [event for event in head_events(plan) if event.end - event.start > 5.0]
    kept = [event for event in events if len(events) < 3 or rng.random() > _OMITTED]
    items = [(event.start, event.end, _head_clause(event, neck, rng)) for event in kept]
    if not items:
        style = {"sing": "The head sways gently with the melody.", "read": "The head is bent down a little."}
        return style.get(plan.style, "") or _pick(phrases.STILL, rng)
    return _timed(items, plan.frames, rng)


def _head_clause(event: Event, neck: NDArray[np.float64], rng: np.random.Generator) -> str:
    gesture = GESTURES[event.name]
    window = neck[max(0, int(event.start)) : max(1, int(event.end) + 1), gesture.axis]
    reach = float(np.degrees(np.ptp(window))) / (2.0 if gesture.kind in ("swing", "scan") else 1.0)
    level = 0 if reach < 8.0 else 1 if reach < 17.0 else 2
    seconds = (event.end - event.start) / 25.0
    bumps = max(1, round(seconds * (1.5 if gesture.kind == "nod" else 1.3)))
    words = _pick(phrases.HEAD[event.name], rng).format(times=phrases.COUNTS[min(bumps, 5) - 1])
    angle = min(phrases.TENS, key=lambda ten: abs(ten - reach))
    if gesture.kind == "hold" and 9.0 < reach < 32.0 and rng.random() < 0.35:
        return f"{words} by about {phrases.TENS[angle]} degrees"
    back = _pick(phrases.BACK, rng) if gesture.kind == "hold" and event.end < len(neck) - 3 else ""
    return f"{words} {_pick(phrases.DEGREES[level], rng)} {back}".strip()
