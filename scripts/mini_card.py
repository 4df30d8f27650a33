"""Writes the embedded corpus's data card and its pictures: ``python scripts/mini_card.py [CORPUS [OUT]]``.

CORPUS is a built folder, by default the embedded corpus of this version; OUT is ``docs``. Every number of the card is
counted from the corpus. Labels are not part of it: actions and emotions are counted by their words in the texts.
"""

import json
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mini_pictures
import numpy as np
from mini_facts import NAMELESS, ONLY_EXPRESSION, Facts, Floats, gather
from tabulate import tabulate

from benchmark.construction.head_pose import angles
from benchmark.corpus import load_corpus, source_of
from benchmark.mini.build import mini_path
from benchmark.mini.performers import performer
from benchmark.protocol import EXPRESSION, FPS, JAW, NECK, TEXT_FIELDS
from benchmark.storage import atomic_path
from benchmark.subsets import SPLITS
from benchmark.tracks import TASKS

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "benchmark" / "mini" / "data"
SAMPLES = 6
REAL_EXPRESSION = 0.93
REAL_JAW = ((0.034, 0.007, -0.007), (0.065, 0.020, 0.045))
NECK_BOUND, JAW_BOUND = 0.6, 0.4
"""Of real tracks: standard deviation a dimension, mean and standard deviation of the jaw, largest neck and jaw."""
LIMITS = """\
- Performers, voices and sentences are synthetic: people are more varied, less regular and less clear than this.
- Speech is espeak-ng's, in English only; the lips follow its phonemes, so speech and motion fit better than in life.
- Texts are written by rules from what was measured and labelled. They vary in words and leave things out, but their
  sentences are plainer and more alike than a language model's or a person's.
- One head with one set of muscles: expression coefficients are the open head's, not FLAME's. Scores on `mini` are not
  comparable with scores on MMHead.
- Annotators err, as in life: of two actions that follow one another about one pair in twelve is told in the wrong order
  (29 of 355 pairs in 300 clips against their plans). Some frames keep a jump of the tracker that the cleaning took for
  motion.
- It is made to learn and to compare methods on a small machine, not to train anything for people's faces."""


def table(rows: Sequence[Sequence[Any]], *headers: str) -> str:
    """A Markdown table, all columns but the first to the right."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    aligned = ("left", *["right"] * (len(headers) - 1))
    return tabulate(cells, headers=headers, tablefmt="github", colalign=aligned, disable_numparse=True)


def counts(facts: Facts) -> str:
    """Clips, frames and hours by track and split."""
    rows: list[Sequence[Any]] = []
    for task in TASKS:
        for split in SPLITS:
            names = facts.clips(task, split)
            lengths = [facts.frames[name] for name in names] or [0]
            hours = f"{sum(lengths) / FPS / 3600:.2f}"
            span = f"{min(lengths)}-{max(lengths)}, {np.mean(lengths):.0f}"
            rows.append((f"mini/{task}, {split}", len(names), sum(lengths), hours, span))
    both = [name for name, tracks in facts.tracks_of.items() if len(tracks) > 1]
    every = sum(facts.frames.values())
    rows.append(("all, each clip once", len(facts.frames), every, f"{every / FPS / 3600:.2f}", ""))
    shared = {split: sum(name in set(facts.clips("talking", split)) for name in both) for split in SPLITS}
    lines = ", ".join(f"{count} in {split}" for split, count in shared.items())
    return (
        table(rows, "track, split", "clips", "frames", "hours", "frames a clip: range, mean")
        + f"\n\n{len(both)} talking and singing clips are in both tracks, on the same side of the split ({lines})."
    )


def labels(facts: Facts, found: Mapping[str, tuple[str, ...]], kind: str) -> str:
    """Clips by label: in each track, and how many of them are held out."""
    total = Counter(label for some in found.values() for label in some)
    held_out = {name for task in TASKS for split in SPLITS[1:] for name in facts.clips(task, split)}
    rows = []
    for label, count in sorted(total.items(), key=lambda item: (item[0] == NAMELESS, -item[1], item[0])):
        names = {name for name, some in found.items() if label in some}
        by_track = [len(names & set(facts.clips(task))) for task in TASKS]
        rows.append((label.replace("_", " "), *by_track, f"{count / len(found):.1%}", len(names & held_out)))
    return table(rows, kind, *TASKS, "share of all clips", "held out")


def wording(facts: Facts) -> str:
    """Words and distinct wordings by text field."""
    rows = []
    for name in TEXT_FIELDS:
        texts = [texts[name] for texts in facts.texts.values()]
        words = np.array([len(text.split()) for text in texts])
        vocabulary = {word for text in texts for word in re.findall(r"[a-z'-]+", text.lower())}
        distinct = len(set(texts))
        low, high = np.quantile(words, [0.05, 0.95])
        rows.append(
            (name, f"{words.mean():.1f}", f"{low:.0f}-{high:.0f}", distinct, f"{distinct / len(texts):.0%}",
             len(vocabulary))
        )  # fmt: skip
    return table(rows, "text", "words, mean", "5-95%", "distinct texts", "of all", "distinct words")


def motion(facts: Facts) -> str:
    """The motion beside what real tracks are like."""
    frames = np.concatenate(list(facts.motion.values()))
    spread, jaw = frames[:, EXPRESSION].std(axis=0), frames[:, JAW]
    neck, turned = np.linalg.norm(frames[:, NECK], axis=1), np.abs(angles(frames[:, NECK]))

    def three(values: Sequence[float] | Floats) -> str:
        return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"

    ranges = ", ".join(f"{np.quantile(turned[:, axis], 0.95):.0f}" for axis in range(3))
    low, high = spread.min(), spread.max()
    rows = [
        ("expression, standard deviation a dimension: mean", f"{spread.mean():.2f}", f"about {REAL_EXPRESSION}"),
        ("the same: smallest and largest dimension", f"{low:.2f}, {high:.2f}", ""),
        ("jaw x, y, z, mean (rad)", three(jaw.mean(axis=0)), three(REAL_JAW[0])),
        ("jaw x, y, z, standard deviation (rad)", three(jaw.std(axis=0)), three(REAL_JAW[1])),
        ("jaw x, largest (rad)", f"{jaw[:, 0].max():.2f}", f"under about {JAW_BOUND}"),
        ("frames with jaw x beyond that", f"{(jaw[:, 0] > JAW_BOUND).mean():.2%}", "few"),
        ("neck rotation, largest (rad)", f"{neck.max():.2f}", f"under about {NECK_BOUND}"),
        ("frames with the neck beyond that", f"{(neck > NECK_BOUND).mean():.2%}", "few"),
        ("neck pitch, yaw, roll: 95% of frames within (degrees)", ranges, ""),
    ]
    return table(rows, "over all frames", "mini", "real tracks")


def duplicates() -> str:
    """The audit that was kept when the corpus was frozen."""
    path = DATA / "audit.json"
    if not path.is_file():
        return "The audit is made when a version is frozen; none is kept here."
    record = json.loads(path.read_text(encoding="utf-8"))
    compared = ", ".join(f"{count:,} {split}" for split, count in record["clips"].items())
    rows = []
    for kind, found in record["counts"].items():
        near = record["nearest"].get(kind)
        rest = (f"{near['median']:.2f}", f"{near['extreme']:.2f}") if near else ("", "")
        rows.append((kind, found["exact"], found["near"], *rest))
    return (
        f"Every held-out clip against all clips of other splits ({compared}), by `benchmark/construction/audit.py`. "
        "Motion is a distance (0 equal, about 1.4 unrelated), text the common share of three-word phrases, audio a "
        "correlation.\n\n"
        + table(rows, "kind", "exact", "near", "nearest clip, median", "nearest of all")
        + "\n\nTexts are summaries: many clips may have the same short text, so near texts are no leak by themselves."
    )


def sizes(facts: Facts) -> str:
    """Bytes in the project and of the built folder."""

    def total(path: Path) -> int:
        return sum(item.stat().st_size for item in [path, *path.rglob("*")] if item.is_file())

    rows = [(f"in the project: `{item.relative_to(ROOT)}`", _size(total(item))) for item in _kept()]
    rows += [
        (f"built: `{item.name}/`", _size(total(item)))
        for item in sorted(facts.corpus.path.iterdir())
        if item.is_dir() and item.name != "shards"
    ]
    return table(rows, "what", "size")


def _kept() -> list[Path]:
    frozen = sorted(DATA.iterdir()) if DATA.is_dir() else []
    return [*frozen, *(path for name in ("manifest.json", "open_head.npz") if (path := DATA.parent / name).is_file())]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def samples(facts: Facts) -> str:
    """The texts of some test clips, drawn evenly from the tracks."""
    chosen: list[str] = []
    for task in TASKS:
        names = [name for name in facts.clips(task, "test") if name not in chosen]
        count = min(SAMPLES // len(TASKS), len(names))
        chosen += [names[(2 * k + 1) * len(names) // (2 * count)] for k in range(count)]
    parts = []
    for name in chosen:
        seconds = f"{facts.frames[name] / FPS:.1f} s"
        lines = [f"- {kind}: {text}" for kind, text in facts.texts[name].items()]
        parts.append(f"`{name}` ({', '.join(facts.tracks_of[name])}; {seconds})\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def people(facts: Facts) -> str:
    """How many performers, and how they differ."""
    by_performer = Counter(source_of(name) for name in facts.frames)
    numbers = sorted(int(name.rpartition("p")[2]) for name in by_performer)
    cast = [performer(number) for number in numbers]
    blinks = [one.blinks for one in cast]
    return (
        f"{len(by_performer)} performers with {min(by_performer.values())} to {max(by_performer.values())} clips each. "
        "Each has a voice, and an amplitude, tempo, asymmetry, resting face, posture and liveliness of the head of "
        f"its own, and blinks {min(blinks):.2f} to {max(blinks):.2f} times a second."
    )


def strangers(facts: Facts) -> str:
    """Whether the held-out performers are known from training."""
    by_split = {s: {source_of(name) for task in TASKS for name in facts.clips(task, s)} for s in SPLITS}
    known = by_split["test"] & by_split["train"]
    if known == by_split["test"]:
        return "- Every performer of the test split occurs in training: `mini` asks for new clips, not for new people."
    return f"- {len(known)} of {len(by_split['test'])} performers of the test split occur in training."


def frozen() -> str:
    """How the splits are kept."""
    if not DATA.is_dir():
        return "`mmbench data build mini` makes the corpus from its seed and checks it against its manifest"
    return (
        "Validation and test are kept in the project as frozen, compact files; `mmbench data build mini` unpacks "
        "them, makes the training split from its seed and checks it against the manifest"
    )


def write(facts: Facts) -> str:
    """The card."""
    version = facts.corpus.name.rpartition("-")[2]
    seen = {label for some in facts.actions.values() for label in some} - {ONLY_EXPRESSION, NAMELESS}
    hours = sum(facts.frames.values()) / FPS / 3600
    both = (facts.actions, facts.emotions)
    nameless, none = (sum(some == (NAMELESS,) for some in found.values()) for found in both)
    card = f"""\
# The embedded corpus `mini`, version {version}

{len(facts.frames):,} clips, {hours:.1f} hours of 3D facial animation at {FPS} frames a second, with five
texts a clip, and speech for the talking, singing and reading ones: the benchmark for everyone who has no access to
MMHead, small enough for a laptop. It is in MMHead's layout and has its two tracks, `mini/talking@{version}` and
`mini/text2motion@{version}`. Nobody's face or voice is in it.

This page is written by `scripts/mini_card.py`, which counts every figure of `mini` from the corpus itself.

![Test clips over time, each with its action text](mini_contact_sheet.png)

Test clips under their action texts: of each fifth of a clip the liveliest frame.

## How it is made

Performers act out plans of emotions, actions, accents and head gestures on the muscles of the open head; those that
speak do so with espeak-ng, whose phonemes move the lips. A tracker then films them as trackers do, with noise,
outliers and lost frames. From there on the clips go the way of any corpus ([construction.md](construction.md)):
outliers are mended, tracks brought to {FPS} frames a second and smoothed, texts written from action units, head-pose
states and labels. Motion is kept on a fixed grid, so that it is the same on every machine.

The sides of the split are decided before anything is made. {frozen()};
`mmbench data verify` checks it again.

{people(facts)}

## How much

{counts(facts)}

![Distributions of length, motion, words and labels](mini_histograms.png)

## Actions and emotions

Clips whose text names the action. A clip may have several, and a text may leave one out; {nameless:,} action texts
name none. {len(seen)} actions occur; *{ONLY_EXPRESSION}* are clips of an expression alone.

{labels(facts, facts.actions, "action")}

Clips whose text names the emotion, by the adjectives of `benchmark/mini/phrases.py`; {none:,} emotion texts name none.

{labels(facts, facts.emotions, "emotion")}

## Texts

{wording(facts)}

{samples(facts)}

## Motion

{motion(facts)}

Real tracks: EMOCA on television dialogue, 15,000 clips.

## Duplicates across splits

{duplicates()}

## Sizes

{sizes(facts)}

## Limits

{LIMITS}
{strangers(facts)}

## Licence

MIT, as the project. Speech is made with espeak-ng (GPL-3.0-or-later), a program that is not part of the project.
"""
    return "\n\n".join(_wrapped(block) for block in card.split("\n\n"))


def _wrapped(block: str) -> str:
    """A paragraph in lines of even length; tables, lists, headings and pictures as they are."""
    if block.startswith(("|", "-", "#", "!")):
        return block
    return textwrap.fill(block, 118, break_long_words=False, break_on_hyphens=False) + "\n" * block.endswith("\n")


def main(path: Path, out: Path) -> None:
    """Writes the card and both pictures."""
    facts = gather(load_corpus(path))
    with atomic_path(out / "mini.md") as temporary:
        temporary.write_text(write(facts), encoding="utf-8")
    mini_pictures.contact_sheet(facts, out / "mini_contact_sheet.png")
    mini_pictures.histograms(facts, out / "mini_histograms.png")


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    main(folders[0] if folders else mini_path(), folders[1] if len(folders) > 1 else Path("docs"))
