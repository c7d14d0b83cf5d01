"""A person reviews pairs: by keys, by thumbs, without scripts; the report follows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, new_context

pytestmark = pytest.mark.browser


def queue(site: str, reviewer: str, more: str = "") -> str:
    return f"{site}/triage/queue?dataset=alpha&model=first&reviewer={reviewer}{more}"


def done(page: Page, number: int) -> None:
    expect(page.locator(".triage-progress p")).to_have_text(re.compile(rf"^{number} of \d+ done"))


def test_a_study_is_chosen_reviewed_by_keys_and_reported(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(f"{site}/triage")
    page.get_by_label("Dataset").select_option("alpha")
    page.get_by_label("Confidence below").fill("0.95")
    page.get_by_label("Your name").fill("Keys")
    page.get_by_label("Only pairs with X-Maps").check()
    expect(page.locator("[data-counts]")).to_contain_text("below 0.95, with X-Maps")
    page.get_by_role("button", name="Start").click()
    done(page, 0)

    page.keyboard.press("8")
    page.keyboard.press("s")
    done(page, 1)
    page.keyboard.press("d")  # the answer first, then how certain
    expect(page.locator("[data-pending]")).to_contain_text("how certain?")
    page.keyboard.press("0")
    done(page, 2)
    page.keyboard.press("u")
    done(page, 3)
    page.keyboard.press("b")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your answer: unsure")
    page.keyboard.press("7")
    page.keyboard.press("s")
    done(page, 3)
    expect(page.locator("[data-key=b]")).to_contain_text("same, 70 % certain")

    page.get_by_role("link", name="Report").click()
    row = page.get_by_role("row", name=re.compile("^Keys 3 "))
    expect(row).to_be_visible()
    counts = "failed: " + site + "/triage?"  # a count that a newer one overtook
    assert [each for each in watched.problems if not each.startswith(counts)] == []


def test_blind_first_then_what_the_machine_says(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(queue(site, "Blind", "&show=after&explained=1&below=1"))
    expect(page.locator(".triage-machine")).to_have_count(0)
    expect(page.locator(".triage-maps")).to_have_count(0)

    page.keyboard.press("9")
    page.keyboard.press("d")

    expect(page.locator(".triage-kept")).to_contain_text("before you saw what the machine says")
    expect(page.locator(".triage-maps img:visible")).to_have_count(2)
    page.locator(".triage-maps input[value=II]").click()
    expect(page.get_by_alt_text("X-Map of method II on the left face")).to_be_visible()
    expect(page.get_by_alt_text("X-Map of method III on the left face")).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("Enter")
    done(page, 1)
    expect(page.locator(".triage-machine")).to_have_count(0)


def test_a_double_click_does_not_pass_over_what_the_machine_says(
    watched: Watched, site: str
) -> None:
    page = watched.page
    page.goto(queue(site, "Twice", "&show=after&explained=1&below=1"))

    page.get_by_role("button", name="Same").click()  # no certainty: asked for, not refused
    expect(page.locator("[data-pending]")).to_contain_text("Same: how certain?")
    done(page, 0)
    page.get_by_label("80 %").click(force=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your answer: same, 80 % certain")
    other_half = "new MouseEvent('click', { detail: 2, bubbles: true, cancelable: true })"
    for part in ("[data-go-on]", "[data-answer] [value=different]"):
        page.locator(part).evaluate(f"(part) => part.dispatchEvent({other_half})")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your answer: same, 80 % certain")
    page.get_by_role("link", name="Keep it").click()
    page.get_by_label("90 %").check(force=True)
    page.get_by_role("button", name="Different").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Your answer: different, 90 % certain"
    )
    done(page, 2)
    assert watched.problems == []


def test_without_scripts_an_answer_needs_its_certainty(chromium: Browser, site: str) -> None:
    context = new_context(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(queue(site, "Plain"))

    page.get_by_role("button", name="Same").click()
    done(page, 0)
    page.get_by_label("80 %").check(force=True)
    page.keyboard.press("Enter")  # in a field: answers nothing, the pair is shown again
    page.wait_for_url("**&pair=*")
    done(page, 0)
    page.get_by_label("80 %").check(force=True)
    page.get_by_role("button", name="Same").click()
    done(page, 1)
    page.get_by_role("button", name="Unsure").click()
    done(page, 2)
    page.get_by_role("link", name=re.compile("Back")).click()
    page.get_by_role("link", name="Keep it").click()
    done(page, 2)
    context.close()


def test_thumbs_reach_the_answers_on_a_phone(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(queue(site, "Thumbs", "&explained=1&below=1"), wait_until="networkidle")
    box = page.get_by_role("button", name="Same").bounding_box()

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert box is not None
    assert 422 < box["y"] < 844 - box["height"]
    assert box["height"] >= 44
    page.get_by_label("70 %").tap()
    page.get_by_role("button", name="Different").tap()
    done(page, 1)
    context.close()
