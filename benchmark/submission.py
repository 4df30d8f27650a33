"""A submission: a folder with a card (submission.toml) and either code or predictions."""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.storage import content_hash, sha256_file

CARD_NAME = "submission.toml"
PREDICTIONS_FOLDER = "predictions"
DEFAULT_BATCH = 32
CACHES = frozenset({"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints"})
"""Folders that are never part of a submission."""
_CACHE_FILES = (".pyc", ".DS_Store")
_TRACK = re.compile(r"\*|[A-Za-z0-9_.-]+/[A-Za-z0-9_]+(@[A-Za-z0-9]+)?")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Output = Literal["parameters", "vertices"]
Input = Literal["text", "audio"]


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _web_address(text: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no http or https address")
    return text


def _track_id(text: str) -> str:
    if not _TRACK.fullmatch(text):
        raise ValueError("is no track id")
    return text


def _entry_point(text: str) -> str:
    if not _ENTRY.fullmatch(text):
        raise ValueError("is no module:callable")
    return text


Filled = Annotated[str, AfterValidator(_filled)]


class Card(BaseModel):
    """What a submission says of itself. Field descriptions are shown to whoever gets a field wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """letters, digits, dot, dash and underscore, at most 64, e.g. "nearest_text\""""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,31}$")]
    """version of the submission as a string, e.g. "1.0\""""
    kind: Literal["code", "predictions"]
    """"code" or "predictions\""""
    entry: Annotated[str, AfterValidator(_entry_point)] | None = None
    """module:callable in the submission's folder, e.g. "generator:NearestText"; code only"""
    output: Output
    """"parameters" (T, 56) or "vertices" (T, n_region, 3)"""
    stochastic: bool
    """true if another seed gives another motion, else false"""
    tracks: Annotated[list[Annotated[str, AfterValidator(_track_id)]], Field(min_length=1)]
    """track ids such as "mini/talking@1" (the version may be left out), or "*" for all"""
    authors: Annotated[list[Filled], Field(min_length=1)]
    """a list with at least one author"""
    licence: Filled
    """licence of the submission, e.g. "MIT\""""
    training_data: Filled
    """what it was trained on, in words; "none" if it was not trained"""
    needs_training_clips: bool = False
    """true to be handed the texts and motions of the track's training split; code only"""
    needs_track: bool = False
    """true to be told the track's id, for weights that differ by track; code only"""
    url: Annotated[str, AfterValidator(_web_address)]
    """http or https address of the paper, code or project"""
    description: str = ""
    """a few sentences for readers of the board"""
    inputs: Annotated[list[Input], Field(min_length=1)] = ["text", "audio"]
    """what it uses, out of "text" and "audio"; the rest is withheld from it"""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = DEFAULT_BATCH
    """conditions a call of generate, 1 to 4096; code only"""

    @model_validator(mode="after")
    def _entry_fits_kind(self) -> "Card":
        if (self.kind == "code") != (self.entry is not None):
            raise ValueError("a code submission has an entry" if self.kind == "code" else "only code has an entry")
        if self.kind == "predictions" and self.needs_training_clips:
            raise ValueError("only code can be handed training clips: needs_training_clips")
        if self.kind == "predictions" and self.needs_track:
            raise ValueError("only code can be told the track: needs_track")
        return self

    def record(self) -> dict[str, Any]:
        """The card for records of what was made; keys that came later only where used, so that old hashes stay."""
        return self.model_dump(mode="json", exclude=None if self.needs_track else {"needs_track"})

    def enters(self, track: str) -> bool:
        """Whether the submission enters this track, given with its version."""
        return any(name in ("*", track, track.partition("@")[0]) for name in self.tracks)


@dataclass(frozen=True)
class Submission:
    """A submission on disk whose card was read and is valid."""

    card: Card
    """The card."""
    folder: Path
    """Absolute path of the folder."""
    card_sha256: str
    """Hash of the card file's bytes."""
    code_sha256: str
    """Hash over names and bytes of all files, predictions and caches left out."""

    def samples(self, wanted: int) -> int:
        """Motions a clip it gives when ``wanted`` are asked for: one if it is deterministic."""
        return wanted if self.card.stochastic else 1


def load_submission(path: Path) -> Submission:
    """Reads a submission's card and hashes its files. Runs none of its code.

    Args:
        path: The folder with ``submission.toml``.

    Raises:
        InputError: No folder, no card, every wrong or unknown key, every symbolic link in the folder.
    """
    card, problems = read_card(path)
    problems += link_problems(path)
    if card is None or problems:
        raise InputError(problems)
    folder = path.resolve()
    return Submission(card, folder, sha256_file(folder / CARD_NAME), code_hash(folder))


def read_card(path: Path) -> tuple[Card | None, list[Problem]]:
    """The card of a submission folder, or None with everything that is wrong with it."""
    file = path / CARD_NAME
    if not path.is_dir():
        return None, [Problem("no such submission folder", str(path), f"a folder with {CARD_NAME}")]
    if file.is_symlink() or not file.is_file():
        mend = "write the card; submissions/nearest_text has one to start from"
        return None, [Problem("the submission has no card", str(path), f"a file {CARD_NAME}", "none", mend)]
    try:
        table = tomllib.loads(file.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also no UTF-8, no TOML, a number without end
        return None, [Problem("the card is no valid TOML", str(file), "TOML in UTF-8", str(error))]
    try:
        return Card.model_validate(table), []
    except ValidationError as error:
        faults = [_card_problem(fault, file) for fault in error.errors(include_url=False)]
        return None, faults + _missing_entry(table, file, faults)


def code_hash(folder: Path) -> str:
    """Content hash over the names and bytes of a submission's files, predictions and caches left out."""
    files = [name for name in submission_files(folder) if name.split("/")[0] != PREDICTIONS_FOLDER]
    return content_hash(*(part for name in files for part in (name, sha256_file(folder / name))))


def submission_files(folder: Path) -> list[str]:
    """Paths of a submission's files relative to its folder, with forward slashes, sorted; links and caches left out."""
    return sorted(
        path.relative_to(folder).as_posix() for path in _walk(folder) if path.is_file() and not path.is_symlink()
    )


def link_problems(folder: Path) -> list[Problem]:
    """One problem for every symbolic link in a submission: what it points to is not part of the submission."""
    links = [path for path in _walk(folder) if path.is_symlink()] if folder.is_dir() else []
    mend = "put a copy of the file in its place"
    return [Problem("symbolic link in a submission", str(link), "a file", str(link.readlink()), mend) for link in links]


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        names = [name for name in files if not name.endswith(_CACHE_FILES)]
        names += [name for name in folders if (Path(root) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in CACHES)
        yield from (Path(root) / name for name in sorted(names))


def _card_problem(fault: Any, file: Path) -> Problem:
    """One of pydantic's faults in our words, with the field's own description as what was expected."""
    key = str(fault["loc"][0]) if fault["loc"] else ""
    where = f"{file}: {'.'.join(map(str, fault['loc']))}" if key else str(file)
    if fault["type"] == "extra_forbidden":
        return Problem("unknown key in the card", where, got=key, mend=nearest_names(key, tuple(Card.model_fields)))
    expected = (Card.model_fields[key].description or "") if key in Card.model_fields else ""
    if fault["type"] == "missing":
        return Problem("the card lacks a key", where, expected, "nothing", f"add {key} = ...")
    what = fault["msg"].removeprefix("Value error, ")
    got = "" if not key else repr(fault["input"])[:80]
    return Problem(what[:1].lower() + what[1:], where, expected, got)


def _missing_entry(table: dict[str, Any], file: Path, faults: list[Problem]) -> list[Problem]:
    """The fault pydantic does not look for while other fields are wrong: code without an entry."""
    told = any("entry" in fault.what or fault.where.endswith(": entry") for fault in faults)
    if table.get("kind") != "code" or "entry" in table or told:
        return []
    expected = Card.model_fields["entry"].description or ""
    return [Problem("a code submission has an entry", f"{file}: entry", expected, "nothing", "add entry = ...")]
