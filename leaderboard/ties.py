"""Tie groups: rows that the paired test cannot tell apart share a letter instead of having ranks of their own."""

from collections.abc import Iterator, Sequence

from leaderboard.rows import Paired, Row, as_rows
from leaderboard.verdicts import Evidence


def tie_groups(rows: Sequence[Row], key: str, paired: Paired) -> dict[int, str]:
    """Letters of each row's tie groups, ``A`` being the group that reaches highest.

    Two rows share a letter exactly if the test does not tell them apart. That relation is not transitive: a row
    between two others may share one letter with each, ``A B``, while these two share none.

    Args:
        rows: Competing rows, measured alike.
        key: Metric with a direction.
        paired: Paired difference of two rows; where it has none, their intervals decide.

    Returns:
        By ``id`` of the row; rows without a value are left out.
    """
    scored = [row for row in rows if row.score(key) is not None]
    scored.sort(key=lambda row: _order(row, key))
    alike: dict[int, set[int]] = {i: set() for i in range(len(scored))}
    for i, first in enumerate(scored):
        for j in range(i + 1, len(scored)):
            if _same(first, scored[j], key, paired):
                alike[i].add(j)
                alike[j].add(i)
    groups = sorted(sorted(group) for group in _cliques(set(), set(alike), set(), alike))
    return {
        id(row): " ".join(_letter(n) for n, group in enumerate(groups) if i in group) for i, row in enumerate(scored)
    }


def _order(row: Row, key: str) -> tuple[float, str]:
    score = row.result.metrics[key]
    assert score.value is not None
    return (-score.value if score.direction == "higher" else score.value), row.name


def _same(first: Row, second: Row, key: str, paired: Paired) -> bool:
    if first.name == second.name:
        return False
    task = first.result.track.task
    return Evidence(as_rows([first, second]), paired).better(first.name, second.name, key, task).verdict == (
        "not decidable"
    )


def _cliques(chosen: set[int], open_: set[int], done: set[int], alike: dict[int, set[int]]) -> Iterator[set[int]]:
    """All largest sets of rows that are alike two by two (Bron and Kerbosch, 1973, with pivot)."""
    if not open_ and not done:
        yield chosen
        return
    pivot = max(sorted(open_ | done), key=lambda row: len(alike[row] & open_))
    for row in sorted(open_ - alike[pivot]):
        yield from _cliques(chosen | {row}, open_ & alike[row], done & alike[row], alike)
        open_ = open_ - {row}
        done = done | {row}


def _letter(n: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    return ("" if n < 26 else _letter(n // 26 - 1)) + chr(ord("A") + n % 26)
