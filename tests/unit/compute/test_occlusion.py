"""Occlusion: where patches lie, what they look like, what they do to an image."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compute import OcclusionSpec
from compute.occlusion import (
    fill_image,
    mask_template,
    masks,
    occluded_batches,
)

Grid = Any


def random_image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def all_occluded(image: NDArray[np.uint8], spec: OcclusionSpec) -> NDArray[np.uint8]:
    return np.concatenate(list(occluded_batches(image, spec, batch=100)))


@pytest.mark.parametrize(
    ("grid", "counts", "total"),
    [
        ("paper", (441, 361, 256), 1058),
        ("published", (441, 400, 289), 1130),
        ("full", (484, 441, 324), 1249),
    ],
)
def test_counts(grid: Grid, counts: tuple[int, ...], total: int) -> None:
    spec = OcclusionSpec(grid=grid)
    assert spec.counts == counts
    assert spec.count == total
    assert [len(masks(spec, p)) for p in spec.patch_sizes] == list(counts)


def test_order_is_patch_size_then_y_then_x() -> None:
    spec = OcclusionSpec(patch_sizes=(28, 7))
    assert spec.slices() == {28: slice(0, 256), 7: slice(256, 697)}
    white = np.full((112, 112, 3), 255, dtype=np.uint8)
    copies = all_occluded(white, spec)

    def corner(index: int) -> tuple[int, int]:
        rows, columns = np.nonzero(copies[index, :, :, 0] == 0)
        return int(rows.min()), int(columns.min())

    assert [corner(i) for i in (0, 1, 16, 256, 257, 277, 696)] == [
        (0, 0),
        (0, 5),
        (5, 0),
        (0, 0),
        (0, 5),
        (5, 0),
        (100, 100),
    ]


@pytest.mark.parametrize("p", [7, 14, 28])
def test_paper_grid_keeps_whole_strides(p: int) -> None:
    positions = OcclusionSpec().positions(p)
    assert positions == tuple(5 * i for i in range((112 - p) // 5))


@pytest.mark.parametrize("p", [7, 14, 28])
def test_published_grid_draws_one_pixel_more(p: int) -> None:
    spec = OcclusionSpec(grid="published")
    sums = masks(spec, p).sum(axis=(1, 2))
    assert set(sums.tolist()) == {(p + 1) ** 2}, "no patch may be cut by the border"


@pytest.mark.parametrize("p", [7, 14, 28])
def test_full_grid_covers_every_pixel_and_ends_flush(p: int) -> None:
    spec = OcclusionSpec(grid="full")
    assert masks(spec, p).max(axis=0).min() == 1
    assert spec.positions(p)[-1] == 112 - p
    assert masks(spec, p)[-1, -p:, -p:].min() == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 111), st.integers(1, 112), st.sampled_from(["paper", "published", "full"]))
def test_positions_follow_their_formula_and_stay_inside(p: int, stride: int, grid: Grid) -> None:
    expected = {
        "paper": (112 - p) // stride,
        "published": -((p - 112) // stride),
        "full": -((p - 112) // stride) + 1,
    }[grid]
    if expected == 0:
        with pytest.raises(ValueError, match=f"patch size {p}"):
            OcclusionSpec(patch_sizes=(p,), stride=stride, grid=grid)
        return
    spec = OcclusionSpec(patch_sizes=(p,), stride=stride, grid=grid)
    positions = spec.positions(p)
    assert len(positions) == expected
    assert positions[0] == 0
    assert list(positions) == sorted(set(positions))
    assert positions[-1] + spec.drawn_size(p) <= 112


@pytest.mark.parametrize("p", [7, 14, 28])
def test_circle_is_inscribed_in_its_square(p: int) -> None:
    template, reach = mask_template(OcclusionSpec(shape="circle"), p)
    assert template.shape == (p, p)
    assert reach == 0
    assert set(np.unique(template)) == {0.0, 1.0}
    np.testing.assert_array_equal(template, template.T)
    np.testing.assert_array_equal(template, template[::-1])
    assert template[0].any(), "it touches the side of its square"
    assert template[0, 0] == 0, "and leaves the corner free"
    assert template.sum() == pytest.approx(np.pi * (p / 2) ** 2, rel=0.06)


def test_small_circle_by_hand() -> None:
    template, _ = mask_template(OcclusionSpec(patch_sizes=(4,), shape="circle"), 4)
    # centres at 0.5 and 1.5 from the middle: 1.5^2 + 1.5^2 > 2^2 >= 1.5^2 + 0.5^2
    np.testing.assert_array_equal(
        template, [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]
    )


@pytest.mark.parametrize("shape", ["square", "circle"])
@pytest.mark.parametrize("blur", [7, 14, 56])
@pytest.mark.parametrize("grid", ["paper", "published", "full"])
def test_blurred_mask_lies_in_0_to_1_with_maximum_1(shape: Any, blur: int, grid: Grid) -> None:
    spec = OcclusionSpec(shape=shape, blur=blur, grid=grid, stride=28)
    for p in spec.patch_sizes:
        soft = masks(spec, p)
        assert soft.min() >= 0
        np.testing.assert_allclose(soft.max(axis=(1, 2)), 1, rtol=0, atol=1e-15)


def test_blur_by_hand() -> None:
    spec = OcclusionSpec(patch_sizes=(1,), blur=7)
    soft = masks(spec, 1)[24]  # one pixel at (5, 10): the kernel itself, over its maximum
    assert soft[5, 10] == 1
    assert soft[5, 13] == pytest.approx(np.exp(-9 / 98))
    assert soft[6, 12] == pytest.approx(np.exp(-5 / 98))
    assert soft[5, 14] == 0, "a kernel of 7 reaches 3 pixels"


def test_hard_mask_replaces_and_leaves_the_rest() -> None:
    image = random_image()
    spec = OcclusionSpec(patch_sizes=(14,), fill="gray")
    copies = all_occluded(image, spec)
    for copy, mask in zip(copies, masks(spec, 14), strict=True):
        assert (copy[mask == 1] == 128).all()
        np.testing.assert_array_equal(copy[mask == 0], image[mask == 0])


def test_soft_mask_blends_and_rounds_half_to_even() -> None:
    image = random_image()
    spec = OcclusionSpec(patch_sizes=(28,), stride=28, blur=14, fill="noise", seed=3)
    copies = all_occluded(image, spec)
    for copy, mask in zip(copies, masks(spec, 28), strict=True):
        m = mask[..., None]
        blend = image * (1 - m) + fill_image(spec) * m
        assert np.abs(copy - blend).max() <= 0.5 + 1e-9


def test_halves_round_to_even(monkeypatch: pytest.MonkeyPatch) -> None:
    half = (np.full((2, 2), 0.5), 0)
    monkeypatch.setattr("compute.occlusion.mask_template", lambda spec, p: half)
    spec = OcclusionSpec(patch_sizes=(2,), stride=110, blur=7)
    for value, expected in ((1, 0), (3, 2), (5, 2), (7, 4), (255, 128)):
        image = np.full((112, 112, 3), value, dtype=np.uint8)
        assert all_occluded(image, spec)[0, 0, 0].tolist() == [expected] * 3


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("gray", 128), ("white", 255)])
def test_plain_fills(fill: Any, value: int) -> None:
    assert set(np.unique(fill_image(OcclusionSpec(fill=fill)))) == {value}


def test_noise_is_one_image_by_seed_for_all_occlusions() -> None:
    spec = OcclusionSpec(patch_sizes=(28,), fill="noise", seed=5)
    noise = fill_image(spec)
    np.testing.assert_array_equal(noise, fill_image(spec))
    assert (noise != fill_image(OcclusionSpec(fill="noise", seed=6))).mean() > 0.9
    assert noise.min() == 0
    assert noise.max() == 255
    for copy, mask in zip(all_occluded(random_image(), spec), masks(spec, 28), strict=True):
        np.testing.assert_array_equal(copy[mask == 1], noise[mask == 1])


@pytest.mark.parametrize("batch", [1, 7, 16, 1058, 5000])
def test_batches_cut_the_same_copies(batch: int) -> None:
    spec = OcclusionSpec(patch_sizes=(14, 28), stride=9, blur=7)
    image = random_image()
    parts = list(occluded_batches(image, spec, batch=batch))
    assert all(len(part) == batch for part in parts[:-1])
    assert len(parts[-1]) <= batch
    np.testing.assert_array_equal(np.concatenate(parts), all_occluded(image, spec))


@pytest.mark.parametrize("blur", [0, 14])
def test_the_image_is_never_modified(blur: int) -> None:
    image = random_image()
    before = image.copy()
    image.setflags(write=False)
    for copies in occluded_batches(image, OcclusionSpec(patch_sizes=(28,), blur=blur), batch=16):
        copies[:] = 0  # nor by who gets the copies
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"patch_sizes": ()}, "patch_sizes=()"),
        ({"patch_sizes": (7, 7)}, "patch_sizes=(7, 7)"),
        ({"patch_sizes": (7.0,)}, "patch_sizes=7.0"),
        ({"patch_sizes": (0,)}, "patch size 0"),
        ({"patch_sizes": (-3,)}, "patch size -3"),
        ({"patch_sizes": (113,)}, "patch size 113"),
        ({"patch_sizes": (110,)}, "patch size 110"),
        ({"stride": 0}, "stride=0"),
        ({"stride": -5}, "stride=-5"),
        ({"stride": 113}, "stride=113"),
        ({"stride": 2.5}, "stride=2.5"),
        ({"stride": True}, "stride=True"),
        ({"shape": "triangle"}, "shape='triangle'"),
        ({"fill": "grey"}, "fill='grey'"),
        ({"blur": 5}, "blur=5"),
        ({"blur": -7}, "blur=-7"),
        ({"blur": "7"}, "blur='7'"),
        ({"grid": "dense"}, "grid='dense'"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": None}, "seed=None"),
    ],
)
def test_a_bad_option_names_itself(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        OcclusionSpec(**options)


def test_a_bare_patch_size_names_itself() -> None:
    with pytest.raises(ValueError, match="patch_sizes=14"):
        OcclusionSpec(patch_sizes=14)  # type: ignore[arg-type]


def test_a_list_of_sizes_becomes_a_tuple_and_the_spec_stays_hashable() -> None:
    spec = OcclusionSpec(patch_sizes=[14, 7])  # type: ignore[arg-type]
    assert spec.patch_sizes == (14, 7)
    assert hash(spec) == hash(OcclusionSpec(patch_sizes=(14, 7)))


def test_dict_round_trip_and_unknown_option() -> None:
    spec = OcclusionSpec(
        patch_sizes=(14,), shape="circle", fill="noise", blur=7, grid="full", seed=9
    )
    assert OcclusionSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="'colour'"):
        OcclusionSpec.from_dict({"colour": "red"})
