"""Duplicates and near duplicates across splits: in motion, in wording, in sound.

Motion: relative distance |a - b| / sqrt((|a|^2 + |b|^2) / 2) of two courses of sixteen steps, every parameter less its
mean and over its spread in the corpus; 0 for equal, about 1.4 for unrelated ones. Wording: common share of three-word
phrases of two clips (Jaccard). Sound: correlation of two log-mel pictures. Within a split nothing is sought: a clip may
well be like another one of its own side.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.construction.config import Audit as AuditSettings
from benchmark.construction.fingerprints import Fingerprint

_BLOCK = 1024
Number = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Two clips of different splits that are the same, or nearly."""

    kind: str
    """motion, text or audio."""
    first: str
    """Clip of the held-out side."""
    second: str
    splits: tuple[str, str]
    measure: float
    """Distance of motions, common share of wordings, correlation of sounds."""
    exact: bool


@dataclass(frozen=True)
class AuditResult:
    """What the audit found."""

    pairs: tuple[Pair, ...]
    """The nearest pairs of each kind."""
    counts: dict[str, dict[str, int]]
    """All pairs by kind: exact and near."""
    clips: dict[str, int]
    """Clips compared, by split."""
    nearest: dict[str, dict[str, float]]
    """By kind: median and extreme, over held-out clips, of the measure to the nearest clip of another split."""

    def to_json(self) -> dict[str, Any]:
        """As a record for ``audit.json``."""
        return asdict(self)

    def render(self) -> str:
        """A few lines for the terminal."""
        compared = ", ".join(f"{count} {split}" for split, count in self.clips.items())
        lines = [f"duplicates across splits ({compared}):"]
        for kind, found in self.counts.items():
            near = self.nearest.get(kind)
            rest = (
                f"; nearest of a held-out clip: median {near['median']:.2f}, closest {near['extreme']:.2f}"
                if near
                else ""
            )
            lines.append(f"  {kind}: {found['exact']} exact, {found['near']} near{rest}")
        lines += [
            f"    {p.kind}: {p.first} ({p.splits[0]}) and {p.second} ({p.splits[1]}), {p.measure:.3f}"
            for p in self.pairs[:6]
        ]
        return "\n".join(lines)


def audit(prints: Mapping[str, Fingerprint], split_of: Mapping[str, str], settings: AuditSettings) -> AuditResult:
    """Compares every held-out clip with all clips of other splits.

    Args:
        prints: By clip id.
        split_of: Split by clip id.
        settings: What counts as near, and how many pairs are kept.

    Returns:
        The findings.
    """
    names = sorted(prints)
    splits = np.array([split_of[name] for name in names])
    kinds: dict[str, list[Pair]] = {}
    nearest: dict[str, dict[str, float]] = {}
    motion = _centred(np.stack([prints[name].motion for name in names])) if names else np.zeros((0, 1), np.float32)
    length = (motion**2).sum(axis=1)

    def motion_block(rows: slice) -> Number:
        products = motion[rows] @ motion.T
        both = length[rows, None] + length
        return np.asarray(np.sqrt(np.maximum(both - 2.0 * products, 0.0) / np.maximum(both / 2.0, 1e-12)), np.float32)

    compare = _Comparison(names, splits, prints)
    kinds["motion"], nearest["motion"] = compare.near("motion", motion_block, settings.motion, smaller=True)
    kinds["text"], nearest["text"] = compare.near("text", _wordings(names, prints), settings.text, smaller=False)
    heard = [k for k, name in enumerate(names) if prints[name].audio is not None]
    sounds = compare.chosen(heard)
    pictures = np.stack([p for k in heard if (p := prints[names[k]].audio) is not None]) if heard else np.zeros((0, 1))
    kinds["audio"], nearest["audio"] = sounds.near(
        "audio", lambda rows: np.asarray(pictures[rows] @ pictures.T, np.float32), settings.audio, smaller=False
    )
    counts = {
        kind: {"exact": sum(p.exact for p in pairs), "near": sum(not p.exact for p in pairs)}
        for kind, pairs in kinds.items()
    }
    kept = [pair for pairs in kinds.values() for pair in pairs[: settings.listed]]
    return AuditResult(tuple(kept), counts, dict(Counter(splits.tolist())), {k: v for k, v in nearest.items() if v})


@dataclass(frozen=True)
class _Comparison:
    names: Sequence[str]
    splits: NDArray[np.str_]
    prints: Mapping[str, Fingerprint]

    def chosen(self, rows: Sequence[int]) -> "_Comparison":
        return _Comparison([self.names[k] for k in rows], self.splits[list(rows)], self.prints)

    def near(
        self, kind: str, measure: Callable[[slice], Number], threshold: float, *, smaller: bool
    ) -> tuple[list[Pair], dict[str, float]]:
        """Pairs beyond the threshold, nearest first, and what the nearest clips of held-out ones are like."""
        found: list[Pair] = []
        best: list[float] = []
        for rows in _blocks(len(self.names)):
            values = measure(rows)
            other = self.splits[rows, None] != self.splits
            worst = np.float32(np.inf if smaller else -np.inf)
            masked = np.where(other, values, worst)
            held_out = self.splits[rows] != "train"
            if other.any(axis=1)[held_out].any():
                edge = (masked.min(axis=1) if smaller else masked.max(axis=1))[held_out]
                best += edge[np.isfinite(edge)].tolist()
            hits = (masked <= threshold) if smaller else (masked >= threshold)
            found += self._pairs(kind, np.argwhere(hits) + np.array([rows.start, 0]), masked, rows.start)
        found.sort(
            key=lambda pair: (not pair.exact, pair.measure if smaller else -pair.measure, pair.first, pair.second)
        )
        extreme = (min if smaller else max)(best) if best else 0.0
        return found, {"median": float(np.median(best)), "extreme": float(extreme)} if best else {}

    def _pairs(self, kind: str, hits: NDArray[np.int64], values: Number, offset: int) -> Iterator[Pair]:
        rank = {"test": 0, "val": 1, "train": 2}
        for row, column in hits.tolist():
            here, there = self.splits[row], self.splits[column]
            if rank[here] < rank[there]:  # each pair once, the held-out clip first
                one, two = self.prints[self.names[row]], self.prints[self.names[column]]
                yield Pair(
                    kind, self.names[row], self.names[column], (str(here), str(there)),
                    float(values[row - offset, column]), _same(kind, one, two),
                )  # fmt: skip


def _same(kind: str, one: Fingerprint, two: Fingerprint) -> bool:
    if kind == "motion":
        return one.motion_hash == two.motion_hash
    return one.wording == two.wording if kind == "text" else one.audio_hash == two.audio_hash


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))


def _centred(motion: Number) -> Number:
    centred = motion - motion.mean(axis=0)
    spread = motion.reshape(len(motion), -1, 56).std(axis=(0, 1))
    return np.asarray(centred / np.tile(np.maximum(spread, 1e-6), motion.shape[1] // 56), np.float32)


def _wordings(names: Sequence[str], prints: Mapping[str, Fingerprint]) -> Callable[[slice], Number]:
    """Jaccard of phrase sets, by sparse products."""
    from scipy.sparse import csr_matrix

    columns: dict[int, int] = defaultdict(lambda: len(columns))
    rows, cells = [], []
    for row, name in enumerate(names):
        for phrase in prints[name].phrases:
            rows.append(row)
            cells.append(columns[phrase])
    table = csr_matrix((np.ones(len(rows), np.float32), (rows, cells)), shape=(len(names), max(len(columns), 1)))
    sizes = np.asarray(table.sum(axis=1)).ravel()

    def block(part: slice) -> Number:
        common = (table[part] @ table.T).toarray()
        union = sizes[part, None] + sizes - common
        return np.asarray(common / np.maximum(union, 1.0), np.float32)

    return block
