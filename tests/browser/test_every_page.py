"""What holds of every page: it loads clean, serves everybody, fits every screen, and is light."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from app import create_app
from app.settings import ROOT
from tests.browser.conftest import Watched, new_context
from tests.browser.pages import ADDRESSES, NO_PAGES, PAGES, PLOTTED

pytestmark = pytest.mark.browser

AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS: Final = (390, 768, 1440, 2560)
MOST_SCRIPT: Final = 300_000
MOST_HTML: Final = 150_000


def test_every_route_is_a_page_or_said_to_be_none() -> None:
    endpoints = {rule.endpoint for rule in create_app().url_map.iter_rules()}
    told = {name for name in NO_PAGES if not name.endswith(".*")}
    groups = tuple(name.removesuffix("*") for name in NO_PAGES if name.endswith(".*"))

    assert {name for name in endpoints if not name.startswith(groups)} == told | set(PAGES)


@dataclass
class Opened:
    """A page as it was loaded: what came with it, and what went wrong."""

    endpoint: str
    address: str
    watched: Watched
    status: int
    weights: dict[str, int]
    problems: list[str]


@pytest.fixture(
    scope="module",
    params=[(name, path) for name, paths in PAGES.items() for path in paths],
    ids=lambda param: param[1],
)
def opened(chromium: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Load a page once for all tests that look at it."""
    endpoint, address = request.param
    weights = {"script": 0, "document": 0}

    def weigh(sent: Any) -> None:
        if sent.resource_type in weights:
            weights[sent.resource_type] += len(sent.response().body())

    context = new_context(chromium)
    watched = Watched(context.new_page())
    watched.page.on("requestfinished", weigh)
    answer = watched.page.goto(site + address, wait_until="networkidle")
    assert answer is not None
    yield Opened(endpoint, address, watched, answer.status, weights, list(watched.problems))
    context.close()


def test_a_page_loads_clean_and_light_and_asks_nobody_else(opened: Opened, site: str) -> None:
    refused = "unknown" in opened.address
    assert opened.status == (400 if refused else 200)
    told = [problem for problem in opened.problems if refused and "status of 400" in problem]
    assert opened.problems == told
    assert {urlsplit(url).netloc for url in opened.watched.requests} == {urlsplit(site).netloc}
    assert "XFV" in opened.watched.page.title()
    assert 0 < opened.weights["document"] < MOST_HTML
    if opened.endpoint not in PLOTTED:
        assert opened.weights["script"] < MOST_SCRIPT


def test_a_page_never_scrolls_sideways(opened: Opened) -> None:
    page = opened.watched.page

    widths = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        widths[width] = _settled_reach(page, width)

    assert {width: reach for width, reach in widths.items() if reach > width} == {}


def _settled_reach(page: Page, width: int) -> int:
    """Return how wide the page is, once charts have drawn themselves anew or had the time to."""
    fits = "width => document.documentElement.scrollWidth <= width"
    with suppress(PlaywrightTimeoutError):
        page.wait_for_function(fits, arg=width, timeout=5000)
    reach: int = page.evaluate("document.documentElement.scrollWidth")
    return reach


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_has_no_violation_of_accessibility_rules(
    chromium: Browser, site: str, address: str
) -> None:
    axe = _axe()
    context = new_context(chromium, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    page.goto(site + address, wait_until="networkidle")

    page.evaluate(axe)
    found = _violations(page)
    page.emulate_media(color_scheme="dark")
    found += _violations(page, only="color-contrast")
    page.set_viewport_size({"width": 390, "height": 844})
    found += _violations(page)

    assert found == []
    context.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_says_its_thing_without_scripts(chromium: Browser, site: str, address: str) -> None:
    context = new_context(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(site + address)

    assert page.locator("h1").count() == 1
    assert page.locator("main").inner_text().strip()
    # Whatever only a script brings to life is not offered.
    assert page.locator(".needs-js:visible").count() == 0
    context.close()


def _axe() -> str:
    if not AXE.is_file():
        pytest.skip(f"axe-core is not installed ({AXE.relative_to(ROOT)}): npm ci")
    return Path(AXE).read_text(encoding="utf-8")


def _violations(page: Page, *, only: str | None = None) -> list[str]:
    """Return rule and element of everything that axe-core objects to on the page as it stands."""
    options = {"runOnly": {"type": "rule", "values": [only]}} if only else {}
    report = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]
