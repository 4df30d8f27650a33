"""What the plots show, as data: points with intervals, the Pareto front, the fusion ablation, numbers a clip."""

from collections.abc import Mapping
from typing import Any

from leaderboard.board import Board, Column, Line
from leaderboard.claims import OURS
from leaderboard.clips import rounded

ABLATION = ("text_r_precision_1", "fid", "lve_mm")
"""Metrics of the ablation, where the board has them."""


def plot_data(board: Board, means: Mapping[str, Any]) -> dict[str, Any]:
    """All that the page draws for one board.

    Args:
        board: The board.
        means: Tables of numbers a clip by a line's slug, None where a row has none.
    """
    lines = [line for line in board.lines if line.role != "unranked"]
    return {
        "title": board.first.track.id,
        "headline": _column(board.headline),
        "columns": [_column(column) for column in board.columns],
        "rows": [_row(line, board) for line in lines],
        "pareto": pareto(board, "fid"),
        "ablation": [line.slug for line in ablation(board)],
        "ablation_metrics": [column.key for column in board.columns if column.key in ABLATION],
        "clips": {
            column.key: {
                line.slug: rounded(table[column.key])
                for line in lines
                if (table := means.get(line.slug)) is not None and column.key in table
            }
            for column in board.columns
            if column.key not in ("fid", "multimodality")
        },
    }


def pareto(board: Board, other: str) -> list[str]:
    """Competing rows that no other one beats in the headline metric and in another, by the headline.

    Returns:
        Slugs of rows; empty where the board lacks the other metric.
    """
    column = next((column for column in board.columns if column.key == other), None)
    if column is None:
        return []
    points = []
    for line in board.of("submission"):
        a, b = line.value(board.headline), line.value(column)
        if a is not None and b is not None:
            points.append((board.headline.order(a), column.order(b), line.slug))
    front: list[tuple[float, float, str]] = []
    for point in sorted(points):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return [name for _, _, name in front]


def ablation(board: Board) -> list[Line]:
    """The model and its variants, ``mm2face`` and ``mm2face.*``; empty where there is but one."""
    found = [line for line in board.of("submission") if line.row.name.partition(".")[0] == OURS]
    found.sort(key=lambda line: line.row.name)
    return found if len(found) > 1 else []


def _column(column: Column) -> dict[str, Any]:
    return {"key": column.key, "label": column.label, "unit": column.unit, "better": column.direction}


def _row(line: Line, board: Board) -> dict[str, Any]:
    scores = {column.key: line.score(column) for column in board.columns}
    return {
        "slug": line.slug,
        "name": line.row.name,
        "label": line.label,
        "role": line.role,
        "rate": line.row.result.cost.real_time_factor,
        "device": line.row.result.machine.get("device_name", ""),
        "scores": {
            key: rounded(
                [score.value or 0.0, score.ci_low, score.ci_high] if score.ci_low is not None else [score.value]
            )
            for key, score in scores.items()
            if score is not None
        },
    }
