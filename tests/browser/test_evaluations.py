"""The charts of an evaluation in a browser: drawn by Plotly under the strict policy, or left."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, new_context

pytestmark = pytest.mark.browser

PAGE = "/models/first/alpha"
CHARTS = ("histogram", "confidence", "roc", "det", "reliability", "above")


def open_drawn(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("[data-plots][data-drawn]", timeout=30_000)


def point_of(
    page: Page, chart: str, trace: int, point: int, share: float = 1.0
) -> tuple[float, float]:
    """Return where a point of a trace stands on the screen, at a ``share`` of its height."""
    place = page.locator(f"[data-plot={chart}] [data-live]")
    place.scroll_into_view_if_needed()
    x, y = place.evaluate(
        """(live, [trace, point, share]) => {
          const {xaxis: x, yaxis: y, _size: size} = live._fullLayout;
          const {data} = live;
          const box = live.getBoundingClientRect();
          return [box.left + size.l + x.d2p(data[trace].x[point]),
                  box.top + size.t + y.d2p(share * data[trace].y[point])];
        }""",
        [trace, point, share],
    )
    return float(x), float(y)


def test_charts_are_drawn_and_break_no_rule(watched: Watched, site: str) -> None:
    page = watched.page
    open_drawn(page, site + PAGE)

    for chart in CHARTS:
        expect(page.locator(f"[data-plot={chart}] [data-live] svg.main-svg").first).to_be_visible()
        expect(page.locator(f"[data-plot={chart}] [data-static]")).to_be_hidden()
    # what a reader does: point, drag, come back, other colours, another fold, another axis
    x, y = point_of(page, "roc", 1, 5)
    page.mouse.move(x, y)
    expect(page.locator("[data-plot=roc] .hoverlayer")).to_contain_text("threshold")
    page.mouse.down()
    page.mouse.move(x + 90, y + 70, steps=4)
    page.mouse.up()
    page.locator("[data-plot=roc] [data-reset]").click()
    expect(page.locator("[data-plot=roc] [data-reset]")).to_be_hidden()
    page.locator("[data-theme-toggle]").click()
    page.locator("a[data-fold='2']").click()
    page.locator("a[data-roc='log']").click()
    page.wait_for_timeout(300)

    assert watched.problems == []
    assert {urlsplit(url).netloc for url in watched.requests} == {urlsplit(site).netloc}


def test_a_bar_leads_to_its_pairs(watched: Watched, site: str) -> None:
    page = watched.page
    open_drawn(page, site + PAGE)
    bars = page.locator("[data-plot=histogram] [data-live]")
    highest = bars.evaluate("live => live.data[1].y.indexOf(Math.max(...live.data[1].y))")
    count = bars.evaluate("(live, i) => live.data[1].y[i]", highest)
    # The curves pass near its top.
    x, y = point_of(page, "histogram", 1, highest, 0.5)
    page.mouse.move(x, y)
    expect(page.locator("[data-plot=histogram] .hoverlayer")).to_contain_text("genuine pairs")
    # Its lines of text are no lines of a chart, which have a stroke.
    expect(page.locator("[data-plot=histogram] .hoverlayer tspan").first).to_have_css(
        "stroke", "none"
    )
    page.mouse.click(x, y)

    page.wait_for_url("**/explorer?**")
    query = parse_qs(urlsplit(page.url).query)
    assert query["genuine"] == ["1"]
    assert set(query) >= {"first.distance__gte", "first.distance__lt"}
    expect(page.locator("h1")).to_contain_text(re.compile(rf"^{count} ", re.MULTILINE))


def test_folds_and_axis_are_in_the_url(watched: Watched, site: str) -> None:
    page = watched.page
    open_drawn(page, site + PAGE)
    widths = """name => document.querySelector(`[data-plot=${name}] [data-live]`).data
      .filter((t) => t.meta && t.line.dash === undefined).map((t) => t.line.width)"""
    assert len(set(page.evaluate(widths, "histogram"))) == 1

    page.locator("a[data-fold='4']").click()
    page.wait_for_function(f"({widths})('histogram')[4] === 3")
    assert parse_qs(urlsplit(page.url).query) == {"fold": ["4"]}
    expect(page.locator("tr[data-fold-row='4']")).to_have_class("is-current")
    page.locator("a[data-roc='log']").click()
    page.wait_for_function(
        "document.querySelector('[data-plot=roc] [data-live]').layout.xaxis.type === 'log'"
    )
    assert parse_qs(urlsplit(page.url).query) == {"fold": ["4"], "roc": ["log"]}
    page.go_back()
    page.wait_for_function(
        "document.querySelector('[data-plot=roc] [data-live]').layout.xaxis.type !== 'log'"
    )
    expect(page.locator("a[data-fold='4']")).to_have_attribute("aria-current", "true")


def test_charts_follow_the_colours(watched: Watched, site: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme="light")
    open_drawn(page, site + PAGE)
    colour = "document.querySelector('[data-plot=det] [data-live]').data[1].line.color"
    light = page.evaluate(colour)

    page.locator("[data-theme-toggle]").click()
    page.wait_for_function(f"{colour} !== '{light}'")
    ink = "getComputedStyle(document.body).color"
    assert page.evaluate(colour) == page.evaluate(ink)


@pytest.mark.parametrize("gone", ["**/plotly.min.js", "**/figures.json"])
def test_what_cannot_be_loaded_leaves_the_drawings(watched: Watched, site: str, gone: str) -> None:
    page = watched.page
    page.route(gone, lambda route: route.fulfill(status=404, body=""))
    page.goto(site + PAGE, wait_until="networkidle")

    for chart in CHARTS:
        expect(page.locator(f"[data-plot={chart}] [data-static] svg")).to_be_visible()
        expect(page.locator(f"[data-plot={chart}] [data-live]")).to_be_hidden()
    page.locator("a[data-fold='4']").click()
    page.wait_for_url("**fold=4**")
    expect(page.locator(".fold.is-chosen").first).to_be_visible()


@pytest.fixture
def plain(chromium: Browser) -> Any:
    context = new_context(chromium, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_a_bar_and_a_fold_are_links(plain: Page, site: str) -> None:
    plain.goto(site + PAGE)
    expect(plain.locator("[data-plot=histogram] [data-static] svg")).to_be_visible()

    plain.get_by_role("link", name="Fold 3").click()
    assert "fold=3" in plain.url
    plain.locator("[data-plot=histogram] a").first.click(force=True)
    assert "/explorer?" in plain.url
    assert "first.distance__gte" in plain.url


def test_the_leaderboard_sorts_by_its_heads(plain: Page, site: str) -> None:
    plain.goto(f"{site}/models?dataset=alpha")

    plain.get_by_role("link", name="ECE").click()

    assert "sort=ece" in plain.url
    head = plain.locator("th[aria-sort=ascending]")
    expect(head).to_contain_text("ECE")
    cells = plain.locator("td[data-label=ECE]").all_inner_texts()
    values = [float(re.findall(r"[\d.]+", cell)[0]) for cell in cells]
    assert values == sorted(values)


def test_a_phone_sorts_and_reads_every_value(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{site}/models?dataset=alpha")

    for label in ("Accuracy", "TAR at FAR 1 %", "ECE", "Sure when wrong", "Date"):
        box = page.locator(f"td[data-label='{label}']").first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page.get_by_role("link", name="EER").click()
    assert "sort=eer" in page.url
    context.close()
