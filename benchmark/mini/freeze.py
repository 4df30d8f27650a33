"""Freezes a built corpus: ``python -m benchmark.mini.freeze`` writes the manifest and the splits from what was built.

For a new version of the corpus only: a frozen one is never written again.
"""

from pathlib import Path

from benchmark import storage
from benchmark.mini import build, manifest
from benchmark.mini.clips import SPLITS, VERSION_0, subset

SPLITS_FOLDER = Path(__file__).resolve().parent.parent / "splits"


def write_splits(folder: Path = SPLITS_FOLDER) -> None:
    """Writes the id lists of both tracks and the hashes of the files."""
    hashes = {}
    for task in build.SUBSET_FILES:
        ids = subset(VERSION_0, task)
        for split in SPLITS:
            path = folder / f"mini-{task}@0" / f"{split}.txt"
            with storage.atomic_path(path) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in ids[split]), encoding="utf-8")
            hashes[path.relative_to(folder).as_posix()] = storage.sha256_file(path)
    storage.write_json(folder / "manifest.json", hashes)


def main() -> None:
    """Builds the corpus anew and writes its manifest and splits."""
    target = build.mini_path()
    build.build(target)
    manifest.write(manifest.MANIFEST, build.digests(target))
    write_splits()
    build.build(target)  # once more: it must come out the same, and is stamped as current


if __name__ == "__main__":
    main()
