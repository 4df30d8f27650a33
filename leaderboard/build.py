"""The site: results to a folder of static files. Same results, same bytes."""

import hashlib
import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

from leaderboard import paper
from leaderboard.board import FACTS, ROLES, Board, Line, all_rows, board_notes, boards, slug, unique
from leaderboard.claims import judge
from leaderboard.clips import clip_data, clip_means, extremes
from leaderboard.forest import forest
from leaderboard.pages import POLICY_PLOTS, environment, write_data, write_page, write_text
from leaderboard.plots import plot_data
from leaderboard.provenance import provenance
from leaderboard.rows import RESULTS, SHORT, Paired, Row, as_rows
from leaderboard.table import csv_table
from leaderboard.verdicts import RULE, Evidence

ASSETS = Path(__file__).parent / "assets"
PLOTLY = "package_data/plotly.min.js"
MARKER = ".mmbench-site"
"""A file that says a folder is a site of ours and may be replaced."""


@dataclass(frozen=True)
class Site:
    """What every page needs."""

    env: Environment
    """Templates."""
    out: Path
    """The folder that is written."""
    boards: Sequence[Board]
    """All boards."""
    rows: Sequence[Row]
    """All rows."""
    viewer: Mapping[tuple[str, str], str]
    """Pages of the viewer by track id and submission name; empty where there is no viewer."""

    @property
    def tracks(self) -> dict[str, list[Board]]:
        """Boards by track id."""
        found: dict[str, list[Board]] = {}
        for board in self.boards:
            found.setdefault(board.first.track.id, []).append(board)
        return found

    @property
    def pages(self) -> dict[str, str]:
        """Page of each track by its id."""
        return dict(zip(self.tracks, (f"{name}.html" for name in unique([slug(t) for t in self.tracks])), strict=True))

    @property
    def viewer_pages(self) -> list[str]:
        """Front page of the viewer, if there is one."""
        return ["viewer/index.html"] if self.viewer else []

    def write(self, template: str, page: str, **context: Any) -> None:
        """Writes one page with what all pages have in common."""
        common = {"site": self, "digest": _digest(self.rows), "n_results": len(self.rows)}
        write_page(self.env, template, self.out, page, {**common, **context})


def build(results: Path = RESULTS, out: Path = Path("site"), paired: Paired = lambda first, second, key: None) -> Path:  # noqa: ARG005
    """Writes the site.

    Args:
        results: ``<submission>/<track>/<protocol>.json`` files with their per-clip numbers.
        out: Folder of the site; what an earlier build left there is replaced.
        paired: Paired difference of two rows; without it their intervals decide about ties.

    Returns:
        The front page.

    Raises:
        InputError: A result that cannot be read, or ``out`` is a folder of something else.
        ModuleNotFoundError: No plotly, whose JavaScript the plots need.
    """
    rows = all_rows(results)
    found = boards(rows, paired)
    plotly = plotly_script()
    _clear(out)
    shutil.copytree(ASSETS, out / "assets")
    shutil.copyfile(plotly, out / "assets" / "plotly.min.js")
    site = Site(environment(), out, found, rows, _viewer(rows, results, out))
    site.write("index.html", "index.html", forests=[(board, forest(board)) for board in found])
    for track, page in site.pages.items():
        _write_track(site, track, page)
    for board in found:
        _write_board(site, board)
    site.write("plots.html", "plots.html", policy=POLICY_PLOTS)
    site.write("paper.html", "paper.html", tables=_reported(), labels=SHORT)
    strict = sorted((row for row in rows if row.result.ranked and row.result.protocol.name == "strict"), key=_where)
    site.write("claims.html", "claims.html", rule=RULE, findings=judge(Evidence(as_rows(strict), paired)))
    return out / "index.html"


def plotly_script() -> Path:
    """The plotting library's JavaScript in its Python package.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed", name="plotly")
    return Path(spec.origin).parent / PLOTLY


def _write_track(site: Site, track: str, page: str) -> None:
    group = site.tracks[track]
    facts = [line.facts for board in group for line in board.lines if line.role in ("submission", "unranked")]
    values = {key: sorted({fact[key] for fact in facts}) for key in FACTS}
    notes = {board.slug: board_notes(board) for board in group}
    site.write("board.html", page, track=track, boards=group, values=values, notes=notes, roles=ROLES)


def _write_board(site: Site, board: Board) -> None:
    write_text(site.out / "data" / f"{board.slug}.csv", csv_table(board))
    means = {line.slug: clip_means(line.row) for line in board.lines}
    for line in board.lines:
        _write_submission(site, board, line, means[line.slug])
    write_data(site.out / "data" / f"{board.slug}.plots.js", board.slug, plot_data(board, means))


def _write_submission(site: Site, board: Board, line: Line, means: Any) -> None:
    base = f"data/{board.slug}/{line.slug}"
    (site.out / base).parent.mkdir(parents=True, exist_ok=True)
    result = line.row.result
    source = line.row.folder / f"{result.protocol.name}.json"
    if source.is_file():
        shutil.copyfile(source, site.out / f"{base}.json")
    if means is not None:
        shutil.copyfile(line.row.clips, site.out / f"{base}.clips.csv")
        write_data(site.out / f"{base}.clips.js", "clips", clip_data(means, board.columns))
    site.write(
        "submission.html",
        page_of(board, line),
        board=board,
        line=line,
        base=base,
        provenance=provenance(result),
        has_clips=means is not None,
        extremes=[] if means is None else extremes(means, board.columns),
        see=site.viewer.get((result.track.id, line.row.name)),
    )


def page_of(board: Board, line: Line) -> str:
    """Page of a row in the site."""
    return f"submissions/{board.slug}/{line.slug}.html"


def _viewer(rows: Sequence[Row], results: Path, out: Path) -> dict[tuple[str, str], str]:
    """Pages of the 3-D viewer where the package has one."""
    if importlib.util.find_spec("leaderboard.viewer") is None:
        return {}
    write: Callable[..., dict[tuple[str, str], str]] = importlib.import_module("leaderboard.viewer").write_viewer
    return write(rows, results, out)


def _clear(out: Path) -> None:
    """Makes room for a site, and only where there was one of ours or nothing."""
    from benchmark.errors import InputError, Problem

    if out.is_dir() and any(out.iterdir()):
        if not (out / MARKER).is_file():
            mend = "name another folder with --out"
            raise InputError(Problem("folder is not empty and no site of ours", str(out), "nothing", "files", mend))
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / MARKER, "made by mmbench leaderboard build; replaced by the next build\n")


def _where(row: Row) -> str:
    return str(row.folder)


def _reported() -> dict[str, Any]:
    """The paper's tables with their numbers as printed, zeros at the end included."""
    loaded: dict[str, Any] = json.loads(paper.FILE.read_text(encoding="utf-8"), parse_float=str)
    return loaded


def _digest(rows: Sequence[Row]) -> str:
    """One hash over all results."""
    return hashlib.sha256(
        " ".join(sorted(row.result.run_id + row.result.scores_sha256 for row in rows)).encode()
    ).hexdigest()
