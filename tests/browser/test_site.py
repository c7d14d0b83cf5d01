"""What people meet: pages load clean, the viewer follows pointer, keys and form, JS or not."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.extensions import db
from app.models import Evaluation, ExplanationSet
from tests import factories
from tests.browser.conftest import (
    MASKED,
    Watched,
    new_context,
    shown_maps,
    shown_pixels,
    wait_until_drawn,
)
from tests.conftest import media_store_of

pytestmark = pytest.mark.browser

# ------------------------------------------------------------------------------ pointer, keys


def read_out(page: Page) -> list[float]:
    values = page.eval_on_selector_all("[data-value]", "all => all.map((v) => v.dataset.number)")
    return [float(value) for value in values]


def test_pointing_at_one_face_reads_both(viewer: Page) -> None:
    box = viewer.locator("canvas[data-map]").nth(1).bounding_box()
    assert box is not None

    viewer.mouse.move(box["x"] + box["width"] * 30.5 / 112, box["y"] + box["height"] * 70.5 / 112)

    expected = [shown[70, 30] for shown in shown_maps(viewer)]
    assert read_out(viewer) == pytest.approx(expected)
    expect(viewer.locator("[data-readout]")).to_contain_text("Column 30, row 70")


def test_method_three_reads_the_same_on_both(viewer: Page) -> None:
    viewer.locator("input[name=method][value=III]").check(force=True)
    wait_until_drawn(viewer, "III")

    viewer.locator("canvas[data-map]").first.hover(position={"x": 100, "y": 120})

    left, right = read_out(viewer)
    assert left == right
    assert left != 0


def test_arrow_keys_move_the_cursor_and_are_announced(viewer: Page) -> None:
    viewer.locator("canvas[data-map]").first.focus()

    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        viewer.keyboard.press(key)

    expect(viewer.locator("[data-readout]")).to_contain_text("Column 58, row 65")
    expect(viewer.locator("[data-announce]")).to_contain_text("Column 58, row 65")
    assert read_out(viewer) == pytest.approx([shown[65, 58] for shown in shown_maps(viewer)])
    viewer.keyboard.press("Escape")
    expect(viewer.locator("[data-readout]")).to_contain_text("Point at a face")


def test_the_cursor_stops_at_the_border(viewer: Page) -> None:
    viewer.locator("canvas[data-map]").first.focus()

    for _ in range(12):
        viewer.keyboard.press("Shift+ArrowLeft")

    expect(viewer.locator("[data-readout]")).to_contain_text("Column 0, ")


def test_a_finger_reads_too(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{site}/viewer/1?model=first")
    wait_until_drawn(page)

    page.locator("canvas[data-map]").first.tap(position={"x": 60, "y": 60})

    assert len(read_out(page)) == 2
    context.close()


# -------------------------------------------------------------------------------------- form


def test_another_method_changes_picture_and_url(viewer: Page) -> None:
    before = shown_pixels(viewer)

    viewer.locator("input[name=method][value=II]").check(force=True)
    wait_until_drawn(viewer, "II")

    assert not np.array_equal(before[0], shown_pixels(viewer)[0])
    assert "method=II" in viewer.url
    viewer.reload()
    wait_until_drawn(viewer, "II")


def test_the_blend_slider_mixes_face_and_map(viewer: Page) -> None:
    full = shown_pixels(viewer)[0]
    viewer.locator("#blend").fill("0")
    viewer.wait_for_function("document.querySelector('output[for=blend]').textContent === '0'")
    face = shown_pixels(viewer)[0]
    viewer.locator("#blend").fill("50")
    viewer.wait_for_function("document.querySelector('output[for=blend]').textContent === '50'")

    mixed = shown_pixels(viewer)[0].astype(float)

    assert np.abs(mixed - (full.astype(float) + face) / 2).max() <= 0.5
    assert "blend=50" in viewer.url


def test_one_patch_size_always_stays(viewer: Page) -> None:
    viewer.locator("[data-more] summary").click()
    boxes = viewer.locator("input[name=patch]")

    for i in range(3):
        boxes.nth(i).click()

    assert [boxes.nth(i).is_checked() for i in range(3)] == [False, False, True]
    assert re.search(r"patch=28(&|$)", viewer.url)


def test_another_model_is_another_page(viewer: Page) -> None:
    viewer.locator("#model").select_option("third")

    viewer.wait_for_url("**/viewer/1?model=third")
    expect(viewer.locator(".command code")).to_contain_text("--model third --stage explain")


def test_another_set_is_another_page(viewer: Page) -> None:
    viewer.locator("#spec").select_option("second-set")

    viewer.wait_for_url("**/viewer/1?model=first&spec=second-set")
    wait_until_drawn(viewer)


def test_what_really_differs_is_outlined(watched: Watched, site: str) -> None:
    watched.page.goto(f"{site}/viewer/{MASKED}?model=first&mask=1")
    wait_until_drawn(watched.page)

    watched.page.wait_for_function(
        """() => [...document.querySelectorAll("canvas[data-overlay]")].every((canvas) => {
          const zoom = canvas.width / 112;
          const at = canvas.getContext("2d").getImageData(20 * zoom, 40 * zoom, 1, 1).data;
          return at[3] > 0;
        })"""
    )


def test_the_preview_of_the_front_page_plays(watched: Watched, site: str) -> None:
    page = watched.page
    page.goto(site)
    wait_until_drawn(page)
    before = shown_pixels(page)[0]

    page.locator("input[name=method][value=II]").check(force=True)
    wait_until_drawn(page, "II")

    assert not np.array_equal(before, shown_pixels(page)[0])
    assert urlsplit(page.url).query == "method=II"
    assert watched.problems == []


def test_the_front_page_fills_itself_while_the_pipeline_runs(
    watched: Watched, empty_site: tuple[str, Flask]
) -> None:
    url, app = empty_site
    page = watched.page
    page.goto(url)
    expect(page.locator("[data-row]")).to_have_count(0)
    page.evaluate("window.neverReloaded = true")

    with app.app_context():
        factories.make_demo(db.session(), media_store_of(app))
        explained = db.session.scalars(select(ExplanationSet)).one()
        explained.wanted_count += 5
        db.session.commit()

    expect(page.locator("[data-row]")).to_have_count(5, timeout=15_000)
    wait_until_drawn(page)
    expect(page.get_by_text("Hardest false accepts")).to_be_visible()
    with app.app_context():
        evaluation = db.session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
        assert evaluation is not None
        factories.make_explanations(
            db.session(), evaluation, [50], name="more", media=media_store_of(app)
        )
        db.session.commit()
    cell = page.locator("[data-row='alpha/first'] [data-cell=explained]")
    expect(cell).to_have_text("20", timeout=15_000)
    assert page.evaluate("window.neverReloaded")
    assert watched.problems == []


def test_a_failing_api_is_told_and_leaves_the_pictures(watched: Watched, site: str) -> None:
    page = watched.page
    page.route("**/explanations/**", lambda route: route.fulfill(status=500, body="{}"))

    page.goto(f"{site}/viewer/1?model=first")

    expect(page.locator("[data-problem]")).to_contain_text("could not be loaded")
    expect(page.locator("img[data-picture]").first).to_be_visible()


# ---------------------------------------------------------------------------- without scripts


@pytest.fixture
def plain(chromium: Browser) -> Any:
    context = new_context(chromium, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_pictures_and_form_work(plain: Page, site: str) -> None:
    plain.goto(f"{site}/viewer/1?model=first")
    images = plain.locator("img[data-picture]")
    first = images.first.get_attribute("src")

    plain.locator("input[name=view][value=map]").check(force=True)
    plain.get_by_role("button", name="Apply").click()

    assert "view=map" in plain.url
    assert images.count() == 2
    assert images.first.get_attribute("src") != first
    assert plain.locator("canvas").count() == 0
    expect(images.first).to_be_visible()


def test_without_scripts_the_front_page_shows_maps(plain: Page, site: str) -> None:
    plain.goto(site)

    plain.locator("input[name=method][value=III]").check(force=True)
    plain.get_by_role("button", name="Apply").click()

    assert "/viewer/" in plain.url
    assert "method=III" in plain.url


# ----------------------------------------------------------------------------------- colours


def test_the_chosen_scheme_is_remembered_and_does_not_flash(chromium: Browser, site: str) -> None:
    context = new_context(chromium, color_scheme="light")
    page = context.new_page()
    page.goto(site)
    page.get_by_role("button", name="Use dark colours").click()

    page.goto(f"{site}/method", wait_until="commit")
    page.wait_for_function("document.body !== null")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    context.close()
