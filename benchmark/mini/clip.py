"""One clip from its number: plan, speech, performance, texts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.mini.clips import Clip
from benchmark.mini.emotions import FACES
from benchmark.mini.open_head import channel_matrix
from benchmark.mini.performer import perform
from benchmark.mini.performers import Performer, generator, performer
from benchmark.mini.plan import SPEECH_STYLES, Mood, Plan, draw_moods, speech_plan, text_plan
from benchmark.mini.sentences import read_aloud, spoken, sung
from benchmark.mini.speech import Speech, sing, speak
from benchmark.mini.texts import write
from benchmark.protocol import FPS, MAX_FRAMES, SAMPLE_RATE, Texts

_GRID = 10_000.0
"""Parameters are rounded to 1e-4, so that the last bits of a machine's arithmetic do not show."""
_SHORTEST = 40
_SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
_STYLE_WEIGHTS = (0.72, 0.16, 0.12)


@dataclass(frozen=True)
class MadeClip:
    """A finished clip."""

    parameters: NDArray[np.float32]
    """(T, 56): 50 expression, 3 neck, 3 jaw, on a grid of 1e-4."""
    texts: Texts
    speech: Speech | None
    """(T * 640,) samples of audio with phoneme times counted from the first frame; None without speech."""
    plan: Plan


def make(clip: Clip) -> MadeClip:
    """Makes one clip.

    The motion and the texts depend on the clip's number only; the audio also on the utterances made before it in this
    process (see :mod:`benchmark.mini.speech`).
    """
    who = performer(clip.performer)
    planning, wording, noise = (generator(2, clip.index, stream) for stream in range(3))
    if clip.has_speech:
        styles = SPEECH_STYLES[:2] if "text2motion" in clip.tracks else SPEECH_STYLES
        weights = np.array(_STYLE_WEIGHTS[: len(styles)])
        style = styles[int(planning.choice(len(styles), p=weights / weights.sum()))]
        moods = draw_moods(MAX_FRAMES // 2, planning)
        speech, frames = _framed(_utterance(style, moods[0], who, planning), planning)
        plan = speech_plan(frames, style, _fitted(moods, frames), planning)
    else:
        speech, plan = None, text_plan(planning)
    played = perform(plan, who, speech, noise)
    parameters = np.concatenate([played.activations @ channel_matrix(), played.neck, played.jaw], axis=1)
    rounded = (np.round(parameters * _GRID) / _GRID).astype(np.float32)
    return MadeClip(rounded, write(plan, played.neck, wording), speech, plan)


def _fitted(moods: tuple[Mood, ...], frames: int) -> tuple[Mood, ...]:
    """Moods drawn for half the longest clip, stretched to the true length."""
    scale = frames / (MAX_FRAMES // 2)
    return tuple(Mood(m.emotion, m.intensity, m.start * scale, m.end * scale, m.mirrored) for m in moods)


def _utterance(style: str, mood: Mood, who: Performer, rng: np.random.Generator) -> Speech:
    rate, pitch, liveliness, volume = FACES[mood.emotion].voice
    strength = mood.intensity
    loudness = int(np.clip(75 * (1.0 + (volume - 1.0) * strength) * rng.uniform(0.85, 1.1), 40, 110))
    base = int(np.clip(who.pitch + pitch * strength + rng.normal(0.0, 2.0), 5, 90))
    if style == "sing":
        words, notes = sung(rng)
        return sing(words, notes, who.voice, max(base - 8, 10), loudness)
    words_a_minute = int(who.rate * (1.0 + (rate - 1.0) * strength) * rng.uniform(0.92, 1.08))
    span = int(np.clip(50 * (1.0 + (liveliness - 1.0) * strength), 5, 95))
    if style == "read":
        return speak(read_aloud(rng), who.voice, int(words_a_minute * 0.92), base, span // 2, loudness)
    return speak(spoken(rng), who.voice, words_a_minute, base, span, loudness)


def _framed(speech: Speech, rng: np.random.Generator) -> tuple[Speech, int]:
    """The utterance with silence around it, cut or padded to a whole number of frames within the corpus's limits."""
    last = max((end for _, end, name in speech.phonemes if not name.startswith("_")), default=0.0)
    lead = float(rng.uniform(0.1, 0.5))
    frames = int(np.clip(np.ceil((lead + last + rng.uniform(0.15, 0.6)) * FPS), _SHORTEST, MAX_FRAMES))
    audio = np.zeros(frames * _SAMPLES_PER_FRAME, np.float32)
    first = int(lead * SAMPLE_RATE)
    voiced = speech.audio[: len(audio) - first]
    audio[first : first + len(voiced)] = voiced
    limit = frames / FPS
    phonemes = tuple(
        (start + lead, min(end + lead, limit), name) for start, end, name in speech.phonemes if start + lead < limit
    )
    return Speech(audio, phonemes), frames
