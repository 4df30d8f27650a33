"""Keeps what the viewer shows: motions of the shown clips of runs and controls; with --choose, the choice and stills.

python scripts/freeze_shown.py --runs DIR mm2face vqvae     # DIR/<name>/<track>/predictions
python scripts/freeze_shown.py --controls                   # from the embedded corpus
python scripts/freeze_shown.py --choose                     # once a track version: clips.json and the stills
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmark.head import open_head
from benchmark.mini.build import ensure
from benchmark.mini.manifest import DATA
from benchmark.mini.open_head import vertex_colours
from benchmark.mini.packs import read_media
from benchmark.protocol import EXPRESSION, JAW
from benchmark.render import render
from benchmark.storage import write_json
from benchmark.tracks import FROZEN_TRACKS, SPLITS_FOLDER
from evaluators.controls import CONTROLS
from evaluators.entrants import Entrant, make
from evaluators.setting import Setup
from leaderboard.rows import RESULTS
from leaderboard.shown import CHOICE, PICTURES, choose, extract, shown_clips

WHY = (
    "Twelve clips a track that differ in length, performer and action, chosen by leaderboard.shown.choose "
    "from lengths, clip ids and action texts of the test split alone, before any row was looked at."
)
TALL, BROAD, SPAN, CENTRE = 208, 176, 0.27, (0.0, -0.008, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of <name>/<track>/predictions")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--controls", action="store_true")
    parser.add_argument("--choose", action="store_true")
    given = parser.parse_args()
    if given.choose:
        _choose()
    for name in given.names:
        found = sorted((given.runs / name).glob("*/predictions/predictions.json"))
        if not found:
            sys.exit(f"no finished run below {given.runs / name}")
        for record in found:
            print(extract(record.parent, given.results / name / record.parts[-3]))
    if given.controls:
        _controls(given.results)


def _choose() -> None:
    tracks = {}
    for track in FROZEN_TRACKS.values():
        ids = (SPLITS_FOLDER / track.id.replace("/", "-") / "test.txt").read_text(encoding="utf-8").split()
        media = read_media(DATA, "test", ids)
        frames = {clip: one.frames for clip, one in media.items()}
        tracks[track.id] = choose(frames, {clip: one.texts["action"] for clip, one in media.items()})
        for clip in tracks[track.id]:
            print(track.id, clip, frames[clip], media[clip].texts["action"])
    write_json(CHOICE, {"why": WHY, "tracks": tracks})


def _controls(results: Path) -> None:
    setup = Setup()
    for track in FROZEN_TRACKS.values():
        for name in CONTROLS:
            with tempfile.TemporaryDirectory() as folder:
                make(Entrant(name, None), track, setup, Path(folder), None, lambda *_: None)
                place = name.replace(":", "-"), track.id.replace("/", "-")
                print(extract(Path(folder), results.joinpath(*place)))
        _stills(track.id)


def _stills(track: str) -> None:
    from benchmark.corpus import load_corpus

    corpus, head = load_corpus(ensure()), open_head()
    for clip in shown_clips(track):
        motion = corpus.motion(clip)
        vertices = head.vertices(torch.from_numpy(motion[_liveliest(motion)]), neck=True).numpy()
        picture = render(vertices, head.faces, vertex_colours(), size=2 * TALL, span=SPAN, centre=CENTRE, yaw=-0.25)
        edge = TALL - BROAD
        image = Image.fromarray(picture[:, edge : edge + 2 * BROAD]).resize((BROAD, TALL), Image.Resampling.LANCZOS)
        path = PICTURES / track.replace("/", "-") / f"{clip}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.quantize(128, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def _liveliest(motion: np.ndarray) -> int:
    """The frame furthest from the clip's usual face, blinks smoothed away."""
    even = np.apply_along_axis(np.convolve, 0, motion, np.ones(9) / 9, "same")
    from_usual = even - np.median(even, axis=0)
    return int(np.argmax(np.linalg.norm(from_usual[:, EXPRESSION], axis=1) + 20 * from_usual[:, JAW.start].clip(0)))


if __name__ == "__main__":
    main()
