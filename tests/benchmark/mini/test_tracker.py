"""The faulty tracker: the pipeline takes its faults out again, and what the performer did is left."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.construction.cleaning import replace
from benchmark.construction.clip import construct_clip
from benchmark.construction.motion import mend
from benchmark.construction.records import Constructed, RawClip
from benchmark.construction.resample import output_times, resample
from benchmark.mini.channels import CHANNELS
from benchmark.mini.clip import CONSTRUCTION, Take, make, take
from benchmark.mini.clips import Clip, clips
from benchmark.mini.open_head import channel_matrix
from benchmark.mini.performer import Performance
from benchmark.mini.performers import generator
from benchmark.mini.plan import Mood, Plan
from benchmark.mini.quantise import from_grid, to_grid
from benchmark.mini.tracker import observe
from benchmark.protocol import EXPRESSION, FPS, JAW, NECK

Array = NDArray[np.float64]
Shot = tuple[Take, Constructed]


def _construct(clip: Clip, shot: Take) -> Constructed:
    done = construct_clip(shot.raw, CONSTRUCTION, generator(2, clip.index, 3))
    assert isinstance(done, Constructed)
    return done


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    taken = [(clip, take(clip)) for clip in clips()[:120]]
    return [(shot, _construct(clip, shot)) for clip, shot in taken]


def _clean(played: Performance) -> Array:
    """What was done, as parameters; (T, 56)."""
    return np.concatenate([played.activations @ channel_matrix(), played.neck, played.jaw], axis=1)


def _tracked(raw: RawClip) -> Array:
    """The track as it came, at its own rate; (S, 56)."""
    return np.concatenate([raw.expression, raw.neck, raw.jaw], axis=1)


def _resampled(raw: RawClip) -> Array:
    """The track at 25 frames a second with its faults, only its gaps bridged; (T, 56)."""
    parts = [replace(part, ~np.isfinite(part)) for part in (raw.expression, raw.neck, raw.jaw)]
    expression, rotations = resample(parts[0], (parts[1], parts[2]), raw.fps, raw.times)
    return np.concatenate([expression, *rotations], axis=1)


@pytest.mark.parametrize("part", [EXPRESSION, NECK, JAW], ids=["expression", "neck", "jaw"])
def test_the_pipeline_takes_out_most_of_the_trackers_error(shots: list[Shot], part: slice) -> None:
    faulty, mended = [], []
    for shot, done in shots:
        clean = _clean(shot.played)[:, part]
        faulty.append(np.mean((_resampled(shot.raw)[:, part] - clean) ** 2))
        mended.append(np.mean((done.parameters[:, part] - clean) ** 2))
    assert np.sqrt(np.mean(mended)) < 0.4 * np.sqrt(np.mean(faulty))
    assert np.median(np.sqrt(np.divide(mended, faulty))) < 0.5


def test_values_that_jump_are_found_and_sound_ones_left(shots: list[Shot]) -> None:
    jumps = found = sound = taken = 0
    for shot, _ in shots:
        if shot.raw.fps != FPS:
            continue
        error = np.abs(_tracked(shot.raw) - _clean(shot.played))[:, EXPRESSION]
        mask = mend(shot.raw, CONSTRUCTION.outliers).mask[:, EXPRESSION]
        jumps += int((error > 2.5).sum())
        found += int((mask & (error > 2.5)).sum())
        sound += int((error < 0.5).sum())
        taken += int((mask & (error < 0.5)).sum())
    assert jumps > 400
    assert found > 0.97 * jumps
    assert taken < 0.005 * sound


def test_gaps_are_bridged(shots: list[Shot]) -> None:
    errors = []
    for shot, done in shots:
        assert np.isfinite(done.parameters).all()
        lost = np.isnan(shot.raw.expression[:, 0])
        if lost.any() and shot.raw.fps == FPS:
            errors.append(float(np.abs(done.parameters - _clean(shot.played))[lost, EXPRESSION].mean()))
    assert len(errors) >= 3
    assert np.median(errors) < 0.25  # of a deviation near 0.9


def test_lip_closures_survive(shots: list[Shot]) -> None:
    """Smoothing must not take the lips apart where a speaker closes them."""
    opened = []
    for shot, done in shots:
        jaw = shot.played.jaw[:, 0]
        closed = np.flatnonzero((jaw[1:-1] <= jaw[:-2]) & (jaw[1:-1] < jaw[2:]) & (jaw[1:-1] < 0.03)) + 1
        if shot.speech is not None:
            opened += (done.parameters[closed, JAW.start] - jaw[closed]).tolist()
    assert len(opened) > 200
    assert abs(np.mean(opened)) < 0.003
    assert np.percentile(opened, 95) < 0.012


def _still(frames: int) -> tuple[Plan, Performance]:
    zeros = np.zeros((frames, 3))
    return Plan(frames, (Mood("neutral", 0.5, 0.0, frames),), ()), Performance(
        np.zeros((frames, len(CHANNELS))), zeros, zeros
    )


def test_a_camera_of_30_frames_a_second_gives_as_many_frames_of_25() -> None:
    for frames in range(40, 201):
        plan, played = _still(frames)
        raw = observe("MINI_test_0", plan, played, None, 30.0, generator(93, frames))
        assert len(raw.expression) > frames
        assert len(output_times(len(raw.expression), raw.fps)) == frames


def test_clips_are_as_long_as_they_were_played_whatever_the_camera(shots: list[Shot]) -> None:
    assert {shot.raw.fps for shot, _ in shots} == {25.0, 30.0}
    assert all(len(done.parameters) == len(shot.played.neck) == shot.plan.frames for shot, done in shots)


def test_labels_do_not_tell_their_order(shots: list[Shot]) -> None:
    for shot, _ in shots:
        assert list(shot.raw.actions) == sorted(shot.raw.actions)


def test_a_clip_is_bit_equal_when_it_is_made_again() -> None:
    """Speech apart, which depends on the utterances before it: there the same take is constructed twice."""
    some = clips()[:40]
    for clip in [clip for clip in some if not clip.has_speech][:6]:
        first, again = make(clip), make(clip)
        assert first.parameters.tobytes() == again.parameters.tobytes()
        assert first.texts == again.texts
    for clip in [clip for clip in some if clip.has_speech][:4]:
        shot = take(clip)
        one, two = _construct(clip, shot), _construct(clip, shot)
        assert one.parameters.tobytes() == two.parameters.tobytes()
        assert one.texts == two.texts


def test_each_style_lies_on_the_grid_with_audio_exactly_as_long_as_its_motion() -> None:
    styles: set[str] = set()
    for clip in clips()[:120]:
        style = take(clip).plan.style
        if style in styles:
            continue
        styles.add(style)
        result = make(clip)
        assert np.array_equal(from_grid(to_grid(result.parameters)), result.parameters)
        assert (result.speech is not None) == bool(style)
        if result.speech is not None:
            assert len(result.speech.audio) == 640 * len(result.parameters)
            assert result.speech.phonemes[-1][1] <= len(result.parameters) / FPS + 1e-9
    assert styles == {"", "talk", "sing", "read"}
