"""The clips one can watch: how they were chosen, and that what is kept of a run is what the run said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.corpus import source_of
from benchmark.errors import InputError
from benchmark.mini.manifest import DATA
from benchmark.mini.packs import read_media
from benchmark.predictions import PredictionsRecord, write_record, write_sample
from benchmark.tracks import FROZEN_TRACKS, SPLITS_FOLDER
from leaderboard.rows import RESULTS
from leaderboard.shown import CHOICE, COUNT, PICTURES, choose, extract, read_shown, shown_clips

TRACK = "mini/talking@1"


def make_run(folder: Path, motions: dict[str, Any], output: str = "parameters", track: str = TRACK) -> Path:
    """A finished run's predictions, as far as they matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sample(folder, 0, motions.items())
    record: dict[str, Any] = {
        **dict.fromkeys(("card_sha256", "code_sha256", "key", "bundle_sha256", "created_utc"), ""),
        "name": "made",
        "version": "1",
        "kind": "code",
        "card": {},
        "output": output,
        "stochastic": False,
        "track": track,
        "split": "test",
        "samples": 1,
        "seed": 1,
        "seeds": [1],
        "isolation": "process",
        "frames": {c: len(m) for c, m in motions.items()},
        "status": {c: ["ok"] for c in motions},
        "problems": [],
        "files": {},
        "seconds": None,
        "real_time_factor": None,
    }
    write_record(folder, PredictionsRecord(**record))
    return folder


def make_motions(width: tuple[int, ...], clips: tuple[str, ...], amplitude: float) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {clip: (amplitude * rng.standard_normal((9, *width))).astype(np.float32) for clip in clips}


@pytest.mark.parametrize("track", FROZEN_TRACKS)
def test_choice_is_what_the_rule_gives_from_lengths_and_texts_alone(track: str) -> None:
    ids = (SPLITS_FOLDER / track.replace("/", "-") / "test.txt").read_text(encoding="utf-8").split()
    media = read_media(DATA, "test", ids)
    texts = {clip: one.texts["action"] for clip, one in media.items()}
    assert list(shown_clips(track)) == choose({clip: one.frames for clip, one in media.items()}, texts)


@pytest.mark.parametrize("track", FROZEN_TRACKS)
def test_choice_spreads_over_performers_and_lengths_and_has_stills(track: str) -> None:
    clips = shown_clips(track)
    frames = [one.frames for one in read_media(DATA, "test", clips).values()]
    assert len(clips) == COUNT == len({source_of(clip) for clip in clips})
    assert frames == sorted(frames)
    assert frames[-1] > 3 * frames[0] - 15
    for clip in clips:
        assert (PICTURES / track.replace("/", "-") / f"{clip}.png").is_file()


def test_parameters_survive_within_half_a_step(tmp_path: Path) -> None:
    motions = make_motions((56,), shown_clips(TRACK), 2.0)
    extract(make_run(tmp_path / "run", {**motions, "another": motions[shown_clips(TRACK)[0]]}), tmp_path / "row")
    shown = read_shown(tmp_path / "row")
    assert shown is not None
    assert list(shown.steps) == list(motions)
    for clip, motion in motions.items():
        assert (np.abs(shown.motion(clip) - motion) <= 0.51 * shown.scale + 1e-6).all()


def test_vertices_survive_within_a_fiftieth_of_a_millimetre(tmp_path: Path) -> None:
    motions = make_motions((30, 3), shown_clips(TRACK)[:2], 0.04)
    extract(make_run(tmp_path / "run", motions, "vertices"), tmp_path / "row")
    shown = read_shown(tmp_path / "row")
    assert shown is not None
    assert max(np.abs(shown.motion(clip) - motion).max() for clip, motion in motions.items()) < 2e-5


def test_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", make_motions((56,), shown_clips(TRACK), 1.0))
    first, second = (extract(run, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    path = extract(make_run(tmp_path / "run", make_motions((56,), shown_clips(TRACK)[:1], 1.0)), tmp_path / "row")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"shown\.npz: changed since it was kept"):
        read_shown(tmp_path / "row")


def test_a_track_without_a_choice_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", make_motions((56,), ("a",), 1.0), track="user/talking@local")
    with pytest.raises(InputError, match="no clips are chosen to be shown"):
        extract(run, tmp_path / "row")


def test_nothing_kept_is_nothing_read(tmp_path: Path) -> None:
    assert read_shown(tmp_path) is None


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/*/shown.npz")), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_every_kept_row_is_whole_and_small(path: Path) -> None:
    shown = read_shown(path.parent)
    track = path.parent.name.replace("mini-", "mini/")
    frames = {clip: one.frames for clip, one in read_media(DATA, "test", shown_clips(track)).items()}
    assert shown is not None
    assert {clip: len(steps) for clip, steps in shown.steps.items()} == frames
    assert path.stat().st_size < 200_000 or shown.output == "vertices"


def test_the_choice_says_why() -> None:
    assert "before any row was looked at" in json.loads(CHOICE.read_text(encoding="utf-8"))["why"]
