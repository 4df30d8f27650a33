"""One clip through the whole construction."""

import time
from dataclasses import replace
from hashlib import sha256

import numpy as np

from benchmark.construction.action_units import active_spans
from benchmark.construction.config import Config, Wording
from benchmark.construction.head_pose import head_pose
from benchmark.construction.labels import filter_labels, in_order, onsets
from benchmark.construction.motion import finish, mend
from benchmark.construction.records import Array, Constructed, Dropped, Evidence, Mended, RawClip
from benchmark.construction.resample import output_times, resample_units
from benchmark.construction.rules import PLAIN, RULES
from benchmark.protocol import FPS, JAW, NECK, SAMPLE_RATE, TEXT_FIELDS, FloatArray, Texts

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS


def clip_rng(seed: int, clip_id: str) -> np.random.Generator:
    """A clip's own random numbers: the same whatever is made before it."""
    return np.random.default_rng([seed, int.from_bytes(sha256(clip_id.encode()).digest()[:8], "big")])


def construct_clip(raw: RawClip, config: Config, rng: np.random.Generator) -> Constructed | Dropped:
    """Cleans and annotates one clip.

    Args:
        raw: Track, labels and sound as they came.
        config: All settings.
        rng: Source of the wording, see :func:`clip_rng`.

    Returns:
        The clip at 25 frames a second with its texts by rules, or why it is left out.
    """
    clock = _Clock()
    kept = filter_labels(raw, config.labels)
    if isinstance(kept, Dropped):
        return kept
    actions, notes = kept
    if len(raw.expression) < 4:
        return Dropped(raw.id, "too short", f"{len(raw.expression)} frames in the track")
    audio = raw.audio.mono_16k() if raw.audio is not None else None
    clock.lap("audio")
    frames, cuts = _length(raw, audio, config)
    if isinstance(frames, Dropped):
        return frames
    if (gap := longest_gap(raw)) > config.outliers.longest_gap_s:
        return Dropped(raw.id, "tracker lost the face", f"for {gap:.1f} s")
    mended = mend(raw, config.outliers)
    if mended.share > config.outliers.most_mended:
        return Dropped(raw.id, "tracker lost the face", f"{mended.share:.0%} of values without a usable number")
    clock.lap("outliers")
    done = finish(raw, mended, config.smoothing)
    clock.lap("smoothing")
    parameters = done.parameters[:frames]
    evidence = gather(raw, actions, parameters, config)
    clock.lap("evidence")
    texts = write_texts(evidence, rng, config.wording)
    clock.lap("texts")
    account = Mended(
        raw.fps, len(raw.expression), frames, mended.untracked, mended.outliers,
        done.rms, done.largest, done.strengths, (*notes, *cuts),
    )  # fmt: skip
    if audio is not None:
        audio = _fitted(audio, frames)
    return Constructed(
        raw.id, raw.source, parameters.astype(np.float32), audio, texts, evidence, account, clock.seconds
    )


def longest_gap(raw: RawClip) -> float:
    """Seconds of the longest stretch without a tracked frame; infinite if there is no tracked frame at all."""
    tracked = np.flatnonzero(np.isfinite(np.concatenate([raw.expression, raw.neck, raw.jaw], axis=1)).all(axis=1))
    if not len(tracked):
        return float("inf")
    frames = len(raw.expression)
    seen = raw.times - raw.times[0] if raw.times is not None else np.arange(frames) / raw.fps
    before, after = seen[tracked[0]], seen[-1] - seen[tracked[-1]]
    between = np.diff(seen[tracked]).max(initial=0.0) - 1.0 / raw.fps
    return float(max(before, after, between))


def gather(raw: RawClip, actions: tuple[str, ...], parameters: Array, config: Config) -> Evidence:
    """All that annotators are told about a clip.

    Args:
        raw: The clip as it came.
        actions: Labels after the filters.
        parameters: (T, 56) clean motion.
        config: Thresholds.

    Returns:
        The evidence.
    """
    head = head_pose(parameters[:, NECK], config.head_pose)
    names: tuple[str, ...] = raw.units.names if raw.units is not None else ()
    units = resample_units(raw.units, len(parameters)) if raw.units is not None else np.zeros((len(parameters), 0))
    ordered, when = in_order(actions, onsets(actions, names, units, head.angles))
    spoken = [action for action in config.labels.speech_actions if action in actions]
    return Evidence(
        frames=len(parameters),
        setting=raw.setting,
        actions=ordered,
        onsets=when,
        emotions=raw.emotions,
        units=active_spans(names, units, config.activity),
        jaw_peak=float(parameters[:, JAW.start].max()),
        head=head,
        speech=spoken[0] if spoken else "",
    )


def write_texts(evidence: Evidence, rng: np.random.Generator, wording: Wording = PLAIN) -> Texts:
    """The five texts by rules, each from random numbers of its own."""
    own = dict(zip(TEXT_FIELDS, rng.spawn(len(TEXT_FIELDS)), strict=True))
    return Texts(**{field: RULES[field](evidence, own[field], wording) for field in TEXT_FIELDS})


def pieces(raw: RawClip, config: Config) -> list[RawClip]:
    """The clip, or with ``too_long = "split"`` its consecutive pieces, named ``ID_000``, ``ID_001`` and so on.

    Pieces are of even length, at most the longest allowed; emotion spans are cut along.
    """
    length = len(output_times(len(raw.expression), raw.fps, raw.times))
    if config.frames.too_long != "split" or length <= config.frames.longest:
        return [raw]
    count = -(-length // config.frames.longest)
    seen = raw.times - raw.times[0] if raw.times is not None else np.arange(len(raw.expression)) / raw.fps
    edges = np.arange(count + 1) * -(-length // count) / FPS
    return [_piece(raw, k, float(edges[k]), float(edges[k + 1]), seen) for k in range(count)]


def _piece(raw: RawClip, number: int, start: float, end: float, seen: Array) -> RawClip:
    first, last = np.searchsorted(seen, [start - 1e-9, end - 1e-9])
    rows = slice(int(first), int(last))
    emotions = tuple(
        replace(span, start_s=max(span.start_s - start, 0.0), end_s=min(span.end_s, end) - start)
        if span.start_s is not None and span.end_s is not None
        else span
        for span in raw.emotions
        if span.start_s is None or span.end_s is None or (span.start_s < end and span.end_s > start)
    )
    audio, units = raw.audio, raw.units
    if audio is not None:
        audio = replace(audio, samples=audio.samples[int(start * audio.sample_rate) : int(end * audio.sample_rate)])
    if units is not None:
        units = replace(units, intensity=units.intensity[round(start * units.fps) : round(end * units.fps)])
        units = units if len(units.intensity) else None
    return replace(
        raw,
        id=f"{raw.id}_{number:03d}",
        source=raw.source or raw.id,
        expression=raw.expression[rows],
        neck=raw.neck[rows],
        jaw=raw.jaw[rows],
        times=raw.times[rows] if raw.times is not None else None,
        audio=audio,
        units=units,
        emotions=emotions,
    )


def _length(
    raw: RawClip, audio: FloatArray | None, config: Config
) -> tuple[int, tuple[str, ...]] | tuple[Dropped, tuple[str, ...]]:
    """Frames of the finished clip and what was cut for it, or why there is none."""
    frames = len(output_times(len(raw.expression), raw.fps, raw.times))
    cuts: list[str] = []
    if frames > config.frames.longest:
        if config.frames.too_long == "drop":
            return Dropped(raw.id, "too long", f"{frames} > {config.frames.longest} frames"), ()
        cuts.append(f"cut from {frames} to {config.frames.longest} frames")
        frames = config.frames.longest
    if audio is not None and len(audio) < (frames - 1) * SAMPLES_PER_FRAME:
        sounding = len(audio) // SAMPLES_PER_FRAME
        cuts.append(f"cut from {frames} to {sounding} frames: the audio ends there")
        frames = sounding
    if frames < config.frames.shortest:
        return Dropped(raw.id, "too short", f"{frames} < {config.frames.shortest} frames"), ()
    return frames, tuple(cuts)


def _fitted(audio: FloatArray, frames: int) -> FloatArray:
    """As many samples as the motion lasts; up to one missing frame is silence."""
    wanted = frames * SAMPLES_PER_FRAME
    return np.pad(audio[:wanted], (0, max(0, wanted - len(audio))))


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
