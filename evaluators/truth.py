"""The truth's side of every score: computed once a corpus, head and encoder set, and kept by content hash."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmark.progress import Progress, no_progress
from benchmark.protocol import FloatArray
from benchmark.storage import atomic_path, content_hash, crc32_file, home, write_npz
from evaluators.judge import Judge, chunks, neck_of


@dataclass(frozen=True)
class Embeddings:
    """One set of motions in the encoders' spaces, in frozen clip order; None where a track has no audio."""

    motion: FloatArray
    """(N, d) motions in the text-motion space."""
    audio_motion: FloatArray | None
    """(N, e) motions in the audio-motion space."""


class TruthSide:
    """Queries, real motions' embeddings and vertices of a judge's clips.

    Everything is read from the cache below ``home()/truth`` when a file of the right content hash is there and whole,
    else computed and kept. The hash knows the data and the weights, not the code: what must not trust an earlier run's
    code names a folder of its own.

    Args:
        judge: Clips, head and encoders.
        progress: Told how far the work is.
        kept: Folder of the cache in place of ``home()/truth``.
    """

    def __init__(self, judge: Judge, progress: Progress = no_progress, kept: Path | None = None) -> None:
        self.judge = judge
        self._progress = progress
        self._kept = kept

    @cached_property
    def clip_hashes(self) -> list[str]:
        """Content hash of each clip's files."""
        return [self.judge.corpus.content_hash(clip_id) for clip_id in self.judge.clip_ids]

    @cached_property
    def sha256(self) -> str:
        """Hash of all clips' contents, in order."""
        return content_hash(list(self.judge.clip_ids), self.clip_hashes)

    @cached_property
    def motions(self) -> list[FloatArray]:
        """(T, 56) a clip."""
        return [self.judge.corpus.motion(clip_id) for clip_id in self.judge.clip_ids]

    @cached_property
    def text_queries(self) -> FloatArray:
        """(N, d) the clips' texts in the text-motion space."""
        encoder = self.judge.text_encoder
        texts = [self.judge.corpus.texts(clip_id) for clip_id in self.judge.clip_ids]
        key = content_hash("text", encoder.sha256, self.sha256)
        return self._cached(key, "embedding the texts", lambda: encoder.embed_texts(texts))

    @cached_property
    def audio_queries(self) -> FloatArray | None:
        """(N, e) the clips' speech in the audio-motion space."""
        encoder = self.judge.evaluators.audio
        if encoder is None or not self.judge.track.has_audio:
            return None
        key = content_hash("audio", encoder.sha256, self.sha256, self.judge.protocol)

        def compute() -> FloatArray:
            clips = zip(self.judge.clip_ids, self.judge.frames, strict=True)
            speech = ((self.judge.corpus.audio(clip_id), frames) for clip_id, frames in clips)
            return encoder.embed_audio(speech, as_released=self.judge.official)

        return self._cached(key, "embedding the speech", compute)

    @cached_property
    def embeddings(self) -> Embeddings:
        """The real motions' embeddings, with their real head pose under both protocols."""
        text, audio = self.judge.text_encoder, self.judge.evaluators.audio
        with_audio = audio is not None and self.judge.track.has_audio
        key = content_hash(
            "motion",
            text.sha256,
            audio.sha256 if audio is not None and with_audio else "",
            self.judge.head.sha256,
            self.sha256,
            self.judge.protocol,
        )
        path = self._path(key, "npz")
        if not self._whole(path):
            found = embed(self.judge, self.vertices, [neck_of(motion) for motion in self.motions], self._progress)
            arrays = {"motion": found.motion}
            if found.audio_motion is not None:
                arrays["audio_motion"] = found.audio_motion
            write_npz(path, arrays)
            self._seal(path)
            return found
        with np.load(path, allow_pickle=False) as kept:
            return Embeddings(kept["motion"], kept["audio_motion"] if with_audio else None)

    def vertices(self, index: int) -> FloatArray:
        """Region vertices of one clip, (T, n_region, 3) metres, read-only."""
        ends = np.cumsum(self.judge.frames)
        return self._vertex_file[ends[index] - self.judge.frames[index] : ends[index]]

    @cached_property
    def _vertex_file(self) -> FloatArray:
        path = self._path(content_hash("vertices", self.judge.head.sha256, self.sha256), "npy")
        if not self._whole(path):
            shape = (sum(self.judge.frames), len(self.judge.head.region_ids), 3)
            with atomic_path(path) as temporary:
                file = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
                start = 0
                for part in chunks(len(self.motions)):
                    self._progress("vertices of the truth", part.stop, len(self.motions))
                    for vertices in self.judge.region_vertices(self.motions[part]):
                        file[start : start + len(vertices)] = vertices
                        start += len(vertices)
                file.flush()
                del file
            self._seal(path)
        loaded: FloatArray = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded

    def _cached(self, key: str, stage: str, compute: Callable[[], FloatArray]) -> FloatArray:
        path = self._path(key, "npz")
        if not self._whole(path):
            self._progress(stage, 0, 1)
            write_npz(path, {"embedding": compute()})
            self._seal(path)
            self._progress(stage, 1, 1)
        with np.load(path, allow_pickle=False) as kept:
            embedding: FloatArray = kept["embedding"]
            return embedding

    def _path(self, key: str, suffix: str) -> Path:
        return (self._kept or home() / "truth") / key[:2] / f"{key}.{suffix}"

    @staticmethod
    def _seal(path: Path) -> None:
        with atomic_path(path.with_suffix(".crc32")) as temporary:
            temporary.write_text(crc32_file(path), encoding="ascii")

    @staticmethod
    def _whole(path: Path) -> bool:
        """Whether a cached file is what was written; a checksum is enough against damage, and six times quicker."""
        seal = path.with_suffix(".crc32")
        return path.is_file() and seal.is_file() and seal.read_text(encoding="ascii") == crc32_file(path)


def embed(
    judge: Judge,
    vertices: Callable[[int], FloatArray],
    necks: list[FloatArray],
    progress: Progress = no_progress,
    stage: str = "embedding the truth",
) -> Embeddings:
    """Embeds one motion a clip with the judge's encoders, a chunk of clips at a time.

    Args:
        judge: Encoders and protocol.
        vertices: Gives the region vertices (T, n_region, 3) of the clip at an index.
        necks: Head pose (T, 3) a clip, radians.
        progress: Called after each chunk.
        stage: Name shown.
    """
    text, audio = judge.text_encoder, judge.evaluators.audio
    columns = judge.face_columns
    whole = np.array_equal(columns, np.arange(len(judge.head.region_ids)))  # no lip vertex outside the face
    motion_parts: list[FloatArray] = []
    audio_parts: list[FloatArray] = []
    for part in chunks(len(judge.clip_ids)):
        region = [vertices(i) for i in range(part.start, part.stop)]
        faces = region if whole else [np.ascontiguousarray(clip[:, columns]) for clip in region]
        motion_parts.append(text.embed_motions(zip(faces, necks[part], strict=True)))
        if audio is not None and judge.track.has_audio:
            audio_parts.append(audio.embed_motions(faces, as_released=judge.official))
        progress(stage, part.stop, len(judge.clip_ids))
    return Embeddings(np.concatenate(motion_parts), np.concatenate(audio_parts) if audio_parts else None)
