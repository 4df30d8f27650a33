"""What an LLM is asked: one prompt for each of the five texts, and the evidence written out for it."""

import numpy as np

from benchmark.construction.head_pose import PITCH, ROLL, YAW
from benchmark.construction.records import Evidence
from benchmark.construction.unit_summary import movements
from benchmark.construction.wording import unit_clause
from benchmark.protocol import FPS, TEXT_FIELDS

Message = dict[str, str]
SYSTEM = (
    "You annotate short video clips of one person's face for a research corpus of 3D facial animation. You are "
    "given labels and measurements, never the video. Write plain English in the third person. Call the person "
    "'the portrait', 'the person' or 'the subject'. Left and right are the person's own. Do not mention "
    "measurements, labels, frames, numbers of action units, cameras or that you were given data, and add "
    "nothing the data do not show. Answer with the text alone."
)
PROMPTS: dict[str, str] = {
    "action": (
        "Say in one sentence of at most 30 words what the person does. The action labels have no order; work "
        "out from the facial and head movements which comes first, and put the actions in that order. Every "
        "listed action must occur in the sentence, and no other.\n\n{labels}\n\n{face}\n\n{head}"
    ),
    "emotion": (
        "Say in one sentence of at most 20 words which emotion the person shows and how strongly; where there "
        "are several, say which comes first and what follows.\n\n{emotions}"
    ),
    "detail_expression": (
        "Describe the facial movements in order of time, in two to five short sentences: which part of the "
        "face moves, on which side if only one, and how strongly (slightly, moderately, strongly). Join what "
        "happens together, leave out what is weak or brief, and say nothing about the head's pose.\n\n{face}"
    ),
    "detail_head_pose": (
        "Describe the head movements in order of time, in one to three short sentences: direction, rough "
        "angle, and nods or shakes where it goes to and fro. Say that the head keeps still if it does. Say "
        "nothing about the face.\n\n{head}"
    ),
    "emotion_scenario": (
        "Invent three everyday situations that could make a person show this emotion. Number them 1. to 3., "
        "one short phrase each, as different from each other as you can. Do not name the emotion.\n\n{emotions}"
    ),
}


def messages(field: str, evidence: Evidence) -> list[Message]:
    """The conversation that asks for one text.

    Args:
        field: One of the five text fields.
        evidence: Of the clip.

    Returns:
        System and user message.
    """
    text = PROMPTS[field].format(
        labels=_labels(evidence), emotions=_emotions(evidence), face=_face(evidence), head=_head(evidence)
    )
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def all_messages(evidence: Evidence, fields: tuple[str, ...] = TEXT_FIELDS) -> dict[str, list[Message]]:
    """The conversations of several fields."""
    return {field: messages(field, evidence) for field in fields}


def _seconds(frame: int) -> str:
    return f"{frame / FPS:.1f}"


def _labels(evidence: Evidence) -> str:
    names = sorted(action.replace("_", " ") for action in evidence.actions) or ["makes an expression"]
    return f"Action labels: {', '.join(names)}. The clip lasts {_seconds(evidence.frames)} s."


def _emotions(evidence: Evidence) -> str:
    lines = []
    for span in evidence.emotions:
        when = ""
        if span.start_s is not None and span.end_s is not None:
            when = f" from {max(span.start_s, 0.0):.1f} to {min(span.end_s, evidence.frames / FPS):.1f} s"
        strength = f", intensity {span.intensity:.1f} of 1" if span.intensity is not None else ""
        lines.append(f"{span.emotion}{when}{strength}")
    return "Emotion labels in order: " + ("; ".join(lines) or "neutral") + "."


def _face(evidence: Evidence) -> str:
    lines = ["Facial movements (seconds, movement, peak intensity of 1):"]
    rng = np.random.default_rng(
        0
    )  # the plainest words would do; fixed ones keep the prompt, and so the cache, the same
    for move in movements(evidence.units):
        words = unit_clause(move.number, move.side, rng) or f"action unit {move.number}"
        lines.append(f"{_seconds(move.start)}-{_seconds(move.end)}: {words}, {move.peak:.1f}")
    if len(lines) == 1:
        lines.append(f"none measured; the jaw opens by up to {np.degrees(evidence.jaw_peak):.0f} degrees")
    if evidence.speech:
        lines.append(f"The person {evidence.speech}s during the clip.")
    return "\n".join(lines)


def _head(evidence: Evidence) -> str:
    lines = ["Head pose (seconds, state, largest angle in degrees):"]
    lines += [f"{_seconds(s.start)}-{_seconds(s.end)}: {s.name}, {s.peak:.0f}" for s in evidence.head.spans]
    found = evidence.head.angles
    lines.append("Range of pitch, yaw, roll: " + ", ".join(f"{np.ptp(found[:, k]):.0f}" for k in (PITCH, YAW, ROLL)))
    return "\n".join(lines)
