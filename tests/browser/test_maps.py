"""The browser draws what the library draws: golden vectors, the server's maps, its pictures."""

from __future__ import annotations

import base64
import io
import json
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from compute.occlusion import OcclusionSpec
from compute.xmaps import similarity_map
from tests import factories
from tests.browser.conftest import (
    Watched,
    golden,
    shown_maps,
    shown_pixels,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser

SETS = sorted(golden()["sets"])
FIRST_MODEL = 1
ROWS = ["I1", "I2", "II1", "II2", "III"]

# Runs in the page: the largest errors of maps, scales and X-Maps of one golden set.
COMPARE = """
async ([moduleUrl, text]) => {
  const { similarityMap, xmap } = await import(moduleUrl);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text, length) => {
    const buffer = bytes(text).buffer;
    return buffer.byteLength === 8 * length ? new Float64Array(buffer) : new Float32Array(buffer);
  };
  const { set, images } = JSON.parse(text);
  const count = set.counts.reduce((sum, n) => sum + n, 0);
  const worst = { map: 0, scale: 0, xmap: 0, pictures: 0 };
  const values = {};
  for (const [name, row] of Object.entries(set.rows)) {
    const deviations = Float64Array.from(floats(row.deviations, count));
    const drawn = similarityMap(deviations, set.spec, set);
    const side = Math.ceil(112 / row.map_step); // the golden maps hold every third pixel
    const expected = floats(row.map, side * side);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const value = drawn.values[row.map_step * (112 * y + x)];
        worst.map = Math.max(worst.map, Math.abs(value - expected[y * side + x]));
      }
    }
    worst.scale = Math.max(worst.scale, Math.abs(drawn.scale / row.scale - 1));
    values[name] = drawn.values;
  }
  for (const [name, picture] of Object.entries(set.xmaps ?? {})) {
    const side = name.at(-1);
    const map = values[name.startsWith("III") ? "III" : name];
    const drawn = xmap(bytes(images[side]), map);
    const expected = bytes(picture);
    drawn.forEach((value, i) => {
      worst.xmap = Math.max(worst.xmap, Math.abs(value - expected[i]));
    });
    worst.pictures += 1;
  }
  return worst;
}
"""


def module_url(page: Page) -> str:
    viewer = page.get_attribute("script[src$='/js/viewer.js']", "src")
    assert viewer is not None
    return viewer.replace("viewer.js", "xmaps.js")


@pytest.mark.parametrize("name", SETS)
def test_golden_maps_and_xmaps_are_met(viewer: Page, name: str) -> None:
    vectors = golden()
    text = json.dumps({"set": vectors["sets"][name], "images": vectors["images"]})

    worst = viewer.evaluate(COMPARE, [module_url(viewer), text])

    assert worst["map"] <= 1e-3
    assert worst["scale"] <= 1e-3
    assert worst["xmap"] <= 1
    assert worst["pictures"] == len(vectors["sets"][name].get("xmaps") or {})


def test_the_colour_table_is_the_golden_one(viewer: Page) -> None:
    table = np.frombuffer(base64.b64decode(golden()["piyg"]), "<f4").reshape(256, 3)

    shown = viewer.evaluate("async (url) => (await import(url)).PIYG", module_url(viewer))

    assert np.abs(np.array(shown) - table).max() < 1e-6


@pytest.mark.parametrize("method", ["I", "II", "III"])
@pytest.mark.parametrize(("normalise", "patch"), [("count", None), ("coverage", [14, 28])])
def test_canvases_show_the_maps_of_the_server(
    watched: Watched, site: str, method: str, normalise: Any, patch: list[int] | None
) -> None:
    query = f"model=first&method={method}&normalise={normalise}"
    query += "".join(f"&patch={p}" for p in patch or [])

    watched.page.goto(f"{site}/viewer/3?{query}")
    wait_until_drawn(watched.page, method)

    rows = factories.deviations(3, FIRST_MODEL)
    for side, shown in enumerate(shown_maps(watched.page), start=1):
        row = rows[ROWS.index("III" if method == "III" else f"{method}{side}")]
        expected = similarity_map(row, OcclusionSpec(), normalise=normalise, patch_sizes=patch)
        assert np.abs(shown - expected.values).max() < 1e-3


@pytest.mark.parametrize("normalise", ["count", "coverage"])
def test_weights_of_patch_sizes_are_those_of_the_server(
    watched: Watched, site: str, normalise: Any
) -> None:
    query = f"model=first&spec=default&normalise={normalise}&weight_7=0.25&weight_28=0"
    watched.page.goto(f"{site}/viewer/3?{query}&weight_14=3")
    wait_until_drawn(watched.page)

    row = factories.deviations(3, FIRST_MODEL)[0]
    weights = {7: 0.25, 14: 3.0}
    expected = similarity_map(
        row, OcclusionSpec(), normalise=normalise, patch_sizes=[7, 14], weights=weights
    )
    assert np.abs(shown_maps(watched.page)[0] - expected.values).max() < 1e-3
    with urlopen(f"{site}/viewer/3/1.npy?{query}&weight_14=3") as answer:
        raw = np.load(io.BytesIO(answer.read()), allow_pickle=False)
    assert np.allclose(raw, expected.values * expected.scale, rtol=0, atol=1e-12)


PICTURES = [
    "",
    "method=II",
    "method=III&normalise=coverage&patch=14&patch=28",
    "view=original",
    "view=map&scale=shared",
    "view=map&scale=shared&top=30&colours=rdbu",
    "blend=35&normalise=coverage&base=grey",
    "sign=similar&top=50",
    "sign=dissimilar&view=map&blend=70",
    "sign=absolute&top=17&base=grey",
    "view=masked&sign=similar&top=33",
    "view=masked&sign=absolute&blend=60&base=grey",
    "compare=original&split=30",
    "view=map&compare=xmap&split=71",
    "compare=III&split=10&scale=shared&weight_7=2.5&weight_28=0.1",
]


@pytest.mark.parametrize("query", PICTURES)
def test_canvases_show_the_pictures_of_the_server(watched: Watched, site: str, query: str) -> None:
    watched.page.goto(f"{site}/viewer/3?model=first&spec=default&{query}")
    method = "III" if "method=III" in query else "II" if "method=II" in query else "I"
    wait_until_drawn(watched.page, method)

    for side, shown in enumerate(shown_pixels(watched.page), start=1):
        address = f"{site}/viewer/3/{side}.png?model=first&spec=default&{query}"
        with urlopen(address) as answer, Image.open(io.BytesIO(answer.read())) as picture:
            expected = np.asarray(picture.convert("RGB"))
        assert np.abs(shown.astype(int) - expected).max() <= 1
