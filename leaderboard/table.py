"""A board as a table for papers: LaTeX, Markdown, GitHub or CSV, best and second best marked."""

import csv
import io
from pathlib import Path
from typing import Literal

from benchmark.errors import InputError, Problem
from leaderboard.board import Board, Column, Line, all_rows, boards, interval
from leaderboard.rows import Paired, number

Format = Literal["latex", "markdown", "csv", "github"]
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "truth": r"$\rightarrow$"}


def tables(results: Path, form: Format, track: str | None, intervals: bool, paired: Paired) -> str:
    """Tables of all boards of a folder, or of one track's.

    Raises:
        InputError: A result that cannot be read, or no result of the track.
    """
    rows = all_rows(results)
    known = sorted({row.result.track.id for row in rows})
    if track is not None and track not in known:
        raise InputError(Problem("no result of this track", str(results), ", ".join(known), track, "see --track"))
    chosen = [row for row in rows if track in (None, row.result.track.id)]
    return "\n".join(table(board, form, intervals) for board in boards(chosen, paired))


def table(board: Board, form: Format, intervals: bool = True) -> str:
    """A board as text.

    Args:
        board: The board; rows that are not ranked are left out, but for CSV, which says so.
        form: ``latex`` (booktabs), ``markdown``, ``github`` (intervals in small type) or ``csv``.
        intervals: Whether to print the 95% intervals; CSV has them always.

    Returns:
        In ``latex`` the best value bold and the second underlined, in ``markdown`` and ``github`` bold and italic, in
        ``csv`` a column of marks beside each metric.
    """
    if form == "csv":
        return csv_table(board)
    return _latex(board, intervals) if form == "latex" else _markdown(board, intervals, small=form == "github")


def csv_table(board: Board) -> str:
    """A board with all that is known of its rows, full precision, one row a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = ["submission", "version", "track", "protocol", "role", "tie_group", "inputs", "output", "licence"]
    heads += ["isolation", "kind", "samples", "real_time_factor", "not_ranked_because", "run_id"]
    ends = ("", "_low", "_high", "_mark")
    writer.writerow([*heads, *(column.key + end for column in board.columns for end in ends)])
    for line in board.lines:
        writer.writerow(
            _csv_facts(line) + [cell for column in board.columns for cell in _csv_cells(board, line, column)]
        )
    return out.getvalue()


def _csv_facts(line: Line) -> list[str]:
    result = line.row.result
    rate = result.cost.real_time_factor
    facts = [line.row.name, result.submission.version, result.track.id, result.protocol.name, line.role, line.ties]
    facts += [*line.facts.values(), str(result.protocol.samples), "" if rate is None else f"{rate:.6g}"]
    return [_inert(fact) for fact in [*facts, result.why_not or "", result.run_id]]


def _csv_cells(board: Board, line: Line, column: Column) -> list[str]:
    score = line.score(column)
    if score is None:
        return ["", "", "", ""]
    numbers = ["" if value is None else repr(value) for value in (score.value, score.ci_low, score.ci_high)]
    return [*numbers, board.mark(line, column)]


def _inert(text: str) -> str:
    """A text no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _shown(board: Board) -> list[tuple[str, list[Line]]]:
    groups = [board.of("reference"), board.of("submission"), board.of("control")]
    return [(group[0].role, group) for group in groups if group]


def _latex(board: Board, intervals: bool) -> str:
    heads = [f"{column.title.translate(_LATEX)} {_ARROWS[column.direction]}" for column in board.columns]
    lines = [f"% {_caption(board)}", r"% needs \usepackage{booktabs}"]
    lines += [r"\begin{tabular}{l" + "c" * len(heads) + "}", r"\toprule", " & ".join(["", *heads]) + r" \\"]
    for _, group in _shown(board):
        lines.append(r"\midrule")
        for line in group:
            cells = [_latex_cell(board, line, column, intervals) for column in board.columns]
            lines.append(" & ".join([line.row.name.translate(_LATEX), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_cell(board: Board, line: Line, column: Column, intervals: bool) -> str:
    score = line.score(column)
    if score is None:
        return "--"
    mark = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}[board.mark(line, column)]
    ends = interval(score).replace("\u2013", "--") if intervals else ""
    return mark % number(score.value) + (rf" {{\scriptsize [{ends}]}}" if ends else "")


def _markdown(board: Board, intervals: bool, small: bool) -> str:
    heads = ["", *(f"{_cell_text(column.title)} {column.arrow}" for column in board.columns)]
    rule = [":--", *("--:" for _ in board.columns)]
    body = [
        [
            _cell_text(line.row.name),
            *(_markdown_cell(board, line, column, intervals, small) for column in board.columns),
        ]
        for _, group in _shown(board)
        for line in group
    ]
    rows = ["| " + " | ".join(row) + " |" for row in [heads, rule, *body]]
    return "\n".join([_cell_text(_caption(board)), "", *rows, ""])


def _markdown_cell(board: Board, line: Line, column: Column, intervals: bool, small: bool) -> str:
    score = line.score(column)
    if score is None:
        return "\u2013"
    mark = {"best": "**%s**", "second": "*%s*", "": "%s"}[board.mark(line, column)]
    ends = f"[{interval(score)}]" if intervals and interval(score) else ""
    return mark % number(score.value) + (f" <sub>{ends}</sub>" if ends and small else f" {ends}" if ends else "")


def _cell_text(text: str) -> str:
    """A text that stays one cell and makes no markup."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("\n", " ")):
        text = text.replace(sign, entity)
    return "".join("\\" + letter if letter in r"\`*_[]" else letter for letter in text)


def _caption(board: Board) -> str:
    first = board.first
    encoders = ", ".join(sorted(encoder.sha256[:12] for encoder in first.evaluators.values()))
    return (
        f"{first.track.id}, {first.track.split}, {first.track.n_clips} clips, protocol {first.protocol.name}, "
        f"encoders {encoders}; best bold, second marked; intervals 95%"
    ).replace("\n", " ")
