"""Geometry of the overview's interval plot: one metric, one line a row, drawn as SVG by the template."""

from dataclasses import dataclass

from leaderboard.board import Board, Line
from leaderboard.rows import number

WIDTH, STEP, TOP, LEFT, RIGHT = 510, 24, 8, 146, 84
"""Units of the drawing: whole width, height of a row, and margins for names and numbers."""


@dataclass(frozen=True)
class Whisker:
    """One row of the plot."""

    line: Line
    """The row."""
    y: int
    """Height of its centre."""
    x: float
    """Place of its value."""
    low: float
    """Place of its interval's lower end."""
    high: float
    """Place of its interval's upper end."""
    text: str
    """Its value."""


@dataclass(frozen=True)
class Forest:
    """The whole drawing."""

    whiskers: list[Whisker]
    """Rows, top down."""
    ticks: list[tuple[float, str]]
    """Places and labels of the axis."""
    chance: float | None
    """Place of what chance would reach, for R-Precision."""
    width: int
    """Whole width."""
    height: int
    """Height without the axis' labels."""
    left: int = LEFT
    """Where the axis begins."""


def forest(board: Board) -> Forest:
    """The headline metric of every ranked row that has it."""
    column = board.headline
    lines = [line for line in board.lines if line.role != "unranked" and line.value(column) is not None]
    is_share = "_r_precision_" in column.key
    top = 1.0 if is_share else max((line.value(column) or 0.0 for line in lines), default=1.0) * 1.1 or 1.0

    def place(value: float) -> float:
        return round(LEFT + value / top * (WIDTH - LEFT - RIGHT), 1)

    whiskers = []
    for i, line in enumerate(lines):
        score = line.score(column)
        assert score is not None and score.value is not None
        low = score.value if score.ci_low is None else score.ci_low
        high = score.value if score.ci_high is None else score.ci_high
        y = TOP + STEP * i + STEP // 2
        whiskers.append(Whisker(line, y, place(score.value), place(low), place(high), number(score.value)))
    ticks = [(place(top * i / 5), f"{top * i / 5:.1f}") for i in range(6)]
    chance = place(int(column.key[-1]) / board.first.protocol.gallery) if is_share else None
    return Forest(whiskers, ticks, chance, WIDTH, TOP + STEP * len(lines))
