"""The desk's page in Chromium: accessible, usable by keyboard alone, on a phone, in the dark; hostile text stays inert.

Playwright brings no browser: an installed Chromium or Chrome is used, and without one these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.archives import HOUR, Desk, entry, source
from tests.browsing import Clock, page_over
from tests.test_flows import free_port
from tests.test_pages import ATTACKS, number_of, story_of, with_a_summit
from watchfloor.model import SavedSearch
from watchfloor.web.guard import Access, Guard

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed (Debian: apt install chromium)"),
    pytest.mark.xdist_group("browser"),  # one browser at a time is enough for two cores
]
WIDTHS = {"desk": (1440, 900), "phone": (390, 844)}


@contextmanager
def served(app: Guard) -> Iterator[str]:
    """The application on a port of loopback; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=as_root)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    archive = open_archive(f"sqlite:///{tmp_path_factory.mktemp('browser')}/archive.db")
    made = with_a_summit(archive)
    made.works("gazette", *(entry(f"event{number}-happens") for number in range(12)))
    archive.save_search(SavedSearch("summits", "summit"), made.now)
    archive.label(number_of(made, "dull-football"), False, made.now)
    yield made
    archive.close()


@pytest.fixture(scope="module")
def address(desk: Desk) -> Iterator[str]:
    with served(page_over(desk.archive, Clock(desk.now + HOUR))) as url:
        yield url


@contextmanager
def window(browser: Browser, size: str, scheme: str = "light") -> Iterator[Page]:
    width, height = WIDTHS[size]
    context: Any = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",  # type: ignore[arg-type]
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not [line for line in complaints if "status of 4" not in line]


def paths(desk: Desk) -> list[str]:
    return [
        "/", "/?within=7d&by=newest&topic=budgets", f"/story/{story_of(desk)}", f"/article/{number_of(desk)}",
        "/search?q=summit", "/search?kept=summits&q=summit", "/search?since=x", "/sources", "/deliveries", "/watchlist",
        "/entity?name=NATO", "/topic?name=alliances", "/nothing",
    ]  # fmt: skip


# Colours go by the scheme and places by the width, so two of the four say all.
@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_no_page_keeps_anybody_out(browser: Browser, desk: Desk, address: str, size: str, scheme: str) -> None:
    """axe finds no serious fault, and nothing runs over the side."""
    axe = Axe()
    with window(browser, size, scheme) as page:
        for path in paths(desk):
            page.goto(f"{address}{path}")
            found = axe.run(page).response["violations"]
            faults = [
                (path, fault["id"], [node["html"][:200] for node in fault["nodes"]])
                for fault in found
                if fault["impact"] in ("serious", "critical")
            ]
            assert faults == []
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= WIDTHS[size][0], f"{path} is {width} pixels wide"


def test_the_door_keeps_nobody_out(browser: Browser, desk: Desk) -> None:
    app = page_over(desk.archive, Clock(desk.now), Access("correct horse"))
    with served(app) as url, window(browser, "phone") as page:
        page.goto(url)
        assert not [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
        page.keyboard.type("correct horse")  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/")
        assert page.title().startswith("Today")
        page.get_by_role("button", name="Log out").press("Enter")
        page.wait_for_url(f"{url}/login")


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name")
    return text


def test_a_day_of_work_by_keyboard_alone(browser: Browser, desk: Desk, address: str) -> None:
    with window(browser, "desk") as page:
        page.goto(f"{address}/?by=newest&within=7d")
        headlines = page.locator(".item .lead").all_text_contents()
        page.keyboard.press("j")
        assert focused(page) == headlines[0]
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert focused(page) == headlines[1]
        page.keyboard.press("o")
        page.wait_for_url("**/story/*")
        page.keyboard.press("j")
        page.keyboard.press("Tab")  # the publisher's link
        page.keyboard.press("Tab")
        assert focused(page) == "Relevant"
        page.keyboard.press("Enter")
        page.wait_for_load_state()
        assert page.locator("button[aria-pressed=true]").inner_text() == "Relevant"
        page.keyboard.press("/")
        page.keyboard.type("summit j k o")  # keys are letters in a field
        assert page.locator("header input[type=search]").input_value() == "summit j k o"
        page.keyboard.press("Control+a")
        page.keyboard.type("summit")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=summit*")
        assert page.locator(".item .lead").count() == 2
        page.keyboard.press("Escape")


def test_the_first_tab_leads_past_the_bar_and_focus_is_seen(browser: Browser, address: str) -> None:
    with window(browser, "phone") as page:
        page.goto(address)
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to the content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        inside = page.evaluate("document.querySelector('main').contains(document.activeElement)")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (inside, style) == (True, "solid")


def test_all_works_without_script(browser: Browser, desk: Desk, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/story/{story_of(desk)}")
    page.get_by_role("button", name="Follow").click()
    assert page.get_by_role("button", name="Follow").get_attribute("aria-pressed") == "true"
    context.close()


def test_hostile_text_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    """Every attack as headline, text, author, publisher, name and topic at once, in a real browser."""
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    desk = attacked(archive)
    dialogs: list[str] = []
    with served(page_over(archive, Clock(desk.now))) as url, window(browser, "desk") as page:
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in ("/", "/story/1", "/article/1", "/search?q=kyiv", "/sources", "/deliveries", "/watchlist"):
            page.goto(f"{url}{path}")
            for element in page.locator("main a, summary, blockquote").all()[:20]:
                element.hover(timeout=2_000) if element.is_visible() else None
        for link in ("/entity", "/topic"):
            page.goto(f"{url}/")
            page.locator(f"a.chip[href^='{link}']").first.click()
            page.wait_for_url(f"**{link}?**")
        assert dialogs == []
        assert {one for one in asked if not one.startswith(url)} == set()
    archive.close()


def attacked(archive: SqlArchive) -> Desk:
    everything = " ".join(ATTACKS).replace("\0", "")
    desk = Desk(archive).knows(source(name="gazette", publisher=everything))
    desk.polls("gazette")
    desk.later(HOUR)
    desk.polls("gazette", *(entry(f"kyiv-{n}", title=f"Kyiv {a}") for n, a in enumerate((everything, *ATTACKS))))
    desk.reads(f"Kyiv says {everything}.\n\nMore of {everything}.", authors=(everything,))
    names = {
        f"https://gazette.example/kyiv-{n}": ((everything, f"x{n}"), (everything,)) for n in range(len(ATTACKS) + 1)
    }
    desk.judges_as(names)
    return desk
