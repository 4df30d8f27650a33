"""Writes ``weights.json`` of the reference submissions from the cards of the weights they run on.

Run it whenever weights change: python scripts/reference_weights.py [--weights DIR]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmark.tracks import FROZEN_TRACKS
from reference_models.catalogue import MODELS
from reference_models.pins import PINS_FILE, Pins, weight_hashes, write_pins
from reference_models.weights import CARD_FILE, WEIGHTS, weights_folder

SUBMISSIONS = Path(__file__).resolve().parent.parent / "submissions"


def write_weights_json(
    folder: Path, names: Sequence[str], tracks: Sequence[str], submissions: Path = SUBMISSIONS
) -> list[Path]:
    """Writes each submission's list of weights: the tracks for which there are some, its networks and their hashes.

    Args:
        folder: Root of the weights.
        names: Models; each has a submission of its name.
        tracks: Track ids with version.
        submissions: Folder of the submissions.

    Returns:
        The files written; models without weights get none.
    """
    written = []
    for name in names:
        trained = [track for track in tracks if (weights_folder(name, track, folder) / CARD_FILE).is_file()]
        if trained:
            path = submissions / name / PINS_FILE
            write_pins(path, Pins(weights={track: weight_hashes(name, track, (folder,)) for track in trained}))
            written.append(path)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    for path in write_weights_json(parser.parse_args().weights, MODELS, tuple(FROZEN_TRACKS)):
        print(path)


if __name__ == "__main__":
    main()
