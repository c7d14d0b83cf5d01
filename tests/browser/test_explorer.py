"""The explorer in a browser: the form without a full load, the keys, no JavaScript at all."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

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
    page.wait_for_url(f"{site}/explorer?model=second&genuine=1")
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
        page.locator("tr[data-row]").nth(1).hover()
        page.mouse.wheel(0, 1500)
        expect(head).to_be_in_viewport()
    context.close()


def test_the_form_unfolds_on_a_narrow_screen_and_stays_so(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/explorer")
    expect(page.locator("[name=genuine]")).to_be_hidden()
    page.check("#filters-open")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.locator("[name=genuine]")).to_be_hidden()
    page.locator("summary", has_text="Of the pair").click()
    page.select_option("[name=genuine]", "1")
    expect(page).to_have_url(re.compile("genuine=1"))
    expect(page.locator("[name=genuine]")).to_be_visible()
    expect(page.locator(".filters-toggle")).to_have_text(re.compile("Filters and order +1 set"))
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


# ------------------------------------------------------------------------------ a person's tasks


@pytest.mark.parametrize("scripts", [True, False])
def test_pairs_that_two_models_accept_are_a_few_clicks_away(
    chromium: Browser, site: str, scripts: bool
) -> None:
    context = new_context(chromium, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{site}/explorer")
    fields = {"genuine": "1", "first.prediction": "genuine", "second.prediction": "genuine"}
    page.check("[name=dataset][value=alpha]", force=True)
    if scripts:
        expect(page).to_have_url(re.compile("dataset=alpha"))
    page.locator("details.model-filters summary").click()
    for name, value in fields.items():
        page.select_option(f"[name='{name}']", value)
        if scripts:
            expect(page).to_have_url(re.compile(f"{re.escape(name)}={value}"))
    page.fill("[name='first.confidence__gte']", "0.5")
    page.get_by_role("button", name="Show pairs").click()
    expect(page).to_have_url(re.compile(r"first\.confidence__gte=0\.5"))
    page.locator("th a.sort[title^='first.confidence']").click()
    page.locator("th a.sort[title^='first.confidence']").click()
    expect(page).to_have_url(re.compile(r"sort=-first\.confidence"))
    heading = "pairs? that first calls genuine and that second calls genuine"
    expect(page.locator("h1")).to_have_text(re.compile(f"Alpha genuine {heading}"))
    page.locator("tr[data-row] th a").first.click()
    expect(page).to_have_url(re.compile(r"/viewer/\d+\?model=first&results=dataset"))
    context.close()


def test_counts_come_after_the_table_and_lead_to_their_pairs(explorer: Page) -> None:
    expect(explorer.get_by_role("link", name="first wrong")).to_be_visible()
    more = explorer.locator("details.summary-more")
    expect(more).not_to_have_attribute("open", "")
    more.locator("summary").click()
    told = explorer.get_by_role("link", name="impostor pairs that first calls genuine")
    number = told.locator("b").inner_text()
    told.focus()
    explorer.keyboard.press("Enter")
    pairs = "pair" if number == "1" else "pairs"
    expect(explorer.locator("h1")).to_have_text(
        f"{number} impostor {pairs} that first calls genuine"
    )
    assert explorer.evaluate("window.kept")
    bar = explorer.locator(".model-part a[aria-label*='impostor, distance']").first
    expect(bar).to_be_visible()  # it stays unfolded, here and on the next page
    explorer.goto(explorer.url)
    # It is seen, and hit at any height.
    expect(bar.locator(".bar-impostor")).not_to_have_css("fill", "none")
    expect(bar.locator(".bar-hit")).not_to_have_css("fill", "none")
    label = bar.get_attribute("aria-label") or ""
    bar.focus()
    explorer.keyboard.press("Enter")
    expect(explorer.locator("h1")).to_have_text(re.compile(f"^{label.split()[0]} "))


def test_without_scripts_the_counts_have_a_page(chromium: Browser, site: str) -> None:
    context = new_context(
        chromium, java_script_enabled=False, viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    page.goto(f"{site}/explorer?genuine=0")
    page.get_by_role("link", name="Facets, histograms and confusion of these pairs").click()
    expect(page.locator("h1")).to_have_text("45 impostor pairs")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="wrong").first.click()
    expect(page.locator("h1")).to_have_text(re.compile("impostor pairs? that first gets wrong"))
    context.close()


def test_ticks_last_from_page_to_page_and_name_their_pairs(explorer: Page, site: str) -> None:
    expect(explorer.locator("[data-basket]")).to_be_hidden()
    explorer.get_by_label("Tick pair 2").check()
    explorer.keyboard.press("n")
    expect(explorer.locator("tr[data-row] th").first).to_have_text("Pair 11")
    explorer.keyboard.press("j")
    explorer.keyboard.press("x")
    expect(explorer.locator("[data-basket-count]")).to_have_text("2 pairs ticked")
    expect(explorer.get_by_role("button", name="Compare two")).to_be_enabled()
    explorer.get_by_role("button", name="Show only these").click()
    expect(explorer).to_have_url(re.compile(r"\?size=10&id__in=2,11$|\?id__in=2,11&size=10$"))
    expect(explorer.locator("tr[data-row]")).to_have_count(2)
    expect(explorer.get_by_label("Tick pair 11")).to_be_checked()
    with explorer.expect_request(re.compile("/viewer/2/compare")) as asked:
        explorer.keyboard.press("c")
    assert asked.value.url.endswith("pin=11")
    explorer.wait_for_url(re.compile("/viewer/2/compare"))
    explorer.goto(f"{site}/explorer?size=10")
    explorer.get_by_role("button", name="Untick all").click()
    expect(explorer.get_by_label("Tick pair 2")).not_to_be_checked()
    expect(explorer.locator("[data-basket]")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False])
def test_columns_are_chosen(chromium: Browser, site: str, scripts: bool) -> None:
    context = new_context(chromium, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{site}/explorer?size=10")
    page.get_by_role("link", name="Columns").click()
    page.get_by_role("checkbox", name="threshold").check()
    page.get_by_role("checkbox", name="distance").uncheck()
    page.get_by_role("button", name="Show these columns").click()
    expect(page).to_have_url(re.compile("columns=id,.*threshold"))
    expect(page.locator("th a.sort", has_text="Threshold").first).to_be_visible()
    expect(page.locator("th a.sort", has_text="Distance")).to_have_count(0)
    context.close()


def test_the_pairs_are_a_few_tabs_away(explorer: Page) -> None:
    explorer.keyboard.press("Tab")
    for _ in range(20):
        if explorer.evaluate("document.activeElement.hash") == "#results":
            break
        explorer.keyboard.press("Tab")
    explorer.keyboard.press("Enter")
    explorer.keyboard.press("Tab")

    assert explorer.evaluate("document.activeElement.closest('#results') !== null")


def test_names_are_suggested_while_typing(explorer: Page) -> None:
    explorer.locator("[name=identity1__contains]").press_sequentially("ada")
    option = explorer.locator("#l-identity1__contains option")
    expect(option).to_have_attribute("value", "Ada_Lovelace")


def test_a_wrong_entry_is_told_beside_the_form(explorer: Page) -> None:
    explorer.fill("[name=fold]", "x")
    explorer.keyboard.press("Enter")
    expect(explorer.get_by_role("alert")).to_contain_text("fold='x' is not a whole number")
    assert explorer.evaluate("window.kept")
    explorer.fill("[name=fold]", "1")
    explorer.keyboard.press("Enter")
    expect(explorer).to_have_url(re.compile("fold=1"))
    expect(explorer.locator("[data-form-problem]")).to_be_hidden()


def test_a_second_sort_key_needs_no_modifier(explorer: Page) -> None:
    explorer.select_option("[name=sort1]", "fold")
    expect(explorer).to_have_url(re.compile("sort=fold"))
    explorer.select_option("[name=sort2]", "first.distance")
    expect(explorer).to_have_url(re.compile("sort=fold,first.distance"))
    explorer.select_option("[name='sort2.way']", "down")
    expect(explorer).to_have_url(re.compile("sort=fold,-first.distance"))
    expect(explorer.locator("th[aria-sort=ascending] .sort-badge")).to_have_text("↑1")


def test_what_is_entered_while_a_list_loads_is_kept_and_asked_for(explorer: Page) -> None:
    held: list[Route] = []
    explorer.route("**/explorer/search?*", lambda route: held.append(route), times=1)
    explorer.select_option("[name=genuine]", "0")
    explorer.locator("[name=identity1__contains]").press_sequentially("ada")
    held[0].continue_()
    expect(explorer).to_have_url(re.compile("genuine=0"))
    expect(explorer.locator("[name=identity1__contains]")).to_have_value("ada")
    expect(explorer.locator("[name=identity1__contains]")).to_be_focused()
    explorer.keyboard.press("Tab")
    expect(explorer).to_have_url(re.compile("genuine=0&identity1__contains=ada"))
