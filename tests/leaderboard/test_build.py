"""The site holds every result, escapes every card, asks nothing of the network and is the same bytes every time."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from benchmark.errors import InputError
from leaderboard.board import Board, all_rows, boards, unique
from leaderboard.build import ASSETS, build
from leaderboard.pages import web
from leaderboard.plots import ablation, pareto
from leaderboard.rows import Row
from leaderboard.table import Format, table, tables
from leaderboard.ties import tie_groups
from mmbench.reproduction import paired
from tests.leaderboard.site_world import SCRIPT, build_site

TRACK = "mini/talking@1"


class Page(HTMLParser):
    """What a page is made of: elements with attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [
            value for _, attributes in self.elements for name, value in attributes.items() if name in ("href", "src")
        ]


def pages(site: Path) -> list[Page]:
    return [Page(path) for path in sorted(site.rglob("*.html"))]


@pytest.fixture(scope="module")
def board(world: Path) -> Board:
    return boards(all_rows(world), paired)[0]


def test_every_result_file_has_a_page_and_a_row(world: Path, site: Path) -> None:
    shown = " ".join(page.text for page in pages(site))
    track_pages = [page.text for page in pages(site) if page.path.parent == site]
    for row in all_rows(world):
        assert row.result.run_id in shown
        assert any(row.name.removeprefix("control:") in text for text in track_pages)
    copied = {path.read_bytes() for path in site.rglob("data/**/*.json")}
    assert copied == {path.read_bytes() for path in world.rglob("*.json")}


def test_the_same_results_make_the_same_bytes(world: Path, site: Path, tmp_path: Path) -> None:
    again = build_site(world, tmp_path / "again")
    made = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert made == {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}


def test_every_page_has_a_policy_and_nothing_inline(site: Path) -> None:
    for page in pages(site):
        policies = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1 and "default-src 'none'" in policies[0]
        assert "'unsafe-inline'" not in policies[0].partition("script-src")[2].partition(";")[0]
        assert "'unsafe-eval'" not in policies[0]
        for tag, attributes in page.elements:
            assert tag != "script" or attributes.get("src") or attributes.get("type") == "application/json"
            assert not [name for name in attributes if name.startswith("on") or name == "style"], page.path
            assert tag not in ("style", "iframe", "object", "embed", "base")


def test_every_link_leads_somewhere_and_files_come_from_the_site(site: Path) -> None:
    for page in pages(site):
        names = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
        for tag, attributes in page.elements:
            for link in (attributes.get("href"), attributes.get("src")):
                if link is None or link == "data:,":
                    continue
                parts = urlsplit(link)
                if parts.scheme or parts.netloc:
                    assert tag == "a" and parts.scheme in ("http", "https"), link
                elif parts.path:
                    assert (page.path.parent / unquote(parts.path)).is_file(), (page.path, link)
                elif parts.fragment:
                    assert parts.fragment in names, link


def test_a_hostile_card_is_only_text(site: Path) -> None:
    page = next(
        page for page in pages(site) if page.path.parent.name == TRACK.replace("/", "-") and SCRIPT in page.text
    )
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert all(not link.startswith("javascript:") for link in page.links())
    assert "javascript:window.hacked=3" in page.text
    scripts = "".join(path.read_text(encoding="utf-8") for path in site.rglob("data/**/*.js"))
    assert "<script>" in scripts, "the name is data there, and the plots escape it"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", " JavaScript:x", "//host/x", "http:", ""]
)
def test_only_web_addresses_become_links(address: str) -> None:
    assert web(address) == ""


def test_rows_measured_otherwise_never_share_a_table(world: Path) -> None:
    found = [
        (b.first.track.id, b.first.protocol.name, {line.row.name for line in b.lines})
        for b in boards(all_rows(world), paired)
    ]
    assert [(track, protocol) for track, protocol, _ in found] == [
        (TRACK, "strict"), (TRACK, "strict"), (TRACK, "official"), ("mini/text2motion@1", "strict"),
    ]  # fmt: skip
    assert found[1][2] == {"delta"} and found[2][2] == {"alpha"}


def test_order_roles_and_ties(board: Board) -> None:
    assert [line.row.name for line in board.of("reference")] == ["control:truth", "vqvae"]
    assert [line.row.name for line in board.of("control")] == ["control:static"]
    assert [(line.row.name, line.row.result.why_not) for line in board.of("unranked")] == [
        ("unfinished", "3 clips <b>missing</b>")
    ]
    letters = {line.row.name: line.ties for line in board.of("submission")}
    assert list(letters) == ["alpha", "beta", "mm2face", "mm2face.ft_a", "gamma", SCRIPT]
    assert letters["alpha"] == letters["beta"] == "A"
    assert len(set(letters.values())) == 5


def test_a_row_between_two_others_shares_a_letter_with_each(board: Board) -> None:
    rows = {line.row.name: line.row for line in board.of("submission")}
    order = [rows[name] for name in ("alpha", "mm2face", "gamma")]

    def near(first: Row, second: Row, _: str) -> tuple[float, float, float]:
        gap = abs(order.index(first) - order.index(second))
        return (0.1, -0.1, 0.3) if gap == 1 else (0.4, 0.2, 0.6)

    letters = tie_groups(order, "text_r_precision_1", near)
    assert [letters[id(row)] for row in order] == ["A", "A B", "B"]


def test_the_front_keeps_what_no_other_beats(board: Board) -> None:
    assert pareto(board, "fid") == ["alpha", "beta", "mm2face", "gamma"]
    assert [line.row.name for line in ablation(board)] == ["mm2face", "mm2face.ft_a"]


def test_csv_has_all_rows_in_full_and_no_formula(site: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((site / "data" / "mini-talking@1.csv").read_text(encoding="utf-8"))))
    by_name = {row["submission"]: row for row in rows}
    assert by_name["alpha"]["text_r_precision_1"] == "0.6" and by_name["alpha"]["text_r_precision_1_mark"] == "best"
    assert by_name["beta"]["text_r_precision_1_mark"] == "second"
    assert by_name["unfinished"]["not_ranked_because"] == "3 clips <b>missing</b>"
    assert by_name[SCRIPT]["licence"].startswith("'=1+1")


@pytest.mark.parametrize(
    ("form", "best", "second", "small"),
    [
        ("latex", r"\textbf{0.600}", r"\underline{0.595}", r"{\scriptsize [0.588--0.612]}"),
        ("markdown", "**0.600**", "*0.595*", "[0.588\u20130.612]"),
        ("github", "**0.600**", "*0.595*", "<sub>[0.588\u20130.612]</sub>"),
    ],
)
def test_tables_mark_best_and_second(board: Board, form: Format, best: str, second: str, small: str) -> None:
    text = table(board, form, intervals=True)
    assert best in text and second in text and small in text
    plain = table(board, form, intervals=False)
    assert best in plain and small not in plain
    assert "0.990" not in text, "a row that is not ranked is in no paper's table"
    assert "**0.900" not in text and "textbf{0.900" not in text, "the truth does not compete"
    assert ("<script>" in text) == (form == "latex")


def test_latex_names_are_escaped_and_rows_are_even(board: Board) -> None:
    text = table(board, "latex")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert r"mm2face.ft\_a" in text
    assert {line.replace(r"\&", "").count("&") for line in body} == {len(board.columns)}


def test_table_of_an_unknown_track_says_which_there_are(world: Path) -> None:
    with pytest.raises(InputError, match="mini/talking@1, mini/text2motion@1"):
        tables(world, "csv", "mini/none@1", True, paired)


def test_no_folder_of_others_is_overwritten(world: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        build(world, tmp_path)
    assert (tmp_path / "thesis.tex").is_file()


def test_an_edited_sidecar_is_refused(world: Path, tmp_path: Path) -> None:
    row = all_rows(world)[0]
    target = tmp_path / "a" / "b"
    target.mkdir(parents=True)
    (target / "strict.json").write_bytes((row.folder / f"{row.result.protocol.name}.json").read_bytes())
    (target / row.result.per_clip_file).write_text("clip_id,sample\n", encoding="utf-8")
    with pytest.raises(InputError, match="not those scored"):
        all_rows(tmp_path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_colour_has_contrast(theme: str) -> None:
    css = (ASSETS / "style.css").read_text(encoding="utf-8")
    block = css.partition(":root {" if theme == "light" else ':root[data-theme="dark"] {')[2].partition("}")[0]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))

    def light(name: str) -> float:
        parts = [int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def contrast(text: str, ground: str) -> float:
        low, high = sorted((light(text), light(ground)))
        return (high + 0.05) / (low + 0.05)

    for ground in ("ground", "panel", "hover"):
        for text in ("ink", "soft", "accent", "warn", "good", "bad"):
            assert contrast(text, ground) >= 4.5, (text, ground)
    assert contrast("warn", "warn-ground") >= 4.5
    assert contrast("rule", "ground") >= 3


def test_file_names_stay_apart_where_case_is_ignored() -> None:
    assert unique(["a", "A", "a"]) == ["a", "A-2", "a-3"]
