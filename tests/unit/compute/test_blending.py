"""Colours and X-Maps (Algorithm 2)."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute import xmap
from compute.blending import PIYG, RDBU, YLORBR, colour_map

ZERO = np.zeros((112, 112))


def random_image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def random_map(seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-1, 1, (112, 112))


def lightness(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (image.max(axis=2).astype(float) + image.min(axis=2)) / 2
    return values


def test_table_is_that_of_matplotlib() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    expected = np.asarray(matplotlib.colormaps["PiYG"](np.arange(256)))[:, :3]
    assert PIYG.shape == (256, 3)
    assert np.abs(PIYG - expected).max() <= 1 / 255
    with pytest.raises(ValueError, match="read-only"):
        PIYG[0] = 0


def test_green_is_similar_and_magenta_dissimilar() -> None:
    ramp = np.tile(np.linspace(-1, 1, 112), (112, 1))
    coloured = colour_map(ramp)
    assert coloured[0, 0].tolist() == [142, 1, 82]
    assert coloured[0, -1].tolist() == [39, 100, 25]


def test_values_index_the_table_as_in_matplotlib() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    values = random_map()
    values[0, :4] = (-1.0, 1.0, 0.0, np.nextafter(0.0, -1.0))
    expected = np.asarray(matplotlib.colormaps["PiYG"]((values + 1) / 2))[..., :3]
    assert np.abs(colour_map(values) - expected * 255).max() <= 0.5 + 1e-9


def test_values_outside_are_clipped() -> None:
    beyond = np.full((112, 112), 1.5)
    np.testing.assert_array_equal(colour_map(beyond), colour_map(np.ones((112, 112))))
    np.testing.assert_array_equal(colour_map(-beyond), colour_map(-np.ones((112, 112))))


@pytest.mark.parametrize("value", [0, 1, 77, 128, 254, 255])
def test_zero_map_leaves_a_gray_image_as_it_is(value: int) -> None:
    gray = np.full((112, 112, 3), value, dtype=np.uint8)
    assert np.abs(xmap(gray, ZERO).astype(int) - value).max() <= 1


def test_zero_map_takes_the_colour_of_a_colour_image() -> None:
    picture = xmap(random_image(), ZERO).astype(int)
    assert (picture.max(axis=2) - picture.min(axis=2)).max() <= 1


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_extreme_values_by_hand(value: float) -> None:
    image = random_image()
    picture = xmap(image, np.full((112, 112), value))
    end = (PIYG[0] if value < 0 else PIYG[-1]).tolist()
    hue, saturation = colorsys.rgb_to_hls(*end)[0], colorsys.rgb_to_hsv(*end)[1]
    for y, x in ((0, 0), (3, 70), (56, 56), (111, 111)):
        light = colorsys.rgb_to_hls(*(image[y, x] / 255).tolist())[1]
        expected = [255 * channel for channel in colorsys.hls_to_rgb(hue, light, saturation)]
        np.testing.assert_allclose(picture[y, x], expected, rtol=0, atol=0.5 + 1e-6)


def test_lightness_is_that_of_the_image() -> None:
    image = random_image()
    picture = xmap(image, random_map())
    assert picture.dtype == np.uint8
    assert np.abs(lightness(picture) - lightness(image)).max() <= 1


def test_black_and_white_stay() -> None:
    for value in (0, 255):
        image = np.full((112, 112, 3), value, dtype=np.uint8)
        np.testing.assert_array_equal(xmap(image, random_map()), image)


def test_inputs_are_not_modified() -> None:
    image, values = random_image(), random_map()
    image.setflags(write=False)
    values.setflags(write=False)
    xmap(image, values)


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (np.zeros((112, 112), dtype=np.uint8), r"\(112, 112\)"),
        (np.zeros((96, 112, 3), dtype=np.uint8), r"\(96, 112, 3\)"),
        (np.zeros((112, 112, 4), dtype=np.uint8), r"\(112, 112, 4\)"),
        (np.zeros((112, 112, 3)), "float64"),
    ],
)
def test_another_image_is_refused_and_shown(image: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        xmap(image, ZERO)


@pytest.mark.parametrize("shape", [(112,), (111, 112), (112, 112, 1), (1, 112, 112)])
def test_another_map_is_refused_and_shown(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        xmap(random_image(), np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_refused(bad: float) -> None:
    values = np.zeros((112, 112))
    values[5, 5] = bad
    with pytest.raises(ValueError, match="finite"):
        xmap(random_image(), values)


@pytest.mark.parametrize("table", [PIYG, RDBU, YLORBR])
def test_any_pixel_is_blended_as_the_equations_say(table: NDArray[np.float64]) -> None:
    image, values = random_image(), random_map()
    image[:, :56] //= 2
    picture = xmap(image, values, table)
    colours = table[np.floor((values + 1) / 2 * 256).astype(int)]
    for y, x in np.random.default_rng(2).integers(0, 112, (500, 2)):
        colour, pixel = colours[y, x].tolist(), (image[y, x] / 255).tolist()
        hue, saturation = colorsys.rgb_to_hls(*colour)[0], colorsys.rgb_to_hsv(*colour)[1]
        light = colorsys.rgb_to_hls(*pixel)[1]
        expected = [255 * channel for channel in colorsys.hls_to_rgb(hue, light, saturation)]
        np.testing.assert_allclose(picture[y, x], expected, rtol=0, atol=0.5 + 1e-6)
