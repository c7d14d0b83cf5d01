"""Around the stage, as a person uses it: walk a list by keys, pin a pair, compare models."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, new_context, shown_pixels, wait_until_drawn

pytestmark = pytest.mark.browser

RESULTS = "dataset=alpha&model=first&first.explained=1&sort=-first.confidence"
WALK = f"model=first&results={quote(RESULTS, safe='')}"


@pytest.fixture
def plain(chromium: Browser) -> Iterator[Page]:
    """Return a page without scripts."""
    context = new_context(chromium, java_script_enabled=False)
    yield context.new_page()
    context.close()


def listed(page: Page, site: str) -> list[int]:
    """Return the ids of the results in their order, from the API."""
    answer = page.request.get(f"{site}/api/v1/pairs?{RESULTS}&size=200").json()
    return [row["id"] for row in answer["rows"]]


def problems_of(watched: Watched) -> list[str]:
    """Return what went wrong; fetches given up because their page was left are no fault."""
    return [each for each in watched.problems if not each.startswith("failed: ")]


def expect_pair(page: Page, pair: int) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Pair {pair}")


def test_arrow_keys_walk_the_results_with_every_choice(watched: Watched, site: str) -> None:
    page = watched.page
    ids = listed(page, site)
    page.goto(f"{site}/explorer?{RESULTS}")
    page.locator("a[data-open]").first.click()
    expect_pair(page, ids[0])
    wait_until_drawn(page)
    expect(page.locator(".walk-place")).to_have_text(f"1 of {len(ids)}")

    page.locator("input[name=method][value=II]").check(force=True)
    wait_until_drawn(page, "II")
    page.locator("h1").click()  # the focus leaves the form
    page.keyboard.press("ArrowRight")
    expect_pair(page, ids[1])
    wait_until_drawn(page, "II")
    for pair, key in ((ids[2], "j"), (ids[1], "ArrowLeft"), (ids[0], "k")):
        page.keyboard.press(key)
        expect_pair(page, pair)
    expect(page.locator(".walk-place")).to_have_text(f"1 of {len(ids)}")

    page.keyboard.press("ArrowLeft")  # there is nothing before the first
    expect_pair(page, ids[0])
    page.get_by_role("link", name="Back to results").click()
    expect(page.locator("a[data-open]").first).to_have_text(re.compile(f"{ids[0]}$"))
    assert problems_of(watched) == []


def test_arrow_keys_stay_with_what_has_the_focus(viewer: Page, site: str) -> None:
    for focused in ("canvas[data-map]", "#blend", ".all-models .table-scroll"):
        viewer.locator(focused).first.focus()
        viewer.keyboard.press("ArrowRight")
    viewer.locator("input[name=method][value=I]").focus()
    viewer.keyboard.press("ArrowRight")  # a radio button: the next method
    wait_until_drawn(viewer, "II")

    expect_pair(viewer, 1)


def test_the_next_pair_is_there_before_it_is_asked_for(watched: Watched, site: str) -> None:
    page = watched.page
    ids = listed(page, site)
    page.goto(f"{site}/viewer/{ids[1]}?{WALK}", wait_until="networkidle")
    page.wait_for_function(
        "performance.getEntriesByType('resource').filter((e) => e.name.includes('.bin')).length > 2"
    )

    fetched = {urlsplit(url).path for url in watched.requests}

    for pair in (ids[0], ids[2]):
        assert f"/viewer/{pair}" in fetched
        assert f"/api/v1/pairs/{pair}/explanations/first.bin" in fetched
    assert problems_of(watched) == []


def test_pin_a_pair_browse_on_and_compare(watched: Watched, site: str) -> None:
    page = watched.page
    ids = listed(page, site)
    page.goto(f"{site}/viewer/{ids[0]}?{WALK}")
    wait_until_drawn(page)

    page.get_by_role("link", name="Pin this pair").click()
    expect(page.get_by_text(f"Pair {ids[0]} is pinned.")).to_be_visible()
    wait_until_drawn(page)  # before that, nobody listens to keys
    page.keyboard.press("ArrowRight")
    expect_pair(page, ids[1])
    wait_until_drawn(page)
    page.keyboard.press("ArrowRight")
    expect_pair(page, ids[2])
    page.get_by_role("link", name=f"Compare with pair {ids[0]}").click()
    expect_pair(page, ids[2])
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"beside pair {ids[0]}")
    page.wait_for_selector("[data-grid][data-drawn]")

    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pair {ids[1]} beside pair {ids[0]}")
    page.get_by_role("link", name=f"Unpin pair {ids[0]}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^Pair {ids[1]} under"))
    assert "pin=" not in page.url
    panel = page.get_by_role("link", name="method III in the viewer").first
    panel.click()
    expect_pair(page, ids[1])
    wait_until_drawn(page, "III")
    assert problems_of(watched) == []


@pytest.fixture
def grid(watched: Watched, site: str) -> Page:
    """Return the comparison of pair 1 under its model with maps, drawn."""
    watched.page.goto(f"{site}/viewer/1/compare?model=first")
    watched.page.wait_for_selector("[data-grid][data-drawn]")
    watched.page.evaluate("window.neverReloaded = true")
    return watched.page


def test_one_form_draws_every_cell_anew(watched: Watched, grid: Page) -> None:
    faces = grid.locator("[data-panel] canvas[data-map]")
    expect(faces).to_have_count(6)
    watched.requests.clear()

    grid.get_by_text("Signs, scale, patches, colours").click()
    grid.locator("input[name=scale][value=shared]").check(force=True)
    expect(grid.locator("[data-row-scale]").first).to_be_visible()
    grid.locator("input[name=view][value=map]").check(force=True)
    grid.locator("input[name=sign][value=similar]").check(force=True)
    grid.wait_for_timeout(100)
    # Drawn from what is there already.
    assert not [url for url in watched.requests if re.search("/viewer/|/api/|/media/", url)]

    # To the pixel what the server draws for those who have no scripts.
    address = grid.url
    drawn = shown_pixels(grid)
    plain = grid.request.get(address).text()
    urls = [unescape(url) for url in re.findall(r'class="pixels" src="([^"]*)"', plain)]
    assert len(urls) == len(drawn)
    for url, picture in zip(urls, drawn, strict=True):
        with Image.open(io.BytesIO(grid.request.get(urljoin(address, url)).body())) as expected:
            assert np.array_equal(np.asarray(expected.convert("RGB")), picture)

    grid.locator("input[name=method][value=I]").uncheck()
    expect(faces).to_have_count(4)
    grid.locator("input[name=model][value=third]").check()
    expect(grid.get_by_role("columnheader", name="Third")).to_be_visible()
    assert parse_qs(urlsplit(grid.url).query) == {
        "model": ["first", "third"],
        "method": ["II", "III"],
        "view": ["map"],
        "sign": ["similar"],
        "scale": ["shared"],
    }
    assert grid.evaluate("window.neverReloaded")
    assert grid.evaluate("document.activeElement.value") == "third"
    assert problems_of(watched) == []


def test_one_crosshair_reads_all_cells(watched: Watched, grid: Page) -> None:
    faces = grid.locator("[data-panel] canvas[data-map]")
    values = grid.locator("[data-panel] [data-value]")

    faces.nth(2).hover(position={"x": 20, "y": 30})
    pointed = values.all_inner_texts()
    assert len(pointed) == 6
    assert all(re.fullmatch(r"[+−]\d\.\d{3}", value) for value in pointed)
    expect(grid.locator("[data-readout]")).to_contain_text(
        re.compile(r"^Column \d+, row \d+, near")
    )
    grid.mouse.move(0, 0)
    expect(values.first).to_have_text("\u00a0")

    faces.first.focus()
    grid.keyboard.press("ArrowRight")
    expect(grid.locator("[data-readout]")).to_contain_text("Column 57, row 56")
    shown = grid.eval_on_selector_all(
        "[data-panel] canvas[data-map]", "all => all.map((c) => c.shown.values[56 * 112 + 57])"
    )
    read = [float(text.replace("−", "-")) for text in values.all_inner_texts()]
    assert read == pytest.approx(shown, abs=6e-4)
    expect(grid.locator("[data-announce]")).to_contain_text("method I: First left")
    expect_pair(grid, 1)  # the arrow moved the crosshair, not along the list
    assert watched.problems == []


def test_one_model_and_one_method_always_stay(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(f"{site}/viewer/1/compare?model=first&method=I")

    page.locator("input[name=model][value=first]").click()
    page.locator("input[name=method][value=I]").click()

    assert page.locator("input[name=model][value=first]").is_checked()
    assert page.locator("input[name=method][value=I]").is_checked()


def test_without_scripts_the_list_pin_and_grid_work(plain: Page, site: str) -> None:
    ids = listed(plain, site)
    plain.goto(f"{site}/viewer/{ids[0]}?{WALK}")
    plain.get_by_role("link", name="Pin this pair").click()
    plain.locator("a[rel=next]").click()
    expect_pair(plain, ids[1])
    expect(plain.locator(".place .plot")).to_have_count(2)
    expect(plain.locator(".place .plot").first).to_be_visible()

    plain.get_by_role("link", name=f"Compare with pair {ids[0]}").click()
    plain.locator("input[name=method][value=II]").uncheck()
    plain.get_by_text("Signs, scale, patches, colours").click()
    plain.locator("input[name=scale][value=shared]").check(force=True)
    plain.get_by_role("button", name="Apply").click()

    asked = parse_qs(urlsplit(plain.url).query)
    assert asked["method"] == ["I", "III"]
    assert asked["pin"] == [str(ids[0])]
    assert asked["results"] == [RESULTS]
    assert sorted(asked) == ["method", "model", "pin", "results", "scale"]  # no usual values
    pictures = plain.locator(".panel img")
    assert pictures.count() == 2 * 2 * 2
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("naturalWidth", 112)
