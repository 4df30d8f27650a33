"""Files that are never half written, hashes that name content, and the folders where mmbench keeps things."""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


def home() -> Path:
    """Folder of built corpora and caches: ``$MMBENCH_HOME``, ``$XDG_CACHE_HOME/mmbench`` or ``~/.cache/mmbench``."""
    if chosen := os.environ.get("MMBENCH_HOME"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmbench"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` and renames it into place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, record: Any) -> None:
    """Writes ``record`` atomically as indented JSON with a final newline; refuses NaN and infinity."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_npz(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Writes arrays by name atomically into an uncompressed npz, never as pickles."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32_file(path: Path) -> str:
    """Checksum of a file's bytes, in hex: tells damage, not forgery."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def content_hash(*parts: str | bytes | np.ndarray[Any, Any] | Iterable[str]) -> str:
    """SHA-256 over the parts, each told apart by kind and length, so that no two lists of parts collide by joining.

    >>> content_hash("ab", "c") == content_hash("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head, body = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
        elif isinstance(part, bytes):
            head, body = f"bytes {len(part)}", part
        elif isinstance(part, str):
            head, body = f"text {len(part.encode())}", part.encode()
        else:
            head, body = "list", content_hash(*part).encode()
        digest.update(head.encode() + b"\0" + body)
    return digest.hexdigest()
