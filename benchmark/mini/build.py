"""Builds the embedded corpus: training clips made from their seed over all cores, held-out clips unpacked.

Resumable and atomic: work goes on beside the target and is renamed into place at the end.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark import storage
from benchmark.errors import CheckFailedError, InputError, Problem
from benchmark.mini import manifest
from benchmark.mini.clips import SPLITS, clips, numbers, subset
from benchmark.mini.files import FOLDERS, read_clip, write_clip
from benchmark.mini.manifest import DATA, Entry
from benchmark.mini.packs import pack_names, read_packs
from benchmark.mini.shard import read_entries, run_shards

Progress = Callable[[int, int], None]
SUBSET_FILES = {"talking": "talking_subset.json", "text2motion": "t2m_subset.json"}
_STAMP = "built.json"


def mini_path() -> Path:
    """Where the built corpus lies: ``mini-1`` in the home of mmbench."""
    return storage.home() / "mini-1"


def part_of(target: Path) -> Path:
    """Where work on a folder goes on until it is finished."""
    return target.with_name(f".{target.name}.part")


def build(
    target: Path,
    *,
    splits: Sequence[str] = SPLITS,
    workers: int | None = None,
    progress: Progress | None = None,
    data: Path = DATA,
) -> None:
    """Builds the corpus as a folder in the MMHead layout.

    After an interruption the next call takes up the finished shards.

    Args:
        target: Folder to make; an older one is replaced.
        splits: Which splits; without ``train`` it takes seconds.
        workers: Processes at a time; default one a core.
        progress: Called with (finished clips, all clips).
        data: Folder of the manifest and the packs.

    Raises:
        InputError: A pack is damaged, a shard could not be made, or the folder cannot be written.
    """
    held_out = [split for split in splits if split != "train"]
    record = manifest.read(data)
    if problems := manifest.pack_problems(data, (name for split in held_out for name in pack_names(split))):
        raise InputError(problems)
    told = _Counter(sum(clip.split in splits for clip in clips(record.sizes)), progress)
    part = part_of(target)
    with _locked(target):
        _make_folders(part, target)
        entries = _unpack(part, held_out, data, told)
        if "train" in splits:
            training = numbers(record.sizes, training=True)
            run_shards(part, training, record.sizes, workers or os.cpu_count() or 1, told)
            entries |= read_entries(part, training)
        for task, name in SUBSET_FILES.items():
            storage.write_json(part / name, subset(record.sizes, task, splits))
        (part / _STAMP).unlink(missing_ok=True)
        if not _differences(entries.items(), splits, data):
            storage.write_json(part / _STAMP, _stamp(splits, data))
        _replace(part, target)


def ensure(progress: Progress | None = None, workers: int | None = None, splits: Sequence[str] = SPLITS) -> Path:
    """The built corpus, made now if it is absent or of another manifest.

    Args:
        progress: As for :func:`build`.
        workers: As for :func:`build`.
        splits: Splits that must be there.

    Returns:
        Its folder.

    Raises:
        CheckFailedError: What was built differs from the manifest.
    """
    path = mini_path()
    if not is_current(path, splits):
        build(path, splits=splits, workers=workers, progress=progress)
        if not is_current(path, splits) and (problems := check(path, splits)):
            listed = "\n".join(map(str, problems[:10]))
            raise CheckFailedError(f"{len(problems)} differences between {path} and its manifest:\n{listed}")
    return path


def is_current(path: Path, splits: Sequence[str] = SPLITS, data: Path = DATA) -> bool:
    """Whether a folder holds these splits and was checked against the manifest as it is now; reads two files."""
    try:
        stamp = json.loads((path / _STAMP).read_text(encoding="utf-8"))
        return bool(stamp["manifest"] == _stamp(splits, data)["manifest"] and set(splits) <= set(stamp["splits"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check(target: Path, splits: Sequence[str] = SPLITS, data: Path = DATA) -> list[Problem]:
    """Compares every file of a built folder with the manifest.

    Args:
        target: The built folder.
        splits: Splits that must be there.
        data: Folder of the manifest.

    Returns:
        Everything that differs; empty when all is well.
    """
    problems: list[Problem] = []
    wanted = [clip.name for clip in clips(manifest.read(data).sizes) if clip.split in splits]
    found: dict[str, Entry] = {}
    for name in wanted:
        try:
            found[name] = manifest.entry(read_clip(target, name))
        except InputError as error:
            problems += error.problems
    compared = _differences(found.items(), splits, data, complete=False)
    return [*problems, *compared, *_subset_problems(target, splits, data)]


def _unpack(part: Path, splits: Sequence[str], data: Path, told: "_Counter") -> dict[str, Entry]:
    entries = {}
    for split in splits:
        for name, content in read_packs(data, split):
            write_clip(part, name, content)
            entries[name] = manifest.entry(content)
            told(1)
    return entries


def _differences(
    found: Iterable[tuple[str, Entry]], splits: Sequence[str], data: Path, *, complete: bool = True
) -> list[Problem]:
    """What differs from the manifest; with ``complete`` also clips of these splits that are absent."""
    record, entries = manifest.read(data), dict(found)
    same = {True: record.synthesis == manifest.synthesis(), False: record.decoding == manifest.decoding()}
    problems = []
    for clip in clips(record.sizes):
        trained = clip.split == "train"
        if clip.name in entries:
            problems += manifest.compare(
                clip.name,
                entries[clip.name],
                record.clips[clip.name],
                synthesised=trained,
                same_libraries=same[trained],
            )
        elif complete and clip.split in splits:
            problems.append(Problem("the clip is missing", clip.name, mend="mmbench data build mini"))
    return problems


def _subset_problems(target: Path, splits: Sequence[str], data: Path) -> list[Problem]:
    problems = []
    for task, name in SUBSET_FILES.items():
        wanted = subset(manifest.read(data).sizes, task, splits)
        try:
            found = json.loads((target / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            found = {"error": str(error)}
        if any(found.get(split) != ids for split, ids in wanted.items()):
            mend = "mmbench data build mini"
            problems.append(Problem("the subset file differs from the frozen splits", str(target / name), mend=mend))
    return problems


def _stamp(splits: Sequence[str], data: Path) -> dict[str, object]:
    return {"manifest": storage.sha256_file(manifest.path_of(data)), "splits": list(splits)}


class _Counter:
    """Adds up finished clips for a progress that wants totals."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self._progress = 0, total, progress

    def __call__(self, more: int) -> None:
        self.done += more
        if self._progress:
            self._progress(self.done, self.total)


def _make_folders(part: Path, target: Path) -> None:
    try:
        for folder in FOLDERS:
            (part / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Problem("the corpus cannot be written", str(target), got=str(error))) from error


def _replace(part: Path, target: Path) -> None:
    """Moves a finished folder into place, an older one out of the way first."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keeps a second build of the same folder waiting; on systems without flock it does nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.with_name(f".{target.name}.lock").open("w")
    except OSError as error:
        raise InputError(Problem("the corpus cannot be written", str(target), got=str(error))) from error
    with file:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
