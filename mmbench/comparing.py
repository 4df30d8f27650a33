"""What ``mmbench compare`` does: finds two rows, compares them on every track they share, and prints that."""

from collections.abc import Sequence
from pathlib import Path

import typer

from mmbench.reports import print_json


def print_comparison(first: str, second: str, tracks: Sequence[str], results: Path | None, as_json: bool) -> None:
    """Compares two rows and prints tables or JSON.

    Args:
        first: File, folder or name of the row that is judged.
        second: The row it is compared with.
        tracks: Only these tracks.
        results: Folder that names are looked up in; the frozen results when None.
        as_json: Whether to print JSON.

    Raises:
        InputError: No such rows, no track in common, or results that were not measured alike.
    """
    from leaderboard.comparison import RULE, compare_rows, comparison_text, find_rows, pairs
    from leaderboard.rows import RESULTS
    from mmbench.reproduction import paired

    sides = [find_rows(text, results or RESULTS) for text in (first, second)]
    found = [compare_rows(a, b, paired) for a, b in pairs(sides[0], sides[1], tracks)]
    if as_json:
        print_json({"rule": RULE, "comparisons": [one.to_json() for one in found]})
        return
    typer.echo("\n".join([*map(comparison_text, found), RULE]))
