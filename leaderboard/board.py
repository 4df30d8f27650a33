"""Results as boards: one a track and measure, with columns, roles, marks and tie groups. No markup here."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from benchmark.errors import InputError, Problem
from benchmark.storage import sha256_file
from evaluators.result import Protocol, Score, read_result
from leaderboard.claims import TOKENIZER, TRUTH
from leaderboard.rows import RESULTS, SHORT, Paired, Row, number, same_measure
from leaderboard.ties import tie_groups

HEADLINE = "text_r_precision_1"
ARROWS = {"higher": "↑", "lower": "↓", "truth": "→"}
BETTER = {"higher": "higher is better", "lower": "lower is better", "truth": "nearer to the truth's value is better"}

Role = Literal["reference", "submission", "control", "unranked"]
"""Truth and the tokenizer's reconstruction bound a board from above, controls from below; neither competes."""
ROLES: dict[Role, str] = {
    "reference": "References, not competing",
    "submission": "Submissions",
    "control": "Controls, not competing",
    "unranked": "Not ranked",
}
FACTS = ("inputs", "output", "licence", "isolation", "kind")
"""What a board is filtered by, see ``Line.facts``."""


@dataclass(frozen=True)
class Column:
    """One metric of a board."""

    key: str
    """Metric key, e.g. ``lve_mm``."""
    label: str
    """Short name without the unit."""
    unit: str
    """Unit of the value."""
    direction: str
    """Which way is better."""
    id: str
    """Metric and version."""
    truth: float | None
    """The truth's value."""

    @property
    def arrow(self) -> str:
        """The direction as a sign."""
        return ARROWS[self.direction]

    @property
    def title(self) -> str:
        """Short name with the unit where tables need it, e.g. ``LVE mm``."""
        return SHORT.get(self.key, self.key)

    @property
    def better(self) -> str:
        """The direction in words."""
        return BETTER[self.direction]

    def order(self, value: float) -> float:
        """A number that grows as the value gets worse."""
        if self.direction == "truth":
            return abs(value - self.truth) if self.truth is not None else value
        return -value if self.direction == "higher" else value


@dataclass(frozen=True)
class Line:
    """One row of a board."""

    row: Row
    """The result."""
    role: Role
    """What it is on this board."""
    slug: str
    """Its name as a part of file names."""
    ties: str = ""
    """Letters of its tie groups, e.g. ``A B``; empty where it does not compete."""

    @property
    def label(self) -> str:
        """Its name where the table says that it is a control."""
        return self.row.name.removeprefix("control:")

    @property
    def inputs(self) -> str:
        """What it reads, as its card says."""
        inputs = self.row.result.submission.card.get("inputs")
        return " + ".join(sorted(map(str, inputs))) if isinstance(inputs, list) and inputs else "not stated"

    @property
    def licence(self) -> str:
        """Licence on the card."""
        return str(self.row.result.submission.card.get("licence") or "not stated")

    @property
    def facts(self) -> dict[str, str]:
        """What a board is filtered by."""
        result = self.row.result
        return {
            "inputs": self.inputs,
            "output": result.submission.output,
            "licence": self.licence,
            "isolation": result.isolation,
            "kind": result.submission.kind,
        }

    def score(self, column: Column) -> Score | None:
        """Its score in a column, or None where it has no value."""
        return self.row.score(column.key)

    def refused(self, column: Column) -> str:
        """Why it has no value in a column; empty where it has one."""
        score = self.row.result.metrics.get(column.key)
        return "not computed" if score is None else score.refused or ""

    def value(self, column: Column) -> float | None:
        """Its value in a column."""
        score = self.score(column)
        return None if score is None else score.value


@dataclass(frozen=True)
class Board:
    """All rows that were measured alike."""

    slug: str
    """Its name as a part of file names."""
    columns: tuple[Column, ...]
    """Metrics in the protocol's order."""
    lines: tuple[Line, ...]
    """References, then competing rows best first, controls, and rows that are not ranked."""

    @property
    def first(self) -> Any:
        """One of its results, for what all have in common."""
        return self.lines[0].row.result

    @property
    def headline(self) -> Column:
        """The column it is sorted by."""
        return next((column for column in self.columns if column.key == HEADLINE), self.columns[0])

    def of(self, role: Role) -> list[Line]:
        """Its lines of one role."""
        return [line for line in self.lines if line.role == role]

    def mark(self, line: Line, column: Column) -> str:
        """``best``, ``second`` or nothing: the place of a competing row in a column, equal values together."""
        if line.role != "submission" or (value := line.value(column)) is None:
            return ""
        values = [other.value(column) for other in self.of("submission")]
        places = sorted({column.order(value) for value in values if value is not None})
        return dict(zip(places, ("best", "second"), strict=False)).get(column.order(value), "")


def all_rows(results: Path = RESULTS) -> list[Row]:
    """Every result of a folder, ranked or not, of either protocol.

    Raises:
        InputError: No folder, no result in it, results that cannot be read, or sidecars that are not those scored.
    """
    found = sorted(path for name in get_args(Protocol) for path in results.glob(f"*/*/{name}.json"))
    if not found:
        raise InputError(Problem("no results", str(results), "a folder of <name>/<track>/strict.json"))
    rows: list[Row] = []
    problems: list[Problem] = []
    for path in found:
        try:
            row = Row(read_result(path), path.parent)
        except InputError as error:
            problems += error.problems
            continue
        rows.append(row)
        if row.clips.is_file() and (got := sha256_file(row.clips)) != row.result.per_clip_sha256:
            problems.append(
                Problem("per-clip numbers are not those scored", str(row.clips), row.result.per_clip_sha256, got)
            )
    if problems:
        raise InputError(problems)
    return rows


def boards(rows: Iterable[Row], paired: Paired) -> list[Board]:
    """Rows apart by track and measure, by track name; of several measures of one track the fuller board first."""
    groups: list[list[Row]] = []
    for row in rows:
        home = next((group for group in groups if not same_measure(row.result, group[0].result)), None)
        if home is None:
            groups.append([row])
        else:
            home.append(row)
    groups.sort(key=lambda group: (group[0].result.track.id, group[0].result.protocol.name != "strict", -len(group)))
    slugs = unique([slug(group[0].result.track.id) for group in groups])
    return [_board(name, group, paired) for name, group in zip(slugs, groups, strict=True)]


def slug(text: str) -> str:
    """A text as a part of file names: letters, digits, ``._@-``, no leading dot, 80 at most."""
    return re.sub(r"[^A-Za-z0-9._@-]+", "-", text)[:80].strip(".-") or "unnamed"


def unique(names: Sequence[str]) -> list[str]:
    """Names made different, also where only case sets them apart: a repeated one gets a number."""
    taken: set[str] = set()
    out = []
    for name in names:
        candidate, n = name, 1
        while candidate.lower() in taken:
            n += 1
            candidate = f"{name}-{n}"
        taken.add(candidate.lower())
        out.append(candidate)
    return out


def _board(name: str, rows: Sequence[Row], paired: Paired) -> Board:
    result = rows[0].result
    columns = tuple(_column(key, rows) for key in result.metrics)
    headline = next((column for column in columns if column.key == HEADLINE), columns[0])
    names = unique([slug(row.name) for row in rows])
    letters = tie_groups([row for row in rows if _role(row) == "submission"], headline.key, paired)
    lines = [Line(row, _role(row), part, letters.get(id(row), "")) for row, part in zip(rows, names, strict=True)]
    return Board(name, columns, tuple(sorted(lines, key=lambda line: _place(line, headline))))


def _column(key: str, rows: Sequence[Row]) -> Column:
    score, truth = rows[0].result.metrics[key], rows[0].result.truth.get(key)
    label = SHORT.get(key, key).removesuffix(f" {score.unit}")
    return Column(key, label, score.unit, score.direction, score.id, truth.value if truth else None)


def _role(row: Row) -> Role:
    if not row.result.ranked:
        return "unranked"
    if row.name in (TRUTH, TOKENIZER):
        return "reference"
    return "control" if row.result.submission.kind == "control" else "submission"


def _place(line: Line, headline: Column) -> tuple[int, bool, float, str]:
    value = line.value(headline)
    order = headline.order(value) if value is not None else float("inf")
    return list(ROLES).index(line.role), line.row.name != TRUTH, order, line.row.name


def interval(score: Score) -> str:
    """The ends of a score's interval, lower one first; empty where there is none."""
    return "" if score.ci_low is None else f"{number(score.ci_low)}\u2013{number(score.ci_high)}"


def board_notes(board: Board) -> list[str]:
    """What the numbers cannot say: the intervals' making, the noise floor, refused metrics and warnings, each once."""
    scores = [(line, column, line.row.result.metrics[column.key]) for line in board.lines for column in board.columns]
    notes = [f"Group: rows that share a letter cannot be told apart in {board.headline.label} by the paired test."]
    method = next((score.ci_method for _, _, score in scores if score.ci_method), None)
    notes += [f"Intervals: 95%, {method}."] if method else []
    floor = next((score.noise_floor for _, _, score in scores if score.noise_floor is not None), None)
    notes += [f"FID's noise floor, two halves of the truth against each other: {number(floor)}."] if floor else []
    refused: dict[str, list[str]] = {}
    for line, column, score in scores:
        if score.refused is not None:
            refused.setdefault(f"No {column.label}: {score.refused.partition('. To mend')[0]}", []).append(line.label)
    notes += [f"{reason} ({', '.join(names)})." for reason, names in refused.items()]
    warnings = dict.fromkeys((line.row.name, text) for line in board.lines for text in line.row.result.warnings)
    return notes + [f"{name}: {text}" for name, text in warnings]
