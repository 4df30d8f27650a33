"""Subset files: which clips belong to which split of a task. Their exact keys are not public, so several are read."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, Problem

SPLITS = ("train", "val", "test")
MAX_BYTES = 64 * 2**20
"""Largest subset file that is opened."""
_SPLIT_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_NAME_KEYS = ("name", "id", "clip", "clip_id", "clip_name", "video", "video_id", "file", "filename", "file_name")
_SPLIT_KEYS = ("split", "subset", "set", "partition")
_SUFFIXES = (".wav", ".pkl", ".txt", ".mp4", ".npy", ".npz")
_SHAPES = (
    "a dict of lists of clip names with the keys train, val (or valid, validation) and test, "
    "or a list of records with a name (or id, clip) and a split"
)


@dataclass(frozen=True)
class Subset:
    """What one subset file says."""

    entries: tuple[tuple[str, str], ...]
    """(split, clip id) in the order of the file, repetitions kept."""
    problems: tuple[Problem, ...]
    """Entries that were left out because they cannot be clip names or name no split."""

    def splits(self) -> dict[str, tuple[str, ...]]:
        """Clip ids by split, in the order of the file, each once a split."""
        return {split: tuple(dict.fromkeys(name for s, name in self.entries if s == split)) for split in SPLITS}


def clip_name_fault(name: str) -> str:
    """Why a name cannot be a clip id, or nothing: it becomes part of file names and must not lead anywhere else.

    >>> clip_name_fault("CELEBVHQ_--uyzf7X_0c_0"), clip_name_fault("../secret")
    ('', "holds '/'")
    """
    if not name:
        return "is empty"
    for bad in ("/", "\\", ":", ".."):
        if bad in name:
            return f"holds {bad!r}"
    if not name.isprintable():
        return "holds characters that cannot be printed"
    return "is longer than 200 bytes" if len(name.encode()) > 200 else ""


def read_subset(path: Path) -> Subset:
    """Reads ``talking_subset.json`` or ``t2m_subset.json`` in any of the shapes that are about.

    Accepted: a dict of lists (split names as keys; entries are names, or records with a name), a dict of records by
    clip name, each with a split, and a list of records with a name and a split. Names may carry a file extension.

    Args:
        path: The JSON file, UTF-8.

    Returns:
        Entries, and those that had to be left out.

    Raises:
        InputError: The file cannot be read, or has another shape; the message names the keys found.
    """
    record = _read_json(path)
    problems: list[Problem] = []
    entries: list[tuple[str, str]] = []
    for position, split, name in _pairs(record, str(path)):
        where = f"{path}, {position}"
        if not isinstance(split, str) or split.strip().lower() not in _SPLIT_OF:
            problems.append(Problem("entry names no split", where, "train, val or test", _short(split)))
        elif not isinstance(name, str):
            problems.append(Problem("entry has no clip name", where, "a text", _short(name)))
        elif fault := clip_name_fault(bare := _without_suffix(name)):
            mend = "list bare clip names, without folders"
            problems.append(Problem(f"clip name {fault}", where, "a plain file name", _short(name), mend))
        else:
            entries.append((_SPLIT_OF[split.strip().lower()], bare))
    return Subset(tuple(entries), tuple(problems))


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(Problem("subset file is too large", str(path), f"at most {MAX_BYTES} bytes"))
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise InputError(Problem("subset file cannot be read", str(path), got=error.strerror or str(error))) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a key twice, or nested without end
        raise InputError(Problem("subset file is not JSON in UTF-8", str(path), _SHAPES, str(error)[:200])) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a later key replace an earlier one; here that would lose a whole split."""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError(f"a key occurs twice among {_keys(key for key, _ in pairs)}")
    return record


def _pairs(record: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """(position, split, name) of every entry, not yet checked."""
    if isinstance(record, list) and all(isinstance(item, dict) for item in record) and record:
        name_key, split_key = _key(record, _NAME_KEYS), _key(record, _SPLIT_KEYS)
        if not name_key or not split_key:
            raise _unfit(where, f"records with the keys {_keys(key for item in record for key in item)}")
        return ((f"record {i}", item.get(split_key), item.get(name_key)) for i, item in enumerate(record))
    if not isinstance(record, dict) or not record:
        raise _unfit(where, _short(record))
    values = list(record.values())
    if all(isinstance(item, dict) for item in values) and (split_key := _key(values, _SPLIT_KEYS)):
        return ((f"record {name[:40]!r}", item.get(split_key), name) for name, item in record.items())
    return _dict_of_lists(record, where)


def _dict_of_lists(record: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any, Any]]:
    lists = {key: value for key, value in record.items() if isinstance(value, list | dict)}
    splits = [_SPLIT_OF.get(key.strip().lower()) for key in lists]
    named_again = any(key.strip().lower() in _SPLIT_OF for key in record.keys() - lists.keys())
    if not lists or None in splits or named_again:
        raise _unfit(where, f"the keys {_keys(record)}")
    if len(set(splits)) < len(splits):
        raise _unfit(where, f"one split under two of the keys {_keys(record)}")
    for key, value in lists.items():
        inner = [item for item in value if isinstance(item, dict)]
        name_key = _key(inner, _NAME_KEYS)
        if inner and not name_key:
            raise _unfit(where, f"records under {key!r} with the keys {_keys(k for item in inner for k in item)}")
        for i, item in enumerate(value):
            yield f"{key}[{i}]", key, item.get(name_key) if isinstance(item, dict) else item


def _key(records: list[Any], known: tuple[str, ...]) -> str | None:
    """The known key that most records have, however it is capitalised; of several the first."""
    counts = Counter(key for item in records for key in item if key.lower() in known)
    return min(counts, key=lambda key: (-counts[key], known.index(key.lower()), key), default=None)


def _without_suffix(name: str) -> str:
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _unfit(where: str, got: str) -> InputError:
    return InputError(Problem("subset file has an unknown shape", where, _SHAPES, got))


def _keys(keys: Any) -> str:
    found = sorted({str(key)[:40] for key in keys})
    return ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "") or "none"


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)} items" if value else f"an empty {type(value).__name__}"
    return ascii(value)[:80]
