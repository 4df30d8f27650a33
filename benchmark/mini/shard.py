"""Shards of the corpus: ``python -m benchmark.mini.shard FOLDER NUMBER SIZES RECIPE`` makes one of them.

Each has a fresh process of its own, because espeak-ng's output depends on the calls made before.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import cache
from pathlib import Path

from benchmark import storage
from benchmark.errors import InputError, Problem
from benchmark.mini import manifest
from benchmark.mini.clip import MadeClip, make
from benchmark.mini.clips import Clip, Sizes, shards
from benchmark.mini.files import FOLDERS, Content, files_of, phoneme_table, to_pcm, write_clip
from benchmark.mini.quantise import to_grid
from benchmark.protocol import TEXT_FIELDS

Progress = Callable[[int], None]
"""Called with the number of clips that were finished since the last call."""


def content_of(made: MadeClip) -> Content:
    """What the files of a made clip are to hold."""
    texts = {field: getattr(made.texts, field) for field in TEXT_FIELDS}
    if made.speech is None:
        return Content(to_grid(made.parameters), texts, None, None)
    table = phoneme_table(made.speech.phonemes)
    return Content(to_grid(made.parameters), texts, table, to_pcm(made.speech.audio))


def build_shard(folder: Path, number: int, sizes: Sizes, recipe: str) -> None:
    """Makes the clips of one shard in order and marks the shard as finished.

    Args:
        folder: Corpus folder with its subfolders in place.
        number: Which shard.
        sizes: Sizes of the corpus.
        recipe: Digest of the code that makes it, kept in the marker.
    """
    clips = shards(sizes)[number]
    entries = {}
    for clip in clips:
        content = content_of(make(clip))
        write_clip(folder, clip.name, content)
        entries[clip.name] = astuple(manifest.entry(content))
    record = {"recipe": recipe, "files": _files_hash(folder, clips), "clips": entries}
    storage.write_json(_marker(folder, number), record)


def run_shards(folder: Path, wanted: Sequence[int], sizes: Sizes, workers: int, progress: Progress) -> None:
    """Makes shards in processes of their own; finished ones of the same recipe stay as they are.

    Args:
        folder: Corpus folder; made if it is not there.
        wanted: Numbers of the shards.
        sizes: Sizes of the corpus.
        workers: Processes at a time.
        progress: Told of every shard.

    Raises:
        InputError: A shard could not be made.
    """
    for name in (*FOLDERS, "shards"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    groups = shards(sizes)
    waiting = [number for number in wanted if not _finished(folder, number, groups[number])]
    progress(sum(len(groups[number]) for number in wanted if number not in waiting))
    running: dict[int, subprocess.Popen[str]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                running[number] = _start(folder, number, sizes)
            time.sleep(0.02)
            for number in [n for n, process in running.items() if process.poll() is not None]:
                _finish(number, running.pop(number))
                progress(len(groups[number]))
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.communicate()


def read_entries(folder: Path, wanted: Sequence[int]) -> dict[str, manifest.Entry]:
    """Digests of the clips of finished shards."""
    records = (json.loads(_marker(folder, number).read_text(encoding="utf-8")) for number in wanted)
    return {name: manifest.Entry(*fields) for record in records for name, fields in record["clips"].items()}


@cache
def recipe() -> str:
    """Digest of the code and the head that make the corpus: finished shards of another recipe are made again."""
    here = Path(__file__).parent
    folders = (here, here.parent / "construction")
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in (".py", ".npz")]
    return storage.content_hash(manifest.synthesis(), *(path.read_bytes() for path in files))


def _marker(folder: Path, number: int) -> Path:
    """The file that says that a shard is finished, and with what digests."""
    return folder / "shards" / f"{number:03d}.json"


def _files_hash(folder: Path, clips: Sequence[Clip]) -> str:
    return storage.content_hash(*((folder / path).read_bytes() for clip in clips for path in files_of(clip)))


def _finished(folder: Path, number: int, clips: Sequence[Clip]) -> bool:
    """Whether a shard was made by this recipe and its files are as they were."""
    try:
        record = json.loads(_marker(folder, number).read_text(encoding="utf-8"))
        return bool(record["recipe"] == recipe() and record["files"] == _files_hash(folder, clips))
    except (OSError, ValueError, KeyError):
        return False


def _start(folder: Path, number: int, sizes: Sizes) -> subprocess.Popen[str]:
    _marker(folder, number).unlink(missing_ok=True)
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


def main() -> None:
    """Entry of the shard's process."""
    folder, number, sizes, made_by = sys.argv[1:]
    build_shard(Path(folder), int(number), Sizes.from_list(json.loads(sizes)), made_by)


if __name__ == "__main__":
    main()
