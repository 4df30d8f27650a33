"""Measures what a user waits for: wall time and peak memory of the commands, each in a process of its own.

    python scripts/benchmark_scoring.py [--markdown]

Every line is one fresh process, start-up included. ``cold`` computes the truth's side, ``warm`` finds it in the cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmark.corpus import load_corpus
from benchmark.mini.build import ensure, mini_path
from benchmark.predictions import write_sample
from benchmark.tracks import load_track, split_ids
from evaluators.controls import find_control

TRACK = "mini/talking@1"


def measure(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Wall seconds and peak resident megabytes of one run of the command line."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mmbench.cli", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"mmbench {' '.join(arguments)} failed with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def write_predictions(folder: Path, samples: int) -> tuple[int, int]:
    """Shuffled real motions as predictions of ``samples`` motions a clip; gives clips and frames."""
    track = load_track(TRACK)
    corpus = load_corpus(ensure())
    ids = split_ids(track, "test", corpus)
    truth = [corpus.motion(clip_id) for clip_id in ids]
    for sample in range(samples):
        motions = find_control("control:shuffled").answer(truth, [], sample)
        write_sample(folder, sample, zip(ids, motions, strict=True))
    return len(ids), int(np.sum([len(motion) for motion in truth]))


def main() -> None:
    """Runs everything and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true")
    markdown = parser.parse_args().markdown
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        home.mkdir()
        (home / mini_path().name).symlink_to(ensure())
        for samples in (1, 5):
            clips, frames = write_predictions(Path(temporary) / str(samples), samples)
        print(f"{TRACK} test: {clips} clips, {frames / clips:.0f} frames on average, {os.cpu_count()} cores")
        score = ["score", "--track", TRACK]
        runs = [
            ("mmbench --help", ["--help"]),
            ("validate nearest_text", ["validate", "submissions/nearest_text"]),
            ("score, 1 motion a clip, cold", [*score, f"{temporary}/1"]),
            ("score, 1 motion a clip, warm", [*score, f"{temporary}/1"]),
            ("score, 5 motions a clip, warm", [*score, f"{temporary}/5"]),
            ("score --protocol official, cold", [*score, "--protocol", "official", f"{temporary}/1"]),
            ("evaluate nearest_text, warm", ["evaluate", "submissions/nearest_text", "--track", TRACK]),
        ]
        for name, arguments in runs:
            extra = ["--out", f"{temporary}/out"] if arguments[0] == "evaluate" else []
            seconds, megabytes = measure([*arguments, *extra], {"MMBENCH_HOME": str(home)})
            rows.append((name, f"{seconds:.2f}", f"{megabytes:.0f}"))
            print(f"{name}: {seconds:.2f} s, {megabytes:.0f} MB", flush=True)
    if markdown:
        from tabulate import tabulate

        print(tabulate(rows, headers=("command", "seconds", "peak MB"), tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
