"""What was done with each clip, kept line by line, so that an interrupted construction goes on where it stopped."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.construction.prompts import Message
from benchmark.storage import atomic_path

FOLDER = "construction"
"""Folder of the corpus that holds journal, reports and the answers of language models."""
FILE = "clips.jsonl"


@dataclass(frozen=True)
class Entry:
    """One clip that came out, or did not."""

    id: str
    reason: str = ""
    """Why it was dropped; empty for a clip that was kept."""
    detail: str = ""
    source: str | None = None
    setting: str = "wild"
    actions: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    has_audio: bool = False
    mended: dict[str, Any] = field(default_factory=dict)
    """Fields of ``records.Mended``."""
    states: dict[str, int] = field(default_factory=dict)
    """Frames in each head-pose state."""
    hashes: tuple[str, ...] = ()
    """Of motion and audio."""
    texts: dict[str, str] = field(default_factory=dict)
    """As written by rules."""
    prompts: dict[str, list[Message]] = field(default_factory=dict)
    """Conversations for the texts that a language model is to write."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time each stage took."""

    @property
    def kept(self) -> bool:
        """Whether it is in the corpus."""
        return not self.reason


@dataclass(frozen=True)
class Line:
    """All that came of one raw clip: more than one entry where it was split."""

    raw_id: str
    key: str
    """Hash of the raw files and the settings."""
    entries: tuple[Entry, ...]


_LINES = TypeAdapter(Line)


class Journal:
    """The file of lines; later ones replace earlier ones of the same raw clip.

    Args:
        folder: Of the corpus.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FOLDER / FILE
        self.lines: dict[str, Line] = {}
        if self.path.is_file():
            for text in self.path.read_text(encoding="utf-8").splitlines():
                if line := _line(text):
                    self.lines[line.raw_id] = line

    def add(self, lines: list[Line]) -> None:
        """Keeps lines, on disk too."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines)
        self.lines |= {line.raw_id: line for line in lines}

    def tidy(self, raw_ids: list[str]) -> None:
        """Rewrites the file with one line a raw clip, in the given order, and nothing of other clips."""
        self.lines = {raw_id: self.lines[raw_id] for raw_id in raw_ids if raw_id in self.lines}
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in self.lines.values())

    def entries(self) -> list[Entry]:
        """Every entry in order."""
        return [entry for line in self.lines.values() for entry in line.entries]


def _line(text: str) -> Line | None:
    """A line read back, or None for one that was cut off when the process was stopped."""
    try:
        return _LINES.validate_json(text)
    except ValidationError:
        return None
