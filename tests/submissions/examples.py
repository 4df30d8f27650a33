"""Small submissions that tests write into temporary folders."""

from pathlib import Path

_CARD = """
name = "{name}"
version = "1"
kind = "code"
entry = "generator:{entry}"
output = "parameters"
stochastic = {stochastic}
tracks = ["*"]
authors = ["A. Tester"]
licence = "MIT"
training_data = "none"
url = "https://example.org"
"""

_LOUDNESS = '''
import numpy as np
from benchmark.protocol import Motion


class Loudness:
    """Opens the jaw with the loudness of the frame."""

    def generate(self, conditions, seed):
        motions = []
        for condition in conditions:
            parameters = np.zeros((condition.frames, 56), np.float32)
            audio = np.pad(condition.audio, (0, max(0, condition.frames * 640 - len(condition.audio))))
            frames = audio[: condition.frames * 640].reshape(condition.frames, 640)
            parameters[:, 53] = np.clip(2 * np.abs(frames).mean(axis=1), 0, 0.4)
            motions.append(Motion(parameters=parameters))
        return motions
'''


def write_submission(folder: Path, code: str, entry: str, stochastic: bool = False) -> Path:
    """A code submission with one module, ``generator``."""
    folder.mkdir(parents=True)
    card = _CARD.format(name=folder.name, entry=entry, stochastic=str(stochastic).lower())
    (folder / "submission.toml").write_text(card, encoding="utf-8")
    (folder / "generator.py").write_text(code, encoding="utf-8")
    return folder


def write_loudness(folder: Path) -> Path:
    """A submission that moves the jaw with the loudness of the speech."""
    return write_submission(folder, _LOUDNESS, "Loudness")
