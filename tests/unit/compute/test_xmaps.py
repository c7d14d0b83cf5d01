"""Similarity maps from deviations (eq. 9 and 10, smoothing, normalisation)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute import OcclusionSpec
from compute.occlusion import masks
from compute.xmaps import similarity_map

ONE_PATCH = OcclusionSpec(patch_sizes=(56,), stride=56)  # a single occlusion, at the top left
SMALL = OcclusionSpec(patch_sizes=(14, 28), stride=14)


def random_deviations(spec: OcclusionSpec, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 0.1, spec.count)


@pytest.mark.parametrize("deviation", [0.25, -0.25])
def test_one_patch_by_hand(deviation: float) -> None:
    assert ONE_PATCH.count == 1
    found = similarity_map([deviation], ONE_PATCH)
    sign = np.sign(deviation)
    assert found.status == "ok"
    assert found.scale == pytest.approx(0.25 / 56**2, rel=1e-12)
    np.testing.assert_allclose(found.values[:54, :54], sign, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.values[58:, :], 0)
    np.testing.assert_array_equal(found.values[:, 58:], 0)
    # One pixel outside, 2 of the 5 taps still see the patch
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 50)
    share = taps[:2].sum() / taps.sum()
    assert found.values[56, 0] == pytest.approx(sign * share)
    assert found.values[56, 56] == pytest.approx(sign * share**2)


def test_coverage_of_one_patch_by_hand() -> None:
    found = similarity_map([0.25], ONE_PATCH, normalise="coverage")
    assert found.scale == pytest.approx(0.25, rel=1e-12)


def test_published_grid_draws_p_plus_1_but_weighs_by_p() -> None:
    spec = OcclusionSpec(patch_sizes=(56,), stride=56, grid="published")
    found = similarity_map([0.25], spec)
    assert found.scale == pytest.approx(0.25 / 56**2, rel=1e-12)
    np.testing.assert_allclose(found.values[:55, :55], 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("blur", [0, 7])
def test_coverage_averages_the_sizes_with_equal_weight(blur: Any) -> None:
    spec = OcclusionSpec(grid="full", blur=blur)
    deviations = np.repeat([0.1, 0.2, 0.6], spec.counts)
    found = similarity_map(deviations, spec, normalise="coverage")
    assert found.scale == pytest.approx(0.3, rel=1e-12)
    np.testing.assert_allclose(found.values, 1, rtol=0, atol=1e-12)


def test_coverage_is_0_where_a_size_never_covers_and_weights_stay() -> None:
    spec = OcclusionSpec(patch_sizes=(56, 28), stride=28)  # 28 reaches 84 pixels, 56 reaches 84 too
    found = similarity_map(np.full(spec.count, 0.5), spec, normalise="coverage")
    np.testing.assert_array_equal(found.values[90:, :], 0)
    spec = OcclusionSpec(patch_sizes=(56, 7), stride=56)  # 7 has one patch, 56 has one
    found = similarity_map(np.full(spec.count, 0.5), spec, normalise="coverage")
    assert found.scale == pytest.approx(0.5, rel=1e-12)
    assert found.values[30, 30] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("shape", ["square", "circle"])
@pytest.mark.parametrize("blur", [0, 14])
@pytest.mark.parametrize("grid", ["paper", "published", "full"])
@pytest.mark.parametrize("normalise", ["count", "coverage"])
def test_equals_the_sum_over_masks(shape: Any, blur: Any, grid: Any, normalise: Any) -> None:
    spec = OcclusionSpec(patch_sizes=(28, 13), stride=9, shape=shape, blur=blur, grid=grid)
    deviations = random_deviations(spec)
    mean = np.zeros((112, 112))
    for p, part in spec.slices().items():
        every = masks(spec, p)
        total = np.einsum("n,nyx->yx", deviations[part], every)
        if normalise == "count":
            mean += total / len(every) / p**2 / 2
        else:
            covered = every.sum(axis=0)
            mean += np.where(covered > 0, total / np.maximum(covered, 1e-300), 0) / 2
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 50)
    wide = np.pad(mean, 2, mode="reflect")
    rows = sum(taps[i] * wide[i : i + 112] for i in range(5))
    raw = sum(taps[i] * rows[:, i : i + 112] for i in range(5)) / taps.sum() ** 2
    found = similarity_map(deviations, spec, normalise=normalise)
    np.testing.assert_allclose(found.values * found.scale, raw, rtol=0, atol=1e-14)
    assert np.abs(found.values).max() == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_the_map_keeps_and_the_scale_follows_the_size_of_the_deviations(
    seed: int, factor: float
) -> None:
    deviations = random_deviations(SMALL, seed)
    once = similarity_map(deviations, SMALL)
    more = similarity_map(deviations * factor, SMALL)
    turned = similarity_map(-deviations, SMALL)
    np.testing.assert_allclose(more.values, once.values, rtol=0, atol=1e-12)
    assert more.scale == pytest.approx(once.scale * factor, rel=1e-12)
    np.testing.assert_array_equal(turned.values, -once.values)
    assert np.abs(once.values).max() == 1


@pytest.mark.parametrize("normalise", ["count", "coverage"])
def test_flat_below_a_millionth(normalise: Any) -> None:
    quiet = np.full(SMALL.count, 0.99e-6)
    quiet[::2] *= -1
    found = similarity_map(quiet, SMALL, normalise=normalise)
    assert (found.status, found.scale) == ("flat", 0.0)
    np.testing.assert_array_equal(found.values, 0)
    quiet[3] = 1e-6
    found = similarity_map(quiet, SMALL, normalise=normalise)
    assert found.status == "ok"
    assert found.scale > 0


@pytest.mark.parametrize("normalise", ["count", "coverage"])
def test_some_patch_sizes_give_the_map_of_these_alone(normalise: Any) -> None:
    spec = OcclusionSpec()
    deviations = random_deviations(spec)
    some = similarity_map(deviations, spec, patch_sizes=(28, 7), normalise=normalise)
    slices = spec.slices()
    alone = similarity_map(
        np.concatenate([deviations[slices[7]], deviations[slices[28]]]),
        OcclusionSpec(patch_sizes=(7, 28)),
        normalise=normalise,
    )
    np.testing.assert_allclose(some.values, alone.values, rtol=0, atol=1e-13)
    assert some.scale == pytest.approx(alone.scale, rel=1e-13)


@pytest.mark.parametrize("normalise", ["count", "coverage"])
def test_weights_are_relative_to_the_default_ones(normalise: Any) -> None:
    deviations = random_deviations(SMALL)
    alone = [
        similarity_map(deviations, SMALL, patch_sizes=[p], normalise=normalise) for p in (14, 28)
    ]
    raw = [found.values * found.scale for found in alone]

    found = similarity_map(deviations, SMALL, weights={14: 3.0}, normalise=normalise)
    equal = similarity_map(deviations, SMALL, weights={14: 2.0, 28: 2.0}, normalise=normalise)
    plain = similarity_map(deviations, SMALL, normalise=normalise)

    assert np.allclose(found.values * found.scale, (3 * raw[0] + raw[1]) / 4, atol=1e-15)
    assert np.allclose(equal.values, plain.values, atol=1e-12)
    assert equal.scale == pytest.approx(plain.scale)


def test_chosen_patch_sizes_that_are_flat_are_not_amplified() -> None:
    spec = OcclusionSpec()
    deviations = random_deviations(spec)
    deviations[spec.slices()[14]] *= 1e-9
    found = similarity_map(deviations, spec, patch_sizes=(14,))
    assert (found.status, found.scale) == ("flat", 0.0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"normalise": "area"}, "normalise='area'"),
        ({"patch_sizes": (9,)}, "patch_sizes=(9,)"),
        ({"patch_sizes": ()}, "patch_sizes=()"),
        ({"patch_sizes": (14, 14)}, "patch_sizes=(14, 14)"),
        ({"weights": {9: 1.0}}, "9 is none of the patch sizes"),
        ({"weights": {14: -1.0}}, "weights={14: -1.0}"),
        ({"weights": {14: 0.0, 28: 0.0}}, "one above 0"),
    ],
)
def test_a_bad_option_names_itself(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        similarity_map(random_deviations(SMALL), SMALL, **options)


def test_other_lengths_and_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=rf"\(3,\), expected \({SMALL.count},\)"):
        similarity_map([1.0, 2.0, 3.0], SMALL)
    deviations = random_deviations(SMALL)
    deviations[0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        similarity_map(deviations, SMALL)


def test_deviations_are_not_modified_and_results_are_independent() -> None:
    deviations = random_deviations(SMALL)
    deviations.setflags(write=False)
    first = similarity_map(deviations, SMALL, normalise="coverage")
    first.values[:] = 7
    second = similarity_map(deviations, SMALL, normalise="coverage")
    assert np.abs(second.values).max() == 1
