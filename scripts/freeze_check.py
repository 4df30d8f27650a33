"""Freezes motions for ``mmbench check``: the check's clips out of predictions on the test split, and their numbers.

    python scripts/freeze_check.py --rows runs vqvae mm2face

takes runs/vqvae/mini-talking@1/predictions and so on, of every track there is. Entrants frozen before stay. A number
that is sealed under a metric's version is never changed: give the metric a new version first.
"""

import argparse
import sys
from pathlib import Path

from benchmark.corpus import load_corpus
from benchmark.mini.build import ensure
from benchmark.predictions import RECORD_NAME
from benchmark.tracks import FROZEN_TRACKS
from evaluators.check.freeze import freeze
from evaluators.check.frozen import FOLDER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="entrants to add, folders below --rows")
    parser.add_argument("--rows", type=Path, default=Path("runs"), help="what mmbench evaluate --out wrote")
    parser.add_argument("--samples", type=int, default=2, help="motions a clip to keep")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the frozen sets lie")
    options = parser.parse_args()
    corpus = load_corpus(ensure(splits=("test",)))
    for track in FROZEN_TRACKS:
        folders = {name: options.rows / name / track.replace("/", "-") / "predictions" for name in options.names}
        ready = {name: folder for name, folder in folders.items() if (folder / RECORD_NAME).is_file()}
        for name in folders.keys() - ready.keys():
            print(f"{name} has no predictions on {track}", file=sys.stderr)
        frozen = freeze(track, corpus, ready, options.samples, options.folder)
        print(f"{track}: {len(frozen.clips)} clips, {', '.join(frozen.entrants)}")


if __name__ == "__main__":
    main()
