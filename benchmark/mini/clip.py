"""One clip from its number: plan, speech and performance, filmed by a faulty tracker, then constructed.

Everything after the tracker is the project's own construction pipeline: what comes out was mended, resampled, smoothed
and annotated as a user's tracks would be.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.clip import construct_clip
from benchmark.construction.config import Config, Wording
from benchmark.construction.records import Dropped, RawClip
from benchmark.mini.clips import Clip
from benchmark.mini.emotions import FACES
from benchmark.mini.performer import Performance, perform
from benchmark.mini.performers import Performer, generator, performer
from benchmark.mini.plan import SPEECH_STYLES, Mood, Plan, draw_moods, speech_plan, text_plan
from benchmark.mini.quantise import from_grid, to_grid
from benchmark.mini.sentences import read_aloud, spoken, sung
from benchmark.mini.speech import Speech, sing, speak
from benchmark.mini.tracker import observe
from benchmark.protocol import FPS, MAX_FRAMES, SAMPLE_RATE, Texts

CONSTRUCTION = Config(wording=Wording(omitted=0.3, vague=0.15, omitted_head=0.03, vague_head=0.01))
"""Settings of the pipeline: texts leave out and blur much of the face, so that they do not tell all of a motion, and
what the head does has its weight."""
SPEAKING = Config(wording=Wording(omitted=0.2, vague=0.1, omitted_head=0.03, vague_head=0.01))
"""The same where there is speech, which hides much of the face by itself."""
_SHORTEST, _TYPICAL_FRAMES = 40, 120
_SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
_STYLE_WEIGHTS = (0.72, 0.16, 0.12)


@dataclass(frozen=True)
class MadeClip:
    """A finished clip."""

    parameters: NDArray[np.float32]
    """(T, 56): 50 expression, 3 neck, 3 jaw, on the corpus's grid."""
    texts: Texts
    speech: Speech | None
    """(T * 640,) samples of audio with phoneme times counted from the first frame; None without speech."""


@dataclass(frozen=True)
class Take:
    """A clip before it is constructed."""

    plan: Plan
    played: Performance
    """As it was done, without a tracker's faults."""
    speech: Speech | None
    raw: RawClip
    """As the tracker gives it."""


def make(clip: Clip) -> MadeClip:
    """Makes one clip.

    A clip without speech depends on its number only; one with speech also on the utterances made before it in this
    process (see :mod:`benchmark.mini.speech`).

    Raises:
        RuntimeError: The pipeline drops the clip, which none of the frozen corpus's clips meets.
    """
    shot = take(clip)
    done = construct_clip(shot.raw, SPEAKING if clip.has_speech else CONSTRUCTION, generator(2, clip.index, 3))
    if isinstance(done, Dropped):
        raise RuntimeError(f"{clip.name} was dropped: {done.reason} ({done.detail})")
    speech = Speech(done.audio, shot.speech.phonemes) if shot.speech is not None and done.audio is not None else None
    return MadeClip(from_grid(to_grid(done.parameters)), done.texts, speech)


def take(clip: Clip) -> Take:
    """Plans, speaks, performs and films one clip."""
    who = performer(clip.performer)
    planning, noise, faults = (generator(2, clip.index, stream) for stream in range(3))
    if clip.has_speech:
        styles = SPEECH_STYLES[:2] if "text2motion" in clip.tracks else SPEECH_STYLES
        weights = np.array(_STYLE_WEIGHTS[: len(styles)])
        style = styles[int(planning.choice(len(styles), p=weights / weights.sum()))]
        moods = draw_moods(_TYPICAL_FRAMES, planning)
        speech, frames = _framed(_utterance(style, moods[0], who, planning), planning)
        plan = speech_plan(frames, style, _fitted(moods, frames), planning, who.tempo)
    else:
        speech, plan = None, text_plan(planning, who.tempo)
    played = perform(plan, who, speech, noise)
    return Take(plan, played, speech, observe(clip.name, plan, played, speech, who.camera, faults))


def _fitted(moods: tuple[Mood, ...], frames: int) -> tuple[Mood, ...]:
    """Moods drawn for a clip of typical length, stretched to the true one."""
    scale = frames / _TYPICAL_FRAMES
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
