"""The localisation benchmark's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.demo_localisation import bootstrap, centred_map, pixel_auroc, random_maps


def _half_mask() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    mask = np.zeros((112, 112), dtype=np.bool_)
    mask[:, :40] = True
    return mask


def test_auroc_of_the_mask_itself_its_opposite_and_nothing() -> None:
    mask = _half_mask()
    score = mask.astype(np.float64)
    assert pixel_auroc(score, mask) == 1.0
    assert pixel_auroc(-score, mask) == 0.0
    assert pixel_auroc(np.zeros((112, 112)), mask) == 0.5


def test_auroc_is_the_chance_of_a_right_order() -> None:
    rng = np.random.default_rng(1)
    score = np.round(rng.uniform(0, 3, (8, 9)))  # with ties
    mask = rng.random((8, 9)) < 0.3
    inside, outside = score[mask][:, None], score[~mask][None, :]
    chance = float(((inside > outside) + 0.5 * (inside == outside)).mean())
    assert pixel_auroc(score, mask) == pytest.approx(chance, abs=1e-12)


def test_bootstrap_is_seeded_holds_the_mean_and_widens_with_clusters() -> None:
    values = np.repeat(np.random.default_rng(2).uniform(0.5, 1.0, 30), 4)
    clusters = np.repeat(np.arange(30), 4)
    pairs, families = bootstrap("x", values), bootstrap("x", values, clusters)
    assert pairs.low < pairs.mean < pairs.high
    again = bootstrap("x", values)
    assert (again.low, again.high) == (pairs.low, pairs.high)
    assert families.high - families.low > pairs.high - pairs.low


def test_maps_that_know_nothing() -> None:
    centre = centred_map()
    assert np.allclose(centre, centre[::-1, ::-1])
    assert centre.argmax() in {55 * 112 + 55, 55 * 112 + 56, 56 * 112 + 55, 56 * 112 + 56}
    first, second = random_maps(2)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, next(random_maps(1)))
