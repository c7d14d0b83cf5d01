"""What is published of a pair is a function of the deviations that are stored."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.blending import xmap
from compute.explanation import ROWS, Method, Side, row_name
from compute.occlusion import OcclusionSpec
from compute.rendering import RenderedExplanation, render
from compute.xmaps import similarity_map

SPEC = OcclusionSpec(patch_sizes=(14, 28), stride=14)


def faces() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    return first, second


def deviations(scale: float = 0.1) -> dict[tuple[Method, Side], NDArray[np.float64]]:
    random = np.random.default_rng(1)
    return {row: random.normal(0, scale, SPEC.count) for row in ROWS}


def unpacked(rendered: RenderedExplanation) -> NDArray[np.float32]:
    raw = zlib.decompress(rendered.deviations)
    return np.frombuffer(raw, dtype="<f4").reshape(len(ROWS), SPEC.count)


def test_deviations_come_back_as_float32_in_the_documented_order() -> None:
    given = deviations()
    stored = unpacked(render(given, SPEC, faces()))
    for row, values in zip(ROWS, stored, strict=True):
        assert np.array_equal(values, given[row].astype(np.float32))


def test_maps_and_scales_are_those_of_the_stored_deviations() -> None:
    images = faces()
    rendered = render(deviations(), SPEC, images)
    assert set(rendered.xmaps) == {"I1", "I2", "II1", "II2", "III1", "III2"}
    assert set(rendered.scales) == {"count", "coverage"}
    assert rendered.status == "ok"
    for (method, side), values in zip(ROWS, unpacked(rendered), strict=True):
        for normalise, scales in rendered.scales.items():
            expected = similarity_map(values, SPEC, normalise=normalise)  # type: ignore[arg-type]
            assert scales[row_name(method, side)] == expected.scale
        drawn = similarity_map(values, SPEC).values
        for shown in (1, 2) if method == "III" else (side,):
            assert np.array_equal(
                rendered.xmaps[f"{method}{shown}"], xmap(images[shown - 1], drawn)
            )


def test_a_pair_is_flat_only_where_every_row_is() -> None:
    flat = {row: np.full(SPEC.count, 1e-9) for row in ROWS}
    rendered = render(flat, SPEC, faces())
    assert rendered.status == "flat"
    assert set(rendered.scales["count"].values()) == {0.0}
    assert render({**flat, ("II", 2): deviations()["II", 2]}, SPEC, faces()).status == "ok"


def test_the_same_pair_gives_the_same_bytes() -> None:
    first, again = (render(deviations(), SPEC, faces()) for _ in range(2))
    assert first.deviations == again.deviations
    assert first.scales == again.scales


def test_deviations_that_are_not_finite_are_never_published() -> None:
    given = deviations()
    given["I", 1][3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        render(given, SPEC, faces())
