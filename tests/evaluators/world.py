"""A small world to score in: 40 clips, a random head, and encoders simple enough to reason about."""

import json
import pickle
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.corpus import Corpus, load_corpus
from benchmark.head import HeadModel, load_head
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from benchmark.tracks import Track, tracks_of_corpus
from evaluators.judge import Judge
from evaluators.result import Protocol
from evaluators.retrieval import EvaluatorSet

N_VERTICES, FACE, LIPS = 30, list(range(2, 20)), [0, 2, 3, 4]


def write_head(path: Path) -> Path:
    """A random FLAME-format head of 30 vertices, one lip vertex of which is outside the face."""
    rng = np.random.default_rng(5)
    weights = rng.uniform(size=(N_VERTICES, 5))
    regressor = rng.uniform(size=(5, N_VERTICES))
    np.savez(
        path,
        f=np.arange(N_VERTICES).reshape(-1, 3),
        v_template=rng.normal(0, 0.05, (N_VERTICES, 3)),
        shapedirs=rng.normal(0, 0.002, (N_VERTICES, 3, 50)),
        posedirs=rng.normal(0, 0.001, (N_VERTICES, 3, 36)),
        J_regressor=regressor / regressor.sum(axis=1, keepdims=True),
        weights=weights / weights.sum(axis=1, keepdims=True),
        kintree_table=np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        face=np.array(FACE),
        lips=np.array(LIPS),
    )
    return path


def write_corpus(folder: Path, clips: int = 40, performers: int = 8) -> Path:
    """A talking corpus in the MMHead layout: distinct motions of 20 to 59 frames."""
    names = [f"W_p{i % performers}_{i:03d}" for i in range(clips)]
    rng = np.random.default_rng(11)
    for kind in ("audio", "facial_motion", *(f"text_annotations/{field}" for field in TEXT_FIELDS)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        frames = 20 + i
        level, swing = rng.normal(0, 1, (1, 56)), rng.normal(0, 0.3, (frames, 56)).cumsum(axis=0)
        parameters = level + swing / 4
        parameters[:, 50:] = np.clip(parameters[:, 50:], -1, 1) * 0.15
        parameters = parameters.astype(np.float32)
        record = {"expcodes": parameters[:, :50], "posecodes": parameters[:, 50:]}
        (folder / "facial_motion" / f"{name}.pkl").write_bytes(pickle.dumps(record, protocol=4))
        with wave.open(str(folder / "audio" / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(rng.normal(0, 3000, frames * 640).astype("<i2").tobytes())
        for field in TEXT_FIELDS:
            (folder / "text_annotations" / field / f"{name}.txt").write_text(name, encoding="utf-8")
    (folder / "talking_subset.json").write_text(json.dumps({"train": names[:5], "val": [], "test": names}))
    return folder


@dataclass
class FakeText:
    """Embeds a motion as its mean face and mean head pose; a text as the motion it is the text of, a little off."""

    corpus: Corpus
    head: HeadModel
    id: str = "fake-text"
    sha256: str = "fake-text-1"
    text_fields: tuple[str, ...] = TEXT_FIELDS

    def embed_motions(self, motions: Iterable[tuple[FloatArray, FloatArray]]) -> FloatArray:
        rows = [
            np.concatenate([100 * vertices.mean(axis=0).ravel()[:12], 10 * neck.mean(axis=0)])
            for vertices, neck in motions
        ]
        return np.asarray(rows, dtype=np.float32)

    def embed_texts(self, texts: Sequence[Texts]) -> FloatArray:
        import torch

        rng = np.random.default_rng(0)
        motions = [self.corpus.motion(text.action) for text in texts]
        faces = [self.head.vertices(torch.from_numpy(motion), self.head.face_ids).numpy() for motion in motions]
        exact = self.embed_motions(zip(faces, [motion[:, 50:53] for motion in motions], strict=True))
        return (exact + rng.normal(0, 0.02, exact.shape)).astype(np.float32)


@dataclass
class FakeAudio:
    """Embeds a motion as its first lip trace; speech as the trace of the clip with that number of samples."""

    corpus: Corpus
    head: HeadModel
    id: str = "fake-audio"
    sha256: str = "fake-audio-1"
    window: int | None = None

    def embed_motions(self, vertices: Iterable[FloatArray], *, as_released: bool = False) -> FloatArray:
        length = 15 if as_released else 20
        return np.asarray([1000 * clip[:length, 1].ravel()[: 15 * 3] for clip in vertices], dtype=np.float32)

    def embed_audio(self, clips: Iterable[tuple[FloatArray, int]], *, as_released: bool = False) -> FloatArray:
        import torch

        by_frames = {self.corpus.frames(name): name for name in self.corpus.subsets["talking"]["test"]}
        faces = []
        for _, frames in clips:
            motion = torch.from_numpy(self.corpus.motion(by_frames[frames]))
            faces.append(self.head.vertices(motion, self.head.face_ids).numpy())
        return self.embed_motions(faces, as_released=as_released)


@dataclass
class World:
    """The pieces, and judges made of them."""

    corpus: Corpus
    head: HeadModel
    evaluators: EvaluatorSet
    track: Track

    def judge(self, protocol: Protocol = "strict") -> Judge:
        ids = self.corpus.subsets["talking"]["test"]
        frames = tuple(self.corpus.frames(clip_id) for clip_id in ids)
        return Judge(self.track, self.corpus, "test", ids, frames, self.head, self.evaluators, protocol)


def make_world(folder: Path, clips: int = 40) -> World:
    """A world below a temporary folder."""
    corpus = load_corpus(write_corpus(folder / "corpus", clips))
    head = load_head(write_head(folder / "head.npz"))
    fakes: dict[str, Any] = {"text": FakeText(corpus, head), "audio": FakeAudio(corpus, head)}
    evaluators = EvaluatorSet(id="fake", trained_on="user", head_sha256=head.sha256, **fakes)
    [track] = tracks_of_corpus(corpus)
    return World(corpus, head, evaluators, track)
