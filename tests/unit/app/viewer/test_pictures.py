"""Pictures that the server draws: what each choice does to the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.viewer.choices import Choice
from app.viewer.context import scientific
from app.viewer.pictures import OUTLINE, draw, outline, read_png, write_png
from compute.blending import colour_map, xmap
from compute.occlusion import OcclusionSpec
from compute.xmaps import similarity_map

SPEC = OcclusionSpec()
RANDOM = np.random.default_rng(5)
FACE = RANDOM.integers(0, 256, (112, 112, 3), dtype=np.uint8)
DEVIATIONS = RANDOM.normal(0, 0.02, SPEC.count).astype(np.float32)
CHOICE = Choice()
MAP = similarity_map(DEVIATIONS, SPEC)


def test_the_default_is_the_published_xmap() -> None:
    assert np.array_equal(draw(FACE, DEVIATIONS, SPEC, CHOICE), xmap(FACE, MAP.values))


def test_the_map_alone_is_its_colours() -> None:
    drawn = draw(FACE, DEVIATIONS, SPEC, replace(CHOICE, view="map"))

    assert np.array_equal(drawn, colour_map(MAP.values))


@pytest.mark.parametrize("choice", [replace(CHOICE, view="original"), replace(CHOICE, blend=0)])
def test_original_and_no_opacity_are_the_face(choice: Choice) -> None:
    assert np.array_equal(draw(FACE, DEVIATIONS, SPEC, choice), FACE)


def test_half_opacity_lies_half_way() -> None:
    drawn = draw(FACE, DEVIATIONS, SPEC, replace(CHOICE, view="map", blend=50))

    expected = (FACE.astype(float) + colour_map(MAP.values)) / 2
    assert np.abs(drawn - expected).max() <= 0.5


def test_patch_sizes_and_normalisation_reach_the_map() -> None:
    choice = replace(CHOICE, view="map", patch=(28,), normalise="coverage")
    expected = similarity_map(DEVIATIONS, SPEC, normalise="coverage", patch_sizes=[28])

    assert np.array_equal(draw(FACE, DEVIATIONS, SPEC, choice), colour_map(expected.values))


def test_a_shared_scale_makes_a_weak_map_look_weak() -> None:
    choice = replace(CHOICE, view="map")

    drawn = draw(FACE, DEVIATIONS, SPEC, choice, shared_scale=10 * MAP.scale)

    assert np.array_equal(drawn, colour_map(MAP.values / 10))


def test_an_outline_surrounds_the_mask_and_spares_its_inside() -> None:
    mask = np.zeros((112, 112), dtype=np.uint8)
    mask[10:20, 30:50] = 255

    drawn = outline(FACE, mask)

    assert (drawn[10, 30:50] == OUTLINE).all()
    assert (drawn[10:20, 49] == OUTLINE).all()
    assert np.array_equal(drawn[11:19, 31:49], FACE[11:19, 31:49])
    assert np.array_equal(drawn[:10], FACE[:10])


def test_png_keeps_every_pixel() -> None:
    assert np.array_equal(read_png(write_png(FACE)), FACE)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0123, "0.0123"), (1.234, "1.23"), (2.314e-5, "2.31 × 10⁻⁵")],
)
def test_small_numbers_are_written_as_people_do(value: float, text: str) -> None:
    assert scientific(value) == text
