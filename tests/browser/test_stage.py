"""The stage by hand: zoom, slider, peek, keys, and what choices do to the address and the form."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import (
    Watched,
    new_context,
    shown_maps,
    shown_pixels,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser

FACE = "canvas[data-map]"


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def frame(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def box_of(locator: Locator) -> Any:
    box = locator.bounding_box()
    assert box is not None
    return box


def open_more(page: Page) -> None:
    page.locator("[data-more] summary").click()


# ---------------------------------------------------------------------------------------- zoom


def test_both_faces_zoom_in_whole_steps_and_the_address_keeps_them(viewer: Page) -> None:
    faces = viewer.locator(FACE)
    fitting = box_of(faces.first)["width"]
    assert fitting % 112 == 0

    viewer.get_by_role("button", name="Zoom in").click()

    sizes = {box_of(faces.nth(i))["width"] for i in (0, 1)}
    assert sizes == {fitting + 112}
    expect(viewer.locator("[data-zoom]")).to_have_text(f"{int(fitting) // 112 + 1}×")
    viewer.wait_for_url(re.compile(rf"zoom={int(fitting) // 112 + 1}"))
    viewer.reload()
    wait_until_drawn(viewer)
    assert box_of(faces.first)["width"] == fitting + 112
    viewer.get_by_role("button", name="Fit").click()
    assert box_of(faces.first)["width"] == fitting
    viewer.wait_for_function("() => !location.search.includes('zoom')")


def test_one_to_one_shows_every_pixel_once(viewer: Page) -> None:
    viewer.get_by_role("button", name="1:1").click()

    assert box_of(viewer.locator(FACE).first)["width"] == 112


def test_the_wheel_zooms_where_it_points_and_a_hand_drags_both(viewer: Page) -> None:
    left, right = (viewer.locator(FACE).nth(i) for i in (0, 1))
    box = box_of(left)
    pointed = (box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    viewer.mouse.move(*pointed)
    before = viewer.locator("[data-readout]").text_content()

    for _ in range(3):
        viewer.mouse.wheel(0, -100)
    viewer.wait_for_url(re.compile("zoom="))
    viewer.mouse.move(pointed[0] + 0.5, pointed[1] + 0.5)

    assert before is not None
    assert viewer.locator("[data-readout]").text_content() == before
    at = box_of(right)["x"]
    viewer.mouse.down()
    viewer.mouse.move(pointed[0] - 10, pointed[1], steps=2)
    viewer.mouse.move(pointed[0] - 50, pointed[1], steps=4)
    viewer.mouse.up()
    assert at - 60 <= box_of(right)["x"] < at - 20


def test_a_pinch_zooms_both(chromium: Browser, site: str) -> None:
    context = new_context(chromium, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{site}/viewer/1?model=first")
    wait_until_drawn(page)
    box = box_of(page.locator(FACE).first)
    x, y = box["x"] + 100, box["y"] + 100
    client = context.new_cdp_session(page)

    def touch(kind: str, *gaps: float) -> None:
        points = [{"x": x + gap, "y": y, "id": i} for i, gap in enumerate(gaps)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -20)
    touch("touchStart", -20, 20)
    for gap in (25, 35, 45, 60):
        touch("touchMove", -gap, gap)
    touch("touchEnd")

    widths = [box_of(page.locator(FACE).nth(i))["width"] for i in (0, 1)]
    assert widths[0] == widths[1] == 6 * 112
    context.close()


@pytest.mark.parametrize(("width", "expected"), [(360, 224), (390, 224), (768, 336), (1440, 448)])
def test_faces_fit_as_whole_multiples(
    chromium: Browser, site: str, width: int, expected: int
) -> None:
    context = new_context(chromium, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{site}/viewer/1?model=first")
    before = box_of(page.locator(".picture").first)
    wait_until_drawn(page)

    boxes = [box_of(page.locator(FACE).nth(i)) for i in (0, 1)]

    assert [box["width"] for box in boxes] == [expected, expected]
    assert (before["x"], before["y"]) == (boxes[0]["x"], boxes[0]["y"])
    context.close()


# --------------------------------------------------------------------------- slider and peeking


def test_the_slider_is_dragged_on_the_face(viewer: Page) -> None:
    plain = shown_pixels(viewer)[0]
    open_more(viewer)
    viewer.select_option("#compare", "original")
    frame(viewer)
    box = box_of(viewer.locator(FACE).first)
    middle = box["y"] + box["height"] / 2

    viewer.mouse.move(box["x"] + box["width"] / 2, middle)
    viewer.mouse.down()
    viewer.mouse.move(box["x"] + box["width"] / 4, middle, steps=3)
    viewer.mouse.up()
    frame(viewer)

    viewer.wait_for_url(re.compile("compare=original.*split=25"))
    shown = shown_pixels(viewer)[0]
    assert np.array_equal(shown[:, :28], plain[:, :28])
    assert not np.array_equal(shown[:, 28:56], plain[:, 28:56])


def test_holding_a_key_or_the_picture_shows_the_original(viewer: Page) -> None:
    drawn = shown_pixels(viewer)
    viewer.goto(f"{viewer.url}&view=original")
    wait_until_drawn(viewer)
    original = shown_pixels(viewer)
    viewer.go_back()
    wait_until_drawn(viewer)

    viewer.keyboard.down("h")
    frame(viewer)
    held = shown_pixels(viewer)
    viewer.keyboard.up("h")
    frame(viewer)
    box = box_of(viewer.locator(FACE).first)
    viewer.mouse.move(box["x"] + 50, box["y"] + 50)
    viewer.mouse.down()
    viewer.wait_for_selector(".stage.is-peeking")
    frame(viewer)
    pressed = shown_pixels(viewer)
    viewer.mouse.up()
    frame(viewer)

    for side in (0, 1):
        assert np.array_equal(held[side], original[side])
        assert np.array_equal(pressed[side], original[side])
        assert np.array_equal(shown_pixels(viewer)[side], drawn[side])


# ---------------------------------------------------------------------------------------- keys


def test_keys_change_what_they_say(viewer: Page) -> None:
    viewer.keyboard.press("e")
    wait_until_drawn(viewer, "II")
    for key in ("[", "[", "]", "s", "c", "+"):
        viewer.keyboard.press(key)
    frame(viewer)

    viewer.wait_for_url(re.compile("zoom="))
    query = query_of(viewer)
    assert query["method"] == ["II"]
    assert query["blend"] == ["90"]
    assert query["scale"] == ["shared"]
    assert query["compare"] == ["original"]
    for key in ("c", "s", "]", "0"):
        viewer.keyboard.press(key)
    viewer.wait_for_url(lambda url: "zoom" not in url)
    assert set(query_of(viewer)) == {"model", "spec", "method"}
    viewer.keyboard.press("m")
    viewer.wait_for_url(re.compile(r"model=(second|third)&method=II$"))  # the set was the model's


def test_the_question_mark_lists_the_keys_and_fields_keep_theirs(viewer: Page) -> None:
    open_more(viewer)
    weight = viewer.get_by_label("Weight of 7 px")
    weight.focus()
    viewer.keyboard.press("e")
    assert "method" not in query_of(viewer)
    viewer.locator("h1").click()

    viewer.keyboard.press("?")

    dialog = viewer.get_by_role("dialog")
    expect(dialog).to_contain_text("compare slider")
    viewer.keyboard.press("e")
    assert "method" not in query_of(viewer)
    viewer.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


# ------------------------------------------------------------------------------------- choices


def test_a_masked_view_lets_no_sign_get_lost(viewer: Page) -> None:
    open_more(viewer)

    viewer.locator("input[name=view][value=masked]").check(force=True)
    frame(viewer)

    expect(viewer.locator("input[name=sign][value=all]")).to_be_disabled()
    expect(viewer.locator("input[name=sign][value=absolute]")).to_be_checked()
    assert query_of(viewer)["view"] == ["masked"]
    blank = (shown_pixels(viewer)[0] == 128).all(axis=2)
    assert blank.mean() == pytest.approx(0.8, abs=0.01)
    viewer.locator("input[name=view][value=xmap]").check(force=True)
    frame(viewer)
    expect(viewer.locator("input[name=sign][value=all]")).to_be_checked()
    assert set(query_of(viewer)) == {"model", "spec"}


def test_weights_are_kept_in_the_address_and_never_all_zero(viewer: Page) -> None:
    before = shown_maps(viewer)[0]
    open_more(viewer)

    viewer.get_by_label("Weight of 28 px").fill("0.5")
    viewer.get_by_label("14 px", exact=True).uncheck()
    viewer.get_by_label("Weight of 7 px").fill("0")
    frame(viewer)

    assert query_of(viewer)["patch"] == ["28"]
    assert query_of(viewer)["weight_28"] == ["0.5"]
    assert np.abs(shown_maps(viewer)[0] - before).max() > 0.01
    viewer.get_by_label("Weight of 28 px").fill("0")
    frame(viewer)
    expect(viewer.get_by_label("Weight of 28 px")).to_have_value("1")


def test_the_colour_bar_has_numbers_and_follows_the_values(viewer: Page) -> None:
    ticks = viewer.locator("[data-tick]")
    assert ticks.all_text_contents()[:5] == ["−1", "−0.5", "0", "+0.5", "+1"]
    open_more(viewer)

    viewer.locator("input[name=sign][value=absolute]").check(force=True)
    frame(viewer)

    assert ticks.all_text_contents()[:5] == ["0", "0.25", "0.5", "0.75", "1"]
    expect(viewer.locator(".ramp-ylorbr")).to_have_count(2)
    viewer.locator("input[name=scale][value=shared]").check(force=True)
    expect(viewer.locator("figcaption").first).to_contain_text("shared by the set")


def test_values_are_read_with_their_rank(viewer: Page) -> None:
    shown = shown_maps(viewer)
    y, x = np.unravel_index(int(np.abs(shown[0]).argmax()), (112, 112))
    box = box_of(viewer.locator(FACE).first)
    scale = box["width"] / 112

    viewer.mouse.move(box["x"] + (int(x) + 0.5) * scale, box["y"] + (int(y) + 0.5) * scale)

    rank = 100 * np.mean(np.abs(shown[1]) < abs(shown[1][y, x]))
    values = viewer.locator("[data-value]").all_text_contents()
    assert re.search(r"[+−]1\.000, percentile (99|100)$", values[0])
    found = re.search(r"percentile (\d+)$", values[1])
    assert found
    assert int(found[1]) == pytest.approx(rank, abs=1)


def test_downloads_follow_the_choices(watched: Watched, viewer: Page, site: str) -> None:
    viewer.locator("input[name=method][value=III]").check(force=True)
    wait_until_drawn(viewer, "III")
    viewer.locator("#blend").fill("40")
    frame(viewer)

    figure = viewer.get_by_role("link", name="PNG with caption")
    chosen = "model=first&spec=default&method=III&blend=40"
    expect(figure).to_have_attribute("href", f"/viewer/1/figure.png?{chosen}")
    with viewer.expect_download() as download:
        figure.click()
    assert download.value.suggested_filename == "xfv-1-first-III-xmap.png"
    viewer.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    viewer.locator("[data-copy-from]").click()
    expect(viewer.locator("[data-copy-from]")).to_have_text("Copied")
    text = viewer.evaluate("() => navigator.clipboard.readText()")
    assert chosen in text
    assert watched.problems == []


def test_words_for_those_who_do_not_see_follow_too(viewer: Page) -> None:
    face = viewer.locator(FACE).first
    expect(face).to_have_attribute(
        "aria-label",
        re.compile(
            r"^Left face, .*: X-Map of method I, model First; most similar near the .*column"
        ),
    )

    viewer.locator("input[name=view][value=map]").check(force=True)

    expect(face).to_have_attribute("aria-label", re.compile("heat map of method I"))
