"""The site in a real browser, from disk and from a server: sorting, filters, the address, keys, and nothing hostile.

Needs chromium; without it these tests are skipped, but where the variable CI is set they fail instead.
Set MMBENCH_SHOTS to a folder to keep a picture of every page, light and dark, wide and narrow.
"""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.leaderboard.site_world import SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BOARD = "mini-talking@1.html"
TABLE = "#mini-talking\\@1"
PAGES = ("index.html", BOARD, "plots.html", "claims.html", "paper.html", "submissions/mini-talking@1/alpha.html")
VIEWS = [(1280, "light"), (380, "dark"), *([(1280, "dark"), (380, "light")] if "MMBENCH_SHOTS" in os.environ else [])]


def chromium() -> str:
    """The system's chromium; a skip without it, a failure in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is not None:
        return found
    message = "no chromium in PATH. To mend: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    path = chromium()
    api = pytest.importorskip("playwright.sync_api") if not os.environ.get("CI") else _playwright()
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


def _playwright() -> Any:
    import playwright.sync_api

    return playwright.sync_api


@contextmanager
def opened(browser: "Browser", home: str, address: str, **options: Any) -> Iterator["Page"]:
    """A page that must neither complain nor ask for anything outside of the site."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(120_000)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((f"{home}/", "data:", "blob:")) else faults.append(asked.url),
    )
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(f"{home}/{address}")
    yield page
    assert page.evaluate("window.hacked") is None
    context.close()
    assert not faults


@pytest.fixture
def board(browser: "Browser", site: Path) -> Iterator["Page"]:
    with opened(browser, site.as_uri(), BOARD) as page:
        yield page


def names(page: "Page", role: str = "submission", table: str = TABLE) -> list[str]:
    """Names of the rows one sees, top down."""
    rows = page.locator(f'{table} tbody[data-role="{role}"] tr.line:visible th[scope="row"] a')
    return [text.strip() for text in rows.all_inner_texts()]


def head(key: str) -> str:
    return f'{TABLE} th[data-key="{key}"] button'


def test_headings_sort_and_pinned_rows_stay(board: "Page") -> None:
    assert names(board) == ["alpha", "beta", "mm2face", "mm2face.ft_a", "gamma", SCRIPT]
    board.click(head("fid"))
    assert names(board) == ["gamma", "mm2face", "beta", "mm2face.ft_a", "alpha", SCRIPT]
    assert board.get_attribute(f'{TABLE} th[data-key="fid"]', "aria-sort") == "ascending"
    board.click(head("fid"))
    assert names(board)[0] == SCRIPT
    assert board.get_attribute(f'{TABLE} th[data-key="fid"]', "aria-sort") == "descending"
    assert board.locator(f"{TABLE} th[aria-sort]").count() == 1
    assert names(board, "reference") == ["truth", "vqvae"]


def test_every_column_sorts_and_missing_values_come_last(board: "Page") -> None:
    for button in board.locator(f"{TABLE} thead button").all():
        button.click()
        assert len(names(board)) == 6
    board.click(head("rate"))
    assert names(board)[:2] in (["beta", "alpha"], ["alpha", "beta"])


def test_keys_sort(board: "Page") -> None:
    board.focus(head("name"))
    board.keyboard.press("Enter")
    assert names(board)[1:] == ["alpha", "beta", "gamma", "mm2face", "mm2face.ft_a"]
    board.keyboard.press("Space")
    assert board.get_attribute(f'{TABLE} th[data-key="name"]', "aria-sort") == "descending"
    board.keyboard.press("Tab")
    assert board.evaluate("document.activeElement.closest('th').dataset.key") == "ties"


def test_filters_narrow_and_say_how_many(board: "Page") -> None:
    board.select_option('select[name="licence"]', "CC-BY-4.0")
    assert names(board) == ["beta"]
    board.select_option('select[name="licence"]', "")
    board.select_option('select[name="kind"]', "predictions")
    assert names(board) == ["gamma"] and names(board, "reference") == ["truth", "vqvae"]
    assert board.inner_text("#shown") == "1 of 9 submissions"
    board.click('button[type="reset"]')
    assert len(names(board)) == 6 and board.evaluate("location.hash") in ("", "#")


def test_the_address_holds_the_view(browser: "Browser", site: Path, board: "Page") -> None:
    board.select_option('select[name="output"]', "parameters")
    board.click(head("lve_mm"))
    board.click(head("lve_mm"))
    address = board.evaluate("location.hash")
    with opened(browser, site.as_uri(), BOARD + address) as again:
        assert names(again) == names(board) != []
        assert again.input_value('select[name="output"]') == "parameters"
        assert again.get_attribute(f'{TABLE} th[data-key="lve_mm"]', "aria-sort") == "descending"
    with opened(browser, site.as_uri(), BOARD + "#sort=nothing&dir=up&inputs=%22%3Ex&__proto__=1") as odd:
        assert len(names(odd)) == 6


def test_rows_that_are_not_ranked_say_why(board: "Page") -> None:
    assert names(board, "unranked") == ["unfinished"]
    assert "3 clips <b>missing</b>" in board.inner_text(f'{TABLE} tbody[data-role="unranked"]')


def test_clips_can_be_sorted_and_shown_in_full(browser: "Browser", site: Path) -> None:
    with opened(browser, site.as_uri(), "submissions/mini-talking@1/alpha.html") as page:
        column = page.locator("#clips thead th").all_inner_texts().index("text match") + 1
        cells = page.locator(f"#clips tbody td:nth-child({column})")
        assert cells.count() == 50
        page.click('#clips th[data-key="text_match"] button')
        numbers = [float(text) for text in cells.all_inner_texts()]
        assert numbers == sorted(numbers)
        page.click("#more")
        assert cells.count() == 120 and page.inner_text("#count") == "120 of 120 clips"


def test_a_hostile_card_does_nothing(browser: "Browser", site: Path) -> None:
    page_of_it = next((site / "submissions" / "mini-talking@1").glob("script-*.html"))
    with opened(browser, site.as_uri(), page_of_it.relative_to(site).as_posix()) as page:
        for path in (page_of_it, site / BOARD, site / "index.html"):
            page.goto(path.as_uri())
            assert page.evaluate("window.hacked") is None
            assert page.locator('img, a[href^="javascript"]').count() == 0


def test_plots_are_drawn_and_follow_the_theme(browser: "Browser", site: Path) -> None:
    with opened(browser, site.as_uri(), "plots.html") as page:
        page.wait_for_selector("section[data-drawn]")
        first = page.locator("section[data-board]").first
        assert first.locator(".js-plotly-plot").count() == 4
        first.locator("select.metric").select_option("lve_mm")
        before = page.evaluate("document.querySelector('.plot').layout.font.color")
        page.click("#theme")
        assert page.evaluate("document.querySelector('.plot').layout.font.color") != before


def test_the_chosen_theme_is_kept(board: "Page", site: Path) -> None:
    board.click("#theme")
    board.goto((site / "index.html").as_uri())
    assert board.get_attribute("html", "data-theme") == "dark"


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_no_page_is_wider_than_its_window(browser: "Browser", site: Path, width: int, scheme: str) -> None:
    size: Any = {"width": width, "height": 900}
    with opened(browser, site.as_uri(), PAGES[0], viewport=size, color_scheme=scheme) as page:
        for name in PAGES:
            page.goto(f"{site.as_uri()}/{name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            if folder := os.environ.get("MMBENCH_SHOTS"):
                page.wait_for_timeout(500)
                shot = f"{Path(name).stem}-{scheme}-{width}.png"
                page.screenshot(path=Path(folder) / shot, full_page=True)


def test_it_works_from_a_server(browser: "Browser", site: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}"
    try:
        with opened(browser, home, f"{BOARD}#sort=fid&dir=asc") as page:
            assert names(page)[0] == "gamma"
            page.click(f"{TABLE} a:text-is('gamma')")
            page.wait_for_selector("#clips tbody tr")
    finally:
        server.shutdown()
        server.server_close()
