"""What a process printed: read so that it never blocks, kept only as far as a reader wants it."""

import os
import threading
from collections import deque
from typing import IO

LOG_BYTES = 64 * 1024


class Log:
    """The first and last bytes a process printed; the rest is read and dropped, so that it never blocks."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._head = b""
        self._tail: deque[bytes] = deque()
        self._dropped = 0
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 4096):
            room = LOG_BYTES // 2 - len(self._head)
            self._head += chunk[:room]
            if chunk[room:]:
                self._tail.append(chunk[room:])
            while len(self._tail) > LOG_BYTES // 2 // 4096:
                self._dropped += len(self._tail.popleft())
        stream.close()

    def text(self) -> str:
        """What is known of the output, with a note where the middle was dropped."""
        self._thread.join(timeout=0.5)
        gap = f"\n[... {self._dropped} bytes dropped ...]\n".encode() if self._dropped else b""
        return (self._head + gap + b"".join(self._tail)).decode("utf-8", errors="replace")

    def last_lines(self, count: int = 4) -> str:
        """The last lines that say something, joined to one."""
        return last_lines(self.text(), count)


def last_lines(text: str, count: int = 4) -> str:
    """The last lines of a text that say something, joined to one."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" ^~\t")]
    return " | ".join(lines[-count:])
