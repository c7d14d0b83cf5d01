"""The figures of the method agree with the code that computes."""

from __future__ import annotations

import numpy as np
import pytest

from app.pages.illustrations import (
    PATCHES,
    draw_deviations,
    draw_grids,
    draw_profiles,
    occlude_once,
)
from compute.occlusion import OcclusionSpec, fill_image, mask_template, masks


def test_grids_state_the_numbers_of_the_paper_the_published_code_and_full_cover() -> None:
    found = {grid.name: grid for grid in draw_grids()}

    assert list(found) == ["paper", "published", "full"]
    assert [grid.total for grid in found.values()] == [1058, 1130, 1249]
    assert found["paper"].counts == ((7, 21), (14, 19), (28, 16))
    assert [grid.covered for grid in found.values()] == [103, 109, 112]
    assert found["paper"].centres.startswith("M14,14h0M19,14h0")
    assert found["paper"].centres.count("h0") == 256


@pytest.mark.parametrize("name", ["paper", "published", "full"])
def test_the_covered_part_is_what_the_masks_reach(name: str) -> None:
    (grid,) = [grid for grid in draw_grids() if grid.name == name]
    spec = OcclusionSpec(patch_sizes=(28,), grid=grid.name)  # type: ignore[arg-type]

    reached = masks(spec, 28).max(axis=0) > 0

    assert reached[: grid.covered, : grid.covered].all()
    assert reached.sum() == grid.covered**2


def test_profiles_are_the_middle_rows_of_the_masks() -> None:
    plot, profiles = draw_profiles()

    assert [profile.blur for profile in profiles] == [0, 7, 14, 56]
    for profile in profiles:
        template, _ = mask_template(OcclusionSpec(patch_sizes=(28,), blur=profile.blur), 28)
        places = [float(part.split(",")[1]) for part in profile.path[1:].split("L")]
        values = [(plot.y.start - y) / (plot.y.start - plot.y.stop) for y in places]
        assert values[2:-2:2] == pytest.approx(template[len(template) // 2].tolist(), abs=1e-3)
        assert values[0] == values[-1] == 0


@pytest.mark.parametrize("name", PATCHES)
def test_one_patch_hides_the_middle_and_nothing_else(name: str) -> None:
    spec = PATCHES[name]
    face = np.random.default_rng(1).integers(1, 255, (112, 112, 3), dtype=np.uint8)

    shown = occlude_once(face, spec)

    mask = masks(spec, 28)[8 * 16 + 8]
    expected = np.rint(face * (1 - mask[..., None]) + fill_image(spec) * mask[..., None])
    assert np.array_equal(shown, expected.astype(np.uint8))
    assert np.array_equal(shown[:10, :10], face[:10, :10]) or spec.blur == 56
    assert not np.array_equal(shown, face)


def test_deviations_are_coloured_where_their_patch_lies() -> None:
    spec = OcclusionSpec(patch_sizes=(14, 28))
    deviations = np.zeros(spec.count)
    deviations[3 * 19 + 5] = 0.5  # size 14, row 3, column 5
    deviations[19 * 19 + 2] = -0.25  # size 28, row 0, column 2

    small, large = draw_deviations(deviations.tolist(), spec)

    assert (small.patch_size, small.side, small.largest) == (14, 19, 0.5)
    assert [(cell.x, cell.y) for cell in small.cells if cell.deviation] == [(5, 3)]
    assert small.cells[3 * 19 + 5].colour == "#276419"  # the greenest of PiYG
    assert [cell.colour for cell in large.cells if cell.deviation] == ["#8e0152"]
    flat = draw_deviations([0.0] * spec.count, spec)[0]
    assert {cell.colour for cell in flat.cells} == {small.cells[0].colour}
