"""From active units to movements worth a clause: sides merged, repetitions counted, the strongest kept."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from benchmark.construction.records import Evidence, Span
from benchmark.construction.wording import degree, listed, pick, unit_clause
from benchmark.mini import phrases

_NAME = re.compile(r"AU([LR]?)(\d+)")
_SIDE = {"L": "left", "R": "right", "": ""}
_TALKING = frozenset((10, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28))
"""Units that speech moves all the time: part of its own sentence."""
_BLINK_FRAMES = 9
_MOST_CLAUSES, _MOST_TOGETHER = 7, 3
_REPEATS = 3
_NEAR = 6


@dataclass(frozen=True)
class Movement:
    """One unit's activity."""

    number: int
    side: str
    """``left``, ``right``, or nothing for both."""
    start: int
    end: int
    peak: float
    times: int = 1
    """How often it came, if it came again and again."""

    @property
    def weight(self) -> float:
        """How much it catches the eye."""
        return float(self.peak * np.sqrt(min(self.end - self.start, 40)))


def movements(spans: tuple[Span, ...]) -> list[Movement]:
    """Active spans with both sides merged where they move together, by start."""
    by_number: dict[int, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for span in spans:
        match = _NAME.fullmatch(span.name)
        if match:
            by_number[int(match.group(2))][match.group(1)].append(span)
    found: list[Movement] = []
    for number, sides in by_number.items():
        found += _merged(number, sides)
    return sorted(found, key=lambda move: (move.start, move.number, move.side))


def expression_items(evidence: Evidence, rng: np.random.Generator) -> list[tuple[float, float, str]]:
    """Clauses of facial movements.

    Args:
        evidence: Of the clip.
        rng: Source of the wording.

    Returns:
        (first frame, last frame, clause) by start; movements that begin together share one clause.
    """
    moves = movements(evidence.units)
    blinks = [m for m in moves if m.number == 45 and not m.side and m.end - m.start <= _BLINK_FRAMES]
    moves = [m for m in moves if m not in blinks]
    if evidence.speech:
        moves = [m for m in moves if m.number not in _TALKING]
    moves = _repeated(moves)
    kept = sorted(moves, key=lambda m: (-m.weight, m.start))[:_MOST_CLAUSES]
    items = [_item(group, rng) for group in _together(sorted(kept, key=lambda m: (m.start, m.number)))]
    items = [item for item in items if item[2]]
    if blinks and rng.random() < 0.6:
        times = phrases.COUNTS[min(len(blinks), 5) - 1]
        items.append((blinks[0].start, blinks[-1].end, f"the eyes blink {times}"))
    return sorted(items)


def _merged(number: int, sides: dict[str, list[Span]]) -> list[Movement]:
    left, right = list(sides["L"]), list(sides["R"])
    moves = []
    for one in left:
        partner = max(right, key=lambda other: _overlap(one, other), default=None)
        if partner is not None and _overlap(one, partner) > 0.4:
            right.remove(partner)
            peak = max(one.peak, partner.peak)
            moves.append(Movement(number, "", min(one.start, partner.start), max(one.end, partner.end), peak))
        else:
            moves.append(Movement(number, "left", one.start, one.end, one.peak))
    moves += [Movement(number, "right", other.start, other.end, other.peak) for other in right]
    # Detectors with both a whole unit and its sides: the sides say more, the whole one is left where they are silent.
    for whole in sides[""]:
        if not any(min(whole.end, move.end) > max(whole.start, move.start) for move in moves):
            moves.append(Movement(number, "", whole.start, whole.end, whole.peak))
    return moves


def _overlap(one: Span, other: Span) -> float:
    """Common share of the longer of two spans."""
    common = min(one.end, other.end) - max(one.start, other.start)
    return common / max(one.end - one.start, other.end - other.start)


def _repeated(moves: list[Movement]) -> list[Movement]:
    """Movements that come three times or more as one."""
    groups: dict[tuple[int, str], list[Movement]] = defaultdict(list)
    for move in moves:
        groups[move.number, move.side].append(move)
    found: list[Movement] = []
    for (number, side), group in groups.items():
        if len(group) >= _REPEATS:
            peak = max(move.peak for move in group)
            found.append(Movement(number, side, group[0].start, group[-1].end, peak, len(group)))
        else:
            found += group
    return found


def _together(moves: list[Movement]) -> list[list[Movement]]:
    groups: list[list[Movement]] = []
    for move in moves:
        if groups and move.start - groups[-1][0].start <= _NEAR and len(groups[-1]) < _MOST_TOGETHER:
            groups[-1].append(move)
        else:
            groups.append([move])
    return groups


def _item(group: list[Movement], rng: np.random.Generator) -> tuple[float, float, str]:
    clauses = [clause for move in group if (clause := unit_clause(move.number, move.side, rng))]
    start, end = min(move.start for move in group), max(move.end for move in group)
    if not clauses:
        return float(start), float(end), ""
    adverb = degree(max(move.peak for move in group), rng)
    if all(move.times >= _REPEATS for move in group):
        adverb = pick((f"{adverb} again and again", "repeatedly"), rng)
    elif end - start <= 14 and rng.random() < 0.5:
        adverb = pick(("for a moment", "briefly"), rng)
    return float(start), float(end), f"{listed(list(dict.fromkeys(clauses)))} {adverb}"
