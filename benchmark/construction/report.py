"""What a construction dropped, mended and split: for the terminal, as JSON, and as a page."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.construction.audit import AuditResult
from benchmark.construction.config import Config
from benchmark.construction.head_pose import STATES
from benchmark.construction.journal import Entry
from benchmark.construction.split import Subsets
from benchmark.protocol import FPS, TEXT_FIELDS
from benchmark.storage import atomic_path
from benchmark.subsets import SPLITS

PARTS = (("expression", ""), ("neck", "degrees"), ("jaw", "degrees"))
_EXAMPLES = 5
_MOST_MOVED = 12
_BINS = 24


@dataclass(frozen=True)
class Moved:
    """How far cleaning moved one part of the motion, over all clips."""

    part: str
    unit: str
    outliers: int
    """Values replaced."""
    share: float
    """Replaced share of all values."""
    rms: tuple[float, float, float]
    """Root mean square change of a clip: median, 95th percentile, largest."""
    largest: float
    """Largest change of a single frame."""
    strength: float
    """Smoothing strength, median over clips."""
    histogram: tuple[list[float], list[int]]
    """Edges and counts of the clips' root mean square changes."""


@dataclass(frozen=True)
class Report:
    """An account of a construction."""

    raw: int
    """Clips that came in, pieces of split ones counted singly."""
    kept: int
    hours: float
    """Of the kept motion."""
    dropped: dict[str, int]
    """Clips by reason."""
    examples: dict[str, list[dict[str, str]]]
    """Some dropped clips of each reason, with their numbers."""
    notes: dict[str, int]
    """Repairs other than cleaning: cuts, labels taken off."""
    resampled: int
    """Kept clips that were not at 25 frames a second."""
    moved: tuple[Moved, ...]
    """Expression, neck, jaw."""
    most_moved: list[dict[str, Any]]
    """Clips that cleaning moved most, worth a look."""
    states: dict[str, float]
    """Share of all frames in each head-pose state."""
    splits: dict[str, dict[str, int]]
    """Clips by task and split."""
    labels: list[dict[str, Any]]
    """Clips by action and emotion, and their share in each split."""
    texts: dict[str, str]
    """Who wrote each text."""
    words: dict[str, float]
    """Mean number of words of each text."""
    samples: list[dict[str, Any]]
    """Some clips' texts."""
    warnings: list[str]
    """What a reader should know before the corpus is used."""
    audit: AuditResult
    reused: int
    """Raw clips done in an earlier run."""
    seconds: float
    milliseconds: dict[str, float]
    """Mean time a clip took in each stage."""
    model: str = ""
    """Estimate for the language model, if one was asked."""

    def to_json(self) -> dict[str, Any]:
        """As a record for ``report.json``."""
        return asdict(self)

    def render(self) -> str:
        """For the terminal."""
        from tabulate import tabulate

        lines = [f"{self.kept} of {self.raw} clips kept, {self.hours:.2f} hours, in {self.seconds:.1f} s"]
        lines[0] += f" ({self.reused} raw clips were done before)" if self.reused else ""
        lines += [f"  dropped, {reason}: {count}" for reason, count in self.dropped.items()]
        lines += [f"  mended, {note}: {count}" for note, count in self.notes.items()]
        lines.append(f"  mended, resampled to {FPS} frames a second: {self.resampled}")
        rows = [
            [
                m.part,
                m.unit,
                m.outliers,
                f"{m.share:.2%}",
                *(f"{v:.3f}" for v in m.rms),
                f"{m.largest:.2f}",
                f"{m.strength:.2g}",
            ]
            for m in self.moved
        ]
        headers = ["part", "unit", "outliers", "share", "rms median", "95%", "largest", "frame", "strength"]
        lines.append(tabulate(rows, headers=headers, disable_numparse=True))
        rows = [[task, *(counts[split] for split in SPLITS)] for task, counts in self.splits.items()]
        lines.append(tabulate(rows, headers=["clips", *SPLITS]))
        lines.append("head: " + ", ".join(f"{name} {share:.0%}" for name, share in self.states.items()))
        lines += [f"warning: {warning}" for warning in self.warnings]
        if self.model:
            lines.append(f"language model: {self.model}")
        lines.append(self.audit.render())
        return "\n".join(lines)


def build_report(
    entries: Sequence[Entry],
    split_of: Mapping[str, str],
    subsets: Subsets,
    found: AuditResult,
    config: Config,
    reused: int,
    seconds: float,
    model: str = "",
) -> Report:
    """Sums up a construction.

    Args:
        entries: Of the journal.
        split_of: Split by kept clip.
        subsets: Clips by task and split.
        found: Of the audit.
        config: All settings.
        reused: Raw clips done before.
        seconds: Time of this run.
        model: Estimate for the language model.

    Returns:
        The report.
    """
    kept = [entry for entry in entries if entry.kept]
    dropped = Counter(entry.reason for entry in entries if not entry.kept)
    frames: Counter[str] = Counter()
    for entry in kept:
        frames.update(entry.states)
    return Report(
        raw=len(entries),
        kept=len(kept),
        hours=sum(entry.mended["frames_out"] for entry in kept) / FPS / 3600.0,
        dropped=dict(dropped.most_common()),
        examples=_examples(entries),
        notes=dict(Counter(_general(note) for entry in kept for note in entry.mended["notes"]).most_common()),
        resampled=sum(abs(entry.mended["fps"] - FPS) > 1e-6 for entry in kept),
        moved=tuple(_moved(kept, k) for k in range(len(PARTS))),
        most_moved=_most_moved(kept),
        states={name: frames[name] / max(frames.total(), 1) for name in STATES},
        splits={task: {split: len(ids) for split, ids in lists.items()} for task, lists in subsets.items()},
        labels=_labels(kept, split_of),
        texts={field: config.writer(field) for field in TEXT_FIELDS},
        words={f: float(np.mean([len(e.texts[f].split()) for e in kept])) if kept else 0.0 for f in TEXT_FIELDS},
        samples=[{"id": e.id, "texts": e.texts} for e in kept[:: max(1, len(kept) // 6)][:6]],
        warnings=_warnings(kept, subsets, found),
        audit=found,
        reused=reused,
        seconds=seconds,
        milliseconds=_times(kept),
        model=model,
    )


def write_html(report: Report, path: Path) -> None:
    """Writes the report as one page without scripts or anything from elsewhere."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    page = environment.get_template("report.html").render(report=report, fields=TEXT_FIELDS, names=SPLITS, fps=FPS)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _warnings(kept: Sequence[Entry], subsets: Subsets, found: AuditResult) -> list[str]:
    lines = [
        f"{task} has no {split} clips: too few sources to part them"
        for task, lists in subsets.items()
        for split, ids in lists.items()
        if not ids and any(lists.values())
    ]
    lines += [f"no clip is for {task}" for task, lists in subsets.items() if not any(lists.values())]
    if without := sum(not entry.actions for entry in kept):
        lines.append(f"{without} clips have no action label")
    if pairs := sum(counts["exact"] for counts in found.counts.values()):
        lines.append(f"{pairs} exact duplicates across splits: see audit.json")
    return lines


def _examples(entries: Sequence[Entry]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for entry in entries:
        if not entry.kept and len(found[entry.reason]) < _EXAMPLES:
            found[entry.reason].append({"id": entry.id, "detail": entry.detail})
    return dict(found)


def _general(note: str) -> str:
    """A note without its numbers, so that equal repairs are counted together."""
    return " ".join("..." if word.isdigit() else word for word in note.split())


def _moved(kept: Sequence[Entry], part: int) -> Moved:
    name, unit = PARTS[part]
    width = (50, 3, 3)[part]
    mended = [entry.mended for entry in kept]
    outliers = sum(m["outliers"][part] for m in mended)
    rms = np.array([m["moved_rms"][part] for m in mended] or [0.0])
    values = max(sum(m["frames_in"] for m in mended) * width, 1)
    quantiles = (float(np.median(rms)), float(np.quantile(rms, 0.95)), float(rms.max()))
    largest = max((m["moved_max"][part] for m in mended), default=0.0)
    strength = float(np.median([m["strength"][part] for m in mended] or [0.0]))
    counts, edges = np.histogram(rms[: len(kept)], _BINS, (0.0, max(float(rms.max()), 1e-6)))
    spread = (edges.tolist(), counts.tolist())
    return Moved(name, unit, outliers, outliers / values, quantiles, largest, strength, spread)


def _most_moved(kept: Sequence[Entry]) -> list[dict[str, Any]]:
    most = sorted(kept, key=lambda entry: -float(entry.mended["moved_rms"][0]))[:_MOST_MOVED]
    return [{"id": e.id, "rms": e.mended["moved_rms"], "outliers": e.mended["outliers"]} for e in most]


def _labels(kept: Sequence[Entry], split_of: Mapping[str, str]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in kept:
        labels = [("action", a) for a in entry.actions] + [("emotion", e) for e in entry.emotions]
        for label in [("all", "clips"), *labels]:
            counts[label][split_of[entry.id]] += 1
    rows = []
    order = {"all": 0, "action": 1, "emotion": 2}
    ordered = sorted(counts.items(), key=lambda item: (order[item[0][0]], -item[1].total(), item[0][1]))
    for (kind, name), by_split in ordered:
        total = by_split.total()
        shares = {split: by_split[split] / total for split in SPLITS}
        rows.append({"kind": kind, "name": name, "clips": total, "shares": shares})
    return rows


def _times(kept: Sequence[Entry]) -> dict[str, float]:
    stages = list(dict.fromkeys(stage for entry in kept for stage in entry.seconds))
    return {stage: 1e3 * float(np.mean([entry.seconds.get(stage, 0.0) for entry in kept])) for stage in stages}
