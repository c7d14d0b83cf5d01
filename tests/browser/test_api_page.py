"""The page of the API: requests are sent and shown in place, and without scripts by plain forms."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, new_context

pytestmark = pytest.mark.browser


def form_of(page: Page, template: str) -> str:
    return f"form[data-try='{template}']"


def test_an_address_answers_where_it_is_described(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(f"{site}/api/docs")
    form = page.locator(form_of(page, "/api/v1/pairs"))

    form.locator("[data-more]").fill("first.correct=1&page=1")
    form.locator("input[name=size]").fill("11")
    form.get_by_role("button", name="Send").click()

    expect(form.locator("[data-status]")).to_contain_text("200")
    expect(form.locator("[data-body]")).to_contain_text('"description"')
    body = json.loads(form.locator("[data-body]").inner_text())
    assert 0 < len(body["rows"]) <= 11
    assert all(row["models"]["first"]["correct"] for row in body["rows"])
    asked = parse_qs(urlsplit(form.locator("[data-address]").get_attribute("href") or "").query)
    assert asked["size"] == ["11"]
    assert asked["first.correct"] == ["1"]
    assert watched.problems == []


def test_a_part_of_the_path_can_be_changed_and_an_error_is_shown(
    watched: Watched, site: str
) -> None:
    page = watched.page
    page.goto(f"{site}/api/docs")
    form = page.locator(form_of(page, "/api/v1/pairs/{pair_id}"))

    form.locator("[data-part=pair_id]").fill("2")
    form.get_by_role("button", name="Send").click()
    expect(form.locator("[data-body]")).to_contain_text('"id": 2')
    form.locator("[data-part=pair_id]").fill("999999")
    form.get_by_role("button", name="Send").click()

    expect(form.locator("[data-status]")).to_contain_text("404")
    expect(form.locator("[data-body]")).to_contain_text("There is no pair")


def test_numbers_and_tables_are_shown_too(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(f"{site}/api/docs")

    csv = page.locator(form_of(page, "/api/v1/pairs.csv"))
    csv.get_by_role("button", name="Send").click()
    numbers = page.locator(form_of(page, "/api/v1/pairs/{pair_id}/explanations/{model}.bin"))
    numbers.get_by_role("button", name="Send").click()

    expect(csv.locator("[data-body]")).to_contain_text("id,dataset,genuine")
    expect(numbers.locator("[data-body]")).to_contain_text("5,290 whole numbers")


def test_the_example_is_answered_when_it_comes_into_view(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(f"{site}/api/docs")
    form = page.locator(form_of(page, "/api/v1/models"))

    form.scroll_into_view_if_needed()

    expect(form.locator("[data-body]")).to_contain_text('"preprocessing"')


def test_without_scripts_a_form_leads_to_the_answer(chromium: Browser, site: str) -> None:
    context = new_context(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/api/docs")
    form = page.locator(form_of(page, "/api/v1/evaluations"))

    form.get_by_label("dataset").fill("beta")
    form.get_by_role("button", name="Send").click()

    assert urlsplit(page.url).path == "/api/v1/evaluations"
    assert '"dataset":"beta"' in page.content()
    context.close()


def test_the_page_never_scrolls_sideways_on_a_phone(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 844})
    page = context.new_page()

    page.goto(f"{site}/api/docs", wait_until="networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
