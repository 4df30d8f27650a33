"""Ctrl-C: exit code 130, finished clips kept, and the same command goes on from them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.evaluators.world import write_corpus
from tests.submissions.examples import write_submission

SLOW = """
import time
from pathlib import Path

import numpy as np
from benchmark.protocol import Motion


class Slow:
    def generate(self, conditions, seed):
        time.sleep(0.15)
        return [Motion(parameters=np.full((c.frames, 56), 0.01 * len(c.clip_id), np.float32)) for c in conditions]
"""


def _heed_interrupts() -> None:
    """A shell starts what it puts in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _start(arguments: list[str], home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mmbench.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "MMBENCH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )


def test_an_interrupted_generation_keeps_what_is_finished_and_goes_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    submission = write_submission(tmp_path / "slow", SLOW, "Slow")
    card = submission / "submission.toml"
    card.write_text(card.read_text(encoding="utf-8") + "batch_size = 4\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = ["generate", str(submission), "--track", "talking", "--corpus", str(corpus), "--out", str(out)]
    process = _start(arguments, tmp_path / "home")
    deadline = time.monotonic() + 60
    while len(list(out.rglob("*.npz"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    stopped = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert time.monotonic() - stopped < 5
    assert "kept" in error and "Traceback" not in error
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    assert len(kept) >= 2 and not (out / "predictions.json").exists()

    again = _start(arguments, tmp_path / "home")
    _, error = again.communicate(timeout=60)
    assert again.returncode == 0, error
    with np.load(out / "0.npz") as arrays:
        assert len(arrays.files) == 40
    assert not subprocess.run(["pgrep", "-f", str(submission)], capture_output=True, check=False).stdout
