"""The frozen files of this room against their manifests: splits, packs of held-out clips, the built corpus."""

import json
from pathlib import Path

from benchmark.corpus import Corpus
from benchmark.errors import Problem
from benchmark.mini import manifest
from benchmark.mini.build import check
from benchmark.mini.manifest import DATA
from benchmark.mini.packs import pack_names
from benchmark.storage import sha256_file
from benchmark.tracks import SPLITS_FOLDER

_MEND = "a frozen split is never edited: restore the file, or make a new version of the track"


def split_problems(folder: Path = SPLITS_FOLDER) -> list[Problem]:
    """Split files that are missing, not those of the manifest, or not in it.

    Args:
        folder: Folder of split files and ``manifest.json``.
    """
    path = folder / "manifest.json"
    try:
        record: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [Problem("the splits have no manifest", str(path), "hashes by file", str(error))]
    found = {str(file.relative_to(folder).as_posix()): sha256_file(file) for file in sorted(folder.rglob("*.txt"))}
    return [
        Problem("not the frozen split", str(folder / name), record.get(name, "no such file"), sha256, _MEND)
        for name, sha256 in {**dict.fromkeys(record, "no such file"), **found}.items()
        if record.get(name) != sha256
    ]


def pack_problems(data: Path = DATA) -> list[Problem]:
    """Packs of held-out clips that are missing or not those of the manifest."""
    return manifest.pack_problems(data, (name for split in ("val", "test") for name in pack_names(split)))


def corpus_problems(corpus: Corpus) -> list[Problem]:
    """Clips of the built corpus's test split that are not those of the manifest."""
    return check(corpus.path, ("test",))
