"""Freezes the corpus: ``python -m benchmark.mini.freeze`` makes every clip and writes packs, manifest, splits, audit.

For a new version of the corpus only: a frozen one is never written again.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmark import storage
from benchmark.construction.audit import AuditResult, audit
from benchmark.construction.config import Audit
from benchmark.construction.fingerprints import Fingerprint, fingerprint
from benchmark.mini import build, manifest
from benchmark.mini.clips import SPLITS, VERSION_1, Sizes, clips, numbers, subset
from benchmark.mini.files import read_clip
from benchmark.mini.manifest import Manifest
from benchmark.mini.packs import pack_names, read_packs, write_packs
from benchmark.mini.quantise import from_grid
from benchmark.mini.shard import read_entries, run_shards
from benchmark.protocol import TEXT_FIELDS

SPLITS_FOLDER = Path(__file__).resolve().parent.parent / "splits"
_HELD_OUT = ("val", "test")


def freeze(data: Path, target: Path, sizes: Sizes = VERSION_1, workers: int | None = None) -> AuditResult:
    """Makes all clips, writes packs and manifest, builds the corpus from them, and searches it for duplicates.

    An interrupted freeze takes up its finished shards.

    Args:
        data: Folder of packs, manifest and audit.
        target: Where the corpus is built.
        sizes: How many clips.
        workers: Processes at a time; default one a core.

    Returns:
        The audit, also written to ``data``.
    """
    workers = workers or os.cpu_count() or 1
    raw, training = target.with_name(f".{target.name}.held-out"), numbers(sizes, training=True)
    _say(f"making {len(clips(sizes))} clips")
    run_shards(raw, numbers(sizes, training=False), sizes, workers, lambda _: None)
    run_shards(build.part_of(target), training, sizes, workers, lambda _: None)
    entries = read_entries(build.part_of(target), training)
    hashes: dict[str, str] = {}
    for split in _HELD_OUT:
        names = sorted(clip.name for clip in clips(sizes) if clip.split == split)
        write_packs(data, split, {name: read_clip(raw, name) for name in names}, workers)
        entries |= {name: manifest.entry(content) for name, content in read_packs(data, split)}
        hashes |= {name: storage.sha256_file(data / name) for name in pack_names(split)}
    record = Manifest(sizes, manifest.synthesis(), manifest.decoding(), hashes, entries)
    manifest.write(manifest.path_of(data), record)
    build.build(target, workers=workers, data=data)
    shutil.rmtree(raw)
    found = audited(target, sizes, workers)
    storage.write_json(data / "audit.json", found.to_json())
    return found


def audited(folder: Path, sizes: Sizes, workers: int) -> AuditResult:
    """The search for duplicates across the splits of a built corpus."""
    split_of = {clip.name: clip.split for clip in clips(sizes)}
    with ProcessPoolExecutor(workers) as pool:
        prints = dict(zip(split_of, pool.map(partial(_print_of, folder), split_of, chunksize=64), strict=True))
    return audit(prints, split_of, Audit())


def _print_of(folder: Path, name: str) -> Fingerprint:
    content = read_clip(folder, name)
    audio = None if content.audio is None else (content.audio / 32767.0).astype("float32")
    return fingerprint(from_grid(content.steps), audio, " ".join(content.texts[field] for field in TEXT_FIELDS))


def write_splits(folder: Path = SPLITS_FOLDER, sizes: Sizes = VERSION_1) -> None:
    """Writes the id lists of both tracks and the hashes of the files."""
    hashes = {}
    for task in build.SUBSET_FILES:
        ids = subset(sizes, task)
        for split in SPLITS:
            path = folder / f"mini-{task}@1" / f"{split}.txt"
            with storage.atomic_path(path) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in ids[split]), encoding="utf-8")
            hashes[path.relative_to(folder).as_posix()] = storage.sha256_file(path)
    storage.write_json(folder / "manifest.json", hashes)


def sizes_of(paths: Sequence[Path]) -> str:
    """File sizes for the terminal, one a line, with their sum."""
    lines = [f"{path.stat().st_size:>12,}  {path.name}" for path in paths]
    return "\n".join([*lines, f"{sum(path.stat().st_size for path in paths):>12,}  together"])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Freezes the corpus that the code makes now."""
    write_splits()
    found = freeze(manifest.DATA, build.mini_path())
    _say(sizes_of(sorted(manifest.DATA.iterdir())))
    _say(found.render())
    current = build.is_current(build.mini_path())
    _say(f"{build.mini_path()}: {'built and equal to its manifest' if current else 'DIFFERS from its manifest'}")


if __name__ == "__main__":
    main()
