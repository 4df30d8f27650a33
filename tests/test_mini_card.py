"""The script that writes the embedded corpus's data card, on a handful of clips."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.construction.layout import make_folders, write_motion, write_texts
from benchmark.corpus import SUBSET_FILES
from benchmark.protocol import Texts
from benchmark.storage import write_json

ACTIONS = (
    "talks and nods the head",
    "smiles",
    "takes a bite and chews on the left, then turns to the right",
    "juggles",
)


def _corpus(folder: Path) -> None:
    """Four clips of 50 frames, two of them in both tracks, one with an action that no phrase names."""
    make_folders(folder)
    rng = np.random.default_rng(0)
    for number, action in enumerate(ACTIONS):
        name = f"MINI_p{number:02d}_0000"
        write_motion(folder, name, (rng.normal(size=(50, 56)) * 0.05).astype(np.float32))
        texts = Texts(
            f"The person {action}.", "The person looks very happy.", "The lips part.", "It nods.", "1. A gift."
        )
        write_texts(folder, name, texts)
    names = [f"MINI_p{number:02d}_0000" for number in range(len(ACTIONS))]
    write_json(folder / SUBSET_FILES["talking"], {"train": names[:1], "val": [], "test": names[1:2]})
    write_json(
        folder / SUBSET_FILES["text2motion"], {"train": names[:1], "val": names[2:3], "test": [names[1], names[3]]}
    )


def test_the_card_counts_what_is_in_the_corpus_and_its_pictures_are_small(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    _corpus(tmp_path / "mini-7")
    (tmp_path / "out").mkdir()
    command = [sys.executable, "scripts/mini_card.py", str(tmp_path / "mini-7"), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    card = re.sub(" +", " ", (tmp_path / "out/mini.md").read_text(encoding="utf-8"))
    for line in (
        "# The embedded corpus `mini`, version 7",
        "| all, each clip once | 4 | 200 | 0.00 | |",
        "2 talking and singing clips are in both tracks",
        "| talk | 1 | 1 | 25.0% | 0 |",
        "| eat | 0 | 1 | 25.0% | 1 |",  # its phrase holds that of chewing
        "| turn | 0 | 1 | 25.0% | 1 |",
        "| named by no phrase | 0 | 1 | 25.0% | 1 |",
        "| happy | 2 | 4 | 100.0% | 3 |",
    ):
        assert line in card
    assert "| chew" not in card
    for picture in ("mini_contact_sheet.png", "mini_histograms.png"):
        assert 5_000 < (tmp_path / "out" / picture).stat().st_size < 700_000
