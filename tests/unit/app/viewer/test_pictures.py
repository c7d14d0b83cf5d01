"""Pictures that the server draws: what each choice does to the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.viewer.choices import Choice
from app.viewer.context import scientific
from app.viewer.maps import chosen_map, of_sign, shown_map, strongest
from app.viewer.pictures import BLANK, OUTLINE, draw, grey, outline, read_png, write_png
from compute.blending import RDBU, YLORBR, colour_map, xmap
from compute.occlusion import OcclusionSpec
from compute.xmaps import similarity_map

SPEC = OcclusionSpec()
RANDOM = np.random.default_rng(5)
FACE = RANDOM.integers(0, 256, (112, 112, 3), dtype=np.uint8)
DEVIATIONS = RANDOM.normal(0, 0.02, SPEC.count)
CHOICE = Choice()
MAP = similarity_map(DEVIATIONS, SPEC)


def drawn(choice: Choice, *, shared: float | None = None) -> NDArray[np.uint8]:
    found = chosen_map(DEVIATIONS, SPEC, choice)
    return draw(FACE, shown_map(found, choice, shared=shared), choice)


def test_the_default_is_the_published_xmap() -> None:
    assert np.array_equal(drawn(CHOICE), xmap(FACE, MAP.values))


def test_the_map_alone_is_its_colours() -> None:
    assert np.array_equal(drawn(replace(CHOICE, view="map")), colour_map(MAP.values))


@pytest.mark.parametrize("choice", [replace(CHOICE, view="original"), replace(CHOICE, blend=0)])
def test_original_and_no_opacity_are_the_face(choice: Choice) -> None:
    assert np.array_equal(drawn(choice), FACE)


def test_half_opacity_lies_half_way() -> None:
    expected = (FACE.astype(float) + colour_map(MAP.values)) / 2

    assert np.abs(drawn(replace(CHOICE, view="map", blend=50)) - expected).max() <= 0.5


def test_a_grey_base_is_luma_under_the_map() -> None:
    pixel = np.array([[[255, 0, 0], [0, 255, 0], [10, 10, 10]]], dtype=np.uint8)

    assert grey(pixel)[0].tolist() == [[76] * 3, [150] * 3, [10] * 3]
    assert np.array_equal(drawn(replace(CHOICE, base="grey", blend=0)), grey(FACE))


def test_patch_sizes_and_normalisation_reach_the_map() -> None:
    choice = replace(CHOICE, view="map", patch=(28,), normalise="coverage")
    expected = similarity_map(DEVIATIONS, SPEC, normalise="coverage", patch_sizes=[28])

    assert np.array_equal(drawn(choice), colour_map(expected.values))


def test_weights_move_the_map_between_those_of_single_sizes() -> None:
    sizes = {p: similarity_map(DEVIATIONS, SPEC, patch_sizes=[p]) for p in (7, 14, 28)}
    raw = {p: found.values * found.scale for p, found in sizes.items()}

    found = chosen_map(DEVIATIONS, SPEC, replace(CHOICE, weights=((7, 3.0), (14, 0.0))))

    assert np.allclose(found.values * found.scale, (3 * raw[7] + raw[28]) / 4, atol=1e-15)


def test_a_shared_scale_makes_a_weak_map_look_weak() -> None:
    choice = replace(CHOICE, view="map")

    assert np.array_equal(drawn(choice, shared=10 * MAP.scale), colour_map(MAP.values / 10))


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        ("all", [-0.5, 0.0, 1.0]),
        ("similar", [0.0, 0.0, 1.0]),
        ("dissimilar", [-0.5, 0.0, 0.0]),
        ("absolute", [0.5, 0.0, 1.0]),
    ],
)
def test_signs_by_hand(sign: str, expected: list[float]) -> None:
    assert of_sign(np.array([-0.5, 0.0, 1.0]), sign).tolist() == expected


def test_the_strongest_are_by_size_and_never_zero() -> None:
    values = np.array([[0.0, -0.9, 0.1, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0, 0.8]])

    assert np.argwhere(strongest(values, 20)).tolist() == [[0, 1], [1, 4]]
    assert strongest(values, 100).sum() == 5


def test_weak_places_show_the_base() -> None:
    picture = drawn(replace(CHOICE, view="map", top=10, base="grey"))
    where = strongest(MAP.values, 10)

    assert 0.09 < where.mean() < 0.11
    assert np.array_equal(picture[where], colour_map(MAP.values)[where])
    assert np.array_equal(picture[~where], grey(FACE)[~where])


def test_a_masked_view_is_the_face_where_the_map_is_strong() -> None:
    picture = drawn(replace(CHOICE, view="masked", sign="similar", top=30))
    where = strongest(np.maximum(MAP.values, 0), 30)

    assert np.array_equal(picture[where], FACE[where])
    assert (picture[~where] == BLANK).all()


def test_sizes_without_sign_have_a_table_without_sign() -> None:
    picture = drawn(replace(CHOICE, view="map", sign="absolute"))

    assert np.array_equal(picture, colour_map(2 * np.abs(MAP.values) - 1, YLORBR))
    reds = drawn(replace(CHOICE, view="map", colours="rdbu"))
    assert np.array_equal(reds, colour_map(MAP.values, RDBU))


def test_a_slider_has_another_view_to_its_right() -> None:
    picture = drawn(replace(CHOICE, view="map", compare="original", split=25))

    assert np.array_equal(picture[:, :28], colour_map(MAP.values)[:, :28])
    assert np.array_equal(picture[:, 28:], FACE[:, 28:])


def test_a_slider_may_have_another_method_to_its_right() -> None:
    other = similarity_map(DEVIATIONS[::-1], SPEC)
    shown = [shown_map(found, CHOICE) for found in (MAP, other)]

    picture = draw(FACE, shown[0], replace(CHOICE, compare="II"), other=shown[1])

    assert np.array_equal(picture[:, 56:], xmap(FACE, other.values)[:, 56:])


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
