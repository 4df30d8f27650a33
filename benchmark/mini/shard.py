"""One shard of the corpus, made by one fresh process: ``python -m benchmark.mini.shard FOLDER NUMBER SIZES``."""

import json
import pickle  # the layout of the released corpus: one pickled dict of arrays a clip, written only
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np

from benchmark import storage
from benchmark.mini.clip import MadeClip, make
from benchmark.mini.clips import Clip, Sizes, shards
from benchmark.mini.manifest import Entry, entry
from benchmark.mini.speech import Speech
from benchmark.protocol import EXPRESSION, SAMPLE_RATE, TEXT_FIELDS


def files_of(clip: Clip) -> list[str]:
    """Paths of a clip's files inside the corpus folder."""
    paths = [f"facial_motion/{clip.name}.pkl", *(f"text_annotations/{field}/{clip.name}.txt" for field in TEXT_FIELDS)]
    return [*paths, f"audio/{clip.name}.wav", f"phonemes/{clip.name}.tsv"] if clip.has_speech else paths


def phoneme_table(speech: Speech) -> str:
    """Phonemes as lines of start, end in seconds, and mnemonic, separated by tabs."""
    return "".join(f"{start:.4f}\t{end:.4f}\t{name}\n" for start, end, name in speech.phonemes)


def write_clip(folder: Path, name: str, made: MadeClip) -> Entry:
    """Writes one clip in the MMHead layout and returns its digests."""
    motion = {"expcodes": made.parameters[:, EXPRESSION].copy(), "posecodes": made.parameters[:, 50:].copy()}
    (folder / "facial_motion" / f"{name}.pkl").write_bytes(pickle.dumps(motion, protocol=4))
    texts = {field: getattr(made.texts, field) for field in TEXT_FIELDS}
    for field, text in texts.items():
        (folder / "text_annotations" / field / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    if made.speech is None:
        return entry(texts, made.parameters, None, None)
    import soundfile

    samples = np.clip(np.round(made.speech.audio * 32767.0), -32768, 32767).astype(np.int16)
    soundfile.write(folder / "audio" / f"{name}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
    table = phoneme_table(made.speech)
    (folder / "phonemes" / f"{name}.tsv").write_text(table, encoding="utf-8")
    return entry(texts, made.parameters, table, samples)


def files_hash(folder: Path, clips: tuple[Clip, ...]) -> str:
    """Hash over the bytes of all files of some clips."""
    return storage.content_hash(*((folder / path).read_bytes() for clip in clips for path in files_of(clip)))


def marker(folder: Path, number: int) -> Path:
    """The file that says that a shard is finished, and with what digests."""
    return folder / "shards" / f"{number:03d}.json"


def build_shard(folder: Path, number: int, sizes: Sizes, recipe: str) -> None:
    """Makes the clips of one shard in order and marks the shard as finished.

    Args:
        folder: Corpus folder with its subfolders in place.
        number: Which shard.
        sizes: Sizes of the corpus.
        recipe: Digest of the code that makes it, kept in the marker.
    """
    clips = shards(sizes)[number]
    entries = {clip.name: write_clip(folder, clip.name, make(clip)) for clip in clips}
    record = {
        "recipe": recipe,
        "files": files_hash(folder, clips),
        "clips": {name: astuple(found) for name, found in entries.items()},
    }
    storage.write_json(marker(folder, number), record)


def main() -> None:
    """Entry of the shard's process."""
    folder, number, sizes, recipe = sys.argv[1:]
    build_shard(Path(folder), int(number), Sizes(*(tuple(counts) for counts in json.loads(sizes))), recipe)


if __name__ == "__main__":
    main()
