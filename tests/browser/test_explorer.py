"""The explorer in a browser: the form without a full load, the keys, no JavaScript at all."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, new_context

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer(watched: Watched, site: str) -> Page:
    """Return the explorer with 10 rows a page, never loaded anew."""
    watched.page.goto(f"{site}/explorer?size=10")
    watched.page.evaluate("window.kept = true")
    return watched.page


def test_a_field_changes_list_address_and_title_without_a_full_load(explorer: Page) -> None:
    explorer.select_option("[name=genuine]", "0")
    expect(explorer).to_have_url(re.compile(r"\?genuine=0&size=10$"))
    expect(explorer.locator("h1")).to_have_text("45 impostor pairs")
    expect(explorer.get_by_role("status")).to_have_text("45 impostor pairs")
    explorer.fill("[name=identity1__contains]", "ada")
    explorer.keyboard.press("Enter")
    expect(explorer).to_have_url(re.compile("identity1__contains=ada"))
    expect(explorer.locator("[name=identity1__contains]")).to_be_focused()
    explorer.go_back()
    expect(explorer.locator("h1")).to_have_text("45 impostor pairs")
    expect(explorer.locator("[name=identity1__contains]")).to_have_value("")
    assert explorer.evaluate("window.kept")


def test_a_click_with_shift_adds_a_sort_key(explorer: Page) -> None:
    explorer.locator("th a", has_text="Fold").click()
    expect(explorer).to_have_url(re.compile("sort=fold&"))
    explorer.locator("th a", has_text="Distance").first.click(modifiers=["Shift"])
    expect(explorer).to_have_url(re.compile("sort=fold,first.distance&"))


def test_keys_walk_the_rows_open_a_pair_and_turn_the_page(explorer: Page) -> None:
    for key in ("j", "j", "j", "k"):
        explorer.keyboard.press(key)
    expect(explorer.locator("tr.is-current th")).to_have_text("Pair 2")
    explorer.keyboard.press("n")
    expect(explorer).to_have_url(re.compile("after="))
    explorer.keyboard.press("p")
    expect(explorer.locator("tr[data-row] th").first).to_have_text("Pair 1")
    explorer.locator("[name=fold]").focus()
    explorer.keyboard.press("j")
    expect(explorer.locator("[name=fold]")).to_have_value("j")
    explorer.locator("[name=fold]").fill("")
    explorer.locator("h1").click()
    explorer.keyboard.press("j")
    explorer.keyboard.press("Enter")
    expect(explorer).to_have_url(re.compile(r"/viewer/1\?results="))


def test_the_form_works_without_javascript(chromium: Browser, site: str) -> None:
    context = new_context(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/explorer")
    page.check("[name=model][value=second]", force=True)
    page.select_option("[name=genuine]", "1")
    page.click("button[type=submit]")
    assert page.url == f"{site}/explorer?model=second&genuine=1"
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1100, 1440])
@pytest.mark.parametrize("query", ["", "?model=first&model=second", "?model=first&dataset=alpha"])
def test_nothing_sticks_out_at_any_width(
    chromium: Browser, site: str, width: int, query: str
) -> None:
    context = new_context(chromium, viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/explorer{query}")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if "second" in query and width == 1440:
        head = page.locator(".pair-table thead")
        page.mouse.wheel(0, 1500)
        expect(head).to_be_in_viewport()
    context.close()


def test_the_form_unfolds_on_a_narrow_screen_and_stays_so(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/explorer")
    expect(page.locator("[name=genuine]")).to_be_hidden()
    page.check("#filters-open")
    page.select_option("[name=genuine]", "1")
    expect(page).to_have_url(re.compile("genuine=1"))
    expect(page.locator("[name=genuine]")).to_be_visible()
    context.close()


def test_a_question_mark_lists_the_keys(explorer: Page) -> None:
    listed = explorer.get_by_role("dialog", name="Keys of the explorer")
    expect(listed).to_be_hidden()
    explorer.keyboard.press("?")
    expect(listed).to_contain_text("next page")
    explorer.keyboard.press("n")
    assert "after=" not in explorer.url
    explorer.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    explorer.get_by_role("button", name="Keys").click()
    explorer.mouse.click(5, 5)
    expect(listed).to_be_hidden()
    explorer.locator("[name=fold]").focus()
    explorer.keyboard.press("?")
    expect(listed).to_be_hidden()
