"""Builds the embedded corpus: fixed shards, one fresh process each, over all cores; resumable and atomic."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from functools import cache
from pathlib import Path

from benchmark import storage
from benchmark.errors import CheckFailedError, InputError, Problem
from benchmark.mini import manifest
from benchmark.mini.clips import VERSION_0, Sizes, clips, shards, subset
from benchmark.mini.manifest import MANIFEST, Entry
from benchmark.mini.shard import files_hash, marker
from benchmark.protocol import TEXT_FIELDS

Progress = Callable[[int, int], None]
SUBSET_FILES = {"talking": "talking_subset.json", "text2motion": "t2m_subset.json"}
_FOLDERS = ("audio", "facial_motion", "phonemes", "shards", *(f"text_annotations/{field}" for field in TEXT_FIELDS))
_STAMP = "manifest.sha256"


def mini_path() -> Path:
    """Where the built corpus lies: ``mini-0`` in the home of mmbench."""
    return storage.home() / "mini-0"


def build(
    target: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    sizes: Sizes = VERSION_0,
) -> None:
    """Builds the corpus as a folder in the MMHead layout.

    Work goes on beside ``target`` and is renamed into place at the end; after an interruption the next call takes up
    the finished shards.

    Args:
        target: Folder to make; an older one is replaced.
        workers: Processes at a time; default one a core.
        progress: Called with (finished clips, all clips).
        sizes: How many clips.

    Raises:
        InputError: A shard could not be made, or the folder cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    with _locked(target):
        try:
            for folder in _FOLDERS:
                (part / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(Problem("the corpus cannot be written", str(target), got=str(error))) from error
        _run_shards(part, sizes, workers or os.cpu_count() or 1, progress or (lambda _done, _all: None))
        entries = _entries(part, sizes)
        for task, name in SUBSET_FILES.items():
            storage.write_json(part / name, subset(sizes, task))
        if sizes == VERSION_0 and MANIFEST.is_file() and not _differences(entries):
            (part / _STAMP).write_text(storage.sha256_file(MANIFEST), encoding="utf-8")
        _replace(part, target)


def ensure(progress: Progress | None = None, workers: int | None = None) -> Path:
    """The built corpus, made now if it is absent or of another manifest.

    Args:
        progress: As for :func:`build`.
        workers: As for :func:`build`.

    Returns:
        Its folder.

    Raises:
        CheckFailedError: What was built differs from the manifest.
    """
    path = mini_path()
    if not is_current(path):
        build(path, workers=workers, progress=progress)
        if not is_current(path) and (problems := check(path)):
            listed = "\n".join(map(str, problems[:10]))
            raise CheckFailedError(f"{len(problems)} differences between {path} and its manifest:\n{listed}")
    return path


def is_current(path: Path) -> bool:
    """Whether a folder was built from, and checked against, the manifest as it is now; reads two small files."""
    stamp = path / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == storage.sha256_file(MANIFEST)


def check(target: Path, against: Path = MANIFEST) -> list[Problem]:
    """Compares every file of a built folder with a manifest.

    Args:
        target: The built folder.
        against: The manifest.

    Returns:
        Everything that differs; empty when all is well.
    """
    made_with, wanted = manifest.read(against)
    same_espeak = made_with == manifest.espeak_version()
    problems: list[Problem] = []
    for name, entry in wanted.items():
        try:
            problems += manifest.compare(name, manifest.read_clip(target, name), entry, same_espeak=same_espeak)
        except InputError as error:
            problems += error.problems
    if against == MANIFEST:
        problems += _subset_problems(target)
    return problems


def digests(target: Path) -> dict[str, Entry]:
    """Digests of every clip of a built folder, read from its files."""
    return {path.stem: manifest.read_clip(target, path.stem) for path in (target / "facial_motion").glob("*.pkl")}


@cache
def recipe() -> str:
    """Digest of the code and the head that make the corpus: finished shards of another recipe are made again."""
    folder = Path(__file__).parent
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".py", ".npz")]
    return storage.content_hash(manifest.espeak_version(), *(path.read_bytes() for path in files))


def _subset_problems(target: Path) -> list[Problem]:
    problems = []
    for task, name in SUBSET_FILES.items():
        try:
            found = json.loads((target / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            found = str(error)
        if found != subset(VERSION_0, task):
            mend = "mmbench data build mini"
            problems.append(Problem("the subset file differs from the frozen splits", str(target / name), mend=mend))
    return problems


def _differences(entries: dict[str, Entry]) -> list[Problem]:
    made_with, wanted = manifest.read()
    same_espeak = made_with == manifest.espeak_version()
    if entries.keys() != wanted.keys():
        return [Problem("other clips than the manifest's", str(MANIFEST))]
    pairs = ((name, entries[name], entry) for name, entry in wanted.items())
    return [p for name, found, entry in pairs for p in manifest.compare(name, found, entry, same_espeak=same_espeak)]


def _entries(folder: Path, sizes: Sizes) -> dict[str, Entry]:
    records = (json.loads(marker(folder, n).read_text(encoding="utf-8")) for n in range(len(shards(sizes))))
    return {name: Entry(*fields) for record in records for name, fields in record["clips"].items()}


def _finished(folder: Path, number: int, sizes: Sizes) -> bool:
    """Whether a shard was made by this recipe and its files are as they were."""
    path = marker(folder, number)
    if not path.is_file():
        return False
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return bool(record["recipe"] == recipe() and record["files"] == files_hash(folder, shards(sizes)[number]))
    except (OSError, ValueError, KeyError):
        return False


def _run_shards(folder: Path, sizes: Sizes, workers: int, progress: Progress) -> None:
    groups, total = shards(sizes), len(clips(sizes))
    waiting = [number for number in range(len(groups)) if not _finished(folder, number, sizes)]
    done = total - sum(len(groups[number]) for number in waiting)
    progress(done, total)
    running: dict[int, subprocess.Popen[str]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                running[number] = _start(folder, number, sizes)
            time.sleep(0.02)
            for number in [n for n, process in running.items() if process.poll() is not None]:
                _finish(number, running.pop(number))
                done += len(groups[number])
                progress(done, total)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.communicate()


def _start(folder: Path, number: int, sizes: Sizes) -> subprocess.Popen[str]:
    marker(folder, number).unlink(missing_ok=True)
    root = str(Path(__file__).resolve().parents[2])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "benchmark.mini.shard", str(folder), str(number), json.dumps(astuple(sizes))]
    return subprocess.Popen([*command, recipe()], env=environment, stderr=subprocess.PIPE, text=True)


def _finish(number: int, process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        last = (errors or "").strip().splitlines()[-1:] or ["no message"]
        mend = "install the eval extra (espeakng-loader, soxr, soundfile)" if "Module" in last[0] else "run it again"
        raise InputError(Problem("a shard of the corpus could not be made", f"shard {number}", got=last[0], mend=mend))


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
