"""A disk cache of arrays by content: what is read back is verified, what is damaged is built again."""

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.storage import atomic_path

FloatArray = NDArray[np.float32]
_DIGEST_BYTES = 32


class FeatureCache:
    """Float32 arrays by hexadecimal key: one file each, in 256 folders, its SHA-256 in front of its npy bytes.

    Files rather than a database: readers and writers of several processes need no lock, also on network drives.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """The file of one key."""
        return self.root / key[:2] / f"{key[2:]}.feature"

    def get(self, key: str) -> FloatArray | None:
        """The array stored under ``key``, or None where there is none or its bytes are not what was written."""
        try:
            data = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            return None
        array: FloatArray = np.load(io.BytesIO(body), allow_pickle=False)
        return array

    def put(self, key: str, array: FloatArray) -> None:
        """Stores ``array`` under ``key``, replacing what is there."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
        body = buffer.getvalue()
        with atomic_path(self.path(key)) as temporary:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
