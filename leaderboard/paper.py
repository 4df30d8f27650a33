"""What the paper's tables report, by the names of our rows: other data and other encoders, shown for orientation."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "paper.json"


@cache
def tables() -> dict[str, Any]:
    """Tables 3 to 5 as read from ``paper.json``."""
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def paper_row(name: str, task: str) -> dict[str, float] | None:
    """The paper's numbers of a method by metric.

    Args:
        name: Name of our row, e.g. ``mm2face`` or ``mm2face.ft_a``.
        task: ``talking`` or ``text2motion``.

    Returns:
        None where the paper has no row for it, or none that can be told by name.

    >>> paper_row("mm2face", "text2motion")["fid"]
    35.8
    """
    for table in [tables()[task], *([tables()["ablation"]] if task == "talking" else [])]:
        if name in table["rows"]:
            return dict(zip(table["columns"], table["rows"][name], strict=True))
    return None


def paper_note(name: str, task: str) -> str:
    """One line about the paper's row of a method: which table it is from, or why there is none."""
    if paper_row(name, task) is not None:
        table = tables()[task] if name in tables()[task]["rows"] else tables()["ablation"]
        return f"paper: MMHead's {table['table']}: OTHER DATA, other encoders and head, not comparable with the rest"
    if name in tables()[task].get("unnamed_models", ()):
        return f"paper: {tables()[task]['table']} compares this method, but the source at hand has lost its rows' names"
    return "paper: reports no such row"
