"""Answers with the training motion whose text is nearest: the honest floor for a generator.

Texts are compared as TF-IDF vectors of words and word pairs, the five annotations joined. No seed, no learning.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.protocol import Condition, FloatArray, Motion, TrainingClip

_WORD = re.compile(r"\w+")


class TextIndex:
    """TF-IDF vectors of a list of texts, and the cosine of any other text with each of them.

    Args:
        texts: The texts to be found.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._columns: dict[str, int] = {}
        tf = self._counts(texts, learn=True)
        holding = np.bincount(tf.indices, minlength=len(self._columns))
        self._idf = np.log((1 + len(texts)) / (1 + holding)) + 1  # smoothed: a term in every text still counts a little
        self._vectors = self._weighted(tf)

    def cosines(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Cosine similarities, (texts asked, texts indexed); 0 for a text without a known term."""
        cosines: NDArray[np.float64] = (self._weighted(self._counts(texts)) @ self._vectors.T).toarray()
        return cosines

    def _counts(self, texts: Sequence[str], learn: bool = False) -> sparse.csr_array:
        """How often each known term is in each text; when learning, every term becomes known."""
        columns: list[int] = []
        rows = [0]
        for text in texts:
            if learn:
                columns += [self._columns.setdefault(term, len(self._columns)) for term in terms(text)]
            else:
                columns += [self._columns[term] for term in terms(text) if term in self._columns]
            rows.append(len(columns))
        counts = sparse.csr_array((np.ones(len(columns)), columns, rows), shape=(len(texts), len(self._columns)))
        counts.sum_duplicates()
        return counts

    def _weighted(self, tf: sparse.csr_array) -> sparse.csr_array:
        tf.data = tf.data * self._idf[tf.indices]
        lengths = np.sqrt(tf.multiply(tf).sum(axis=1))
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return sparse.csr_array(sparse.diags_array(scale) @ tf)


class NearestText:
    """A generator that looks up instead of generating.

    Args:
        training_clips: The clips it may answer with.
    """

    def __init__(self, training_clips: Sequence[TrainingClip]) -> None:
        if not training_clips:
            raise ValueError("there are no training clips to answer with")
        self._motions = [clip.parameters for clip in training_clips]
        self._frames = np.array([len(motion) for motion in self._motions])
        self._index = TextIndex([clip.texts.joined() for clip in training_clips])

    def generate(self, conditions: Sequence[Condition], seed: int) -> list[Motion]:  # noqa: ARG002 - deterministic
        """The nearest training motion for each condition, stretched to its length."""
        cosines = self._index.cosines([condition.texts.joined() for condition in conditions])
        return [
            Motion(parameters=stretch(self._motions[self._nearest(row, condition.frames)], condition.frames))
            for row, condition in zip(cosines, conditions, strict=True)
        ]

    def _nearest(self, cosines: NDArray[np.float64], frames: int) -> int:
        """The clip of greatest cosine; of equal ones the nearest in length, of these the first."""
        best = np.flatnonzero(np.isclose(cosines, cosines.max(), rtol=0, atol=1e-12))
        return int(best[np.argmin(np.abs(self._frames[best] - frames))])


def terms(text: str) -> list[str]:
    """Words in lower case, and pairs of neighbouring words.

    >>> terms("She smiles, slowly")
    ['she', 'smiles', 'slowly', 'she smiles', 'smiles slowly']
    """
    words = _WORD.findall(text.lower())
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def stretch(motion: FloatArray, frames: int) -> FloatArray:
    """A motion resampled in time to another number of frames, first and last frame kept.

    Linear for all 56 parameters: from one frame to the next head and jaw turn by so little that the straight line
    between two axis-angle vectors is as good as the great circle.

    Args:
        motion: (T, 56).
        frames: Frames to return.

    Returns:
        (frames, 56) float32.
    """
    at = np.linspace(0, len(motion) - 1, frames)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(motion) - 1)
    share = (at - low)[:, None]
    stretched: FloatArray = ((1 - share) * motion[low] + share * motion[high]).astype(np.float32)
    return stretched
