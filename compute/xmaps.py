"""Similarity maps from deviations (eq. 9 and 10): pure NumPy, shared by pipeline and site.

Sign, once for all: positive means that hiding the place raised the distance, a similar region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compute.occlusion import IMAGE_SIZE, OcclusionSpec, gaussian_kernel, mask_template

Normalise = Literal["count", "coverage"]
Status = Literal["ok", "flat"]

NORMALISATIONS: Final[tuple[Normalise, ...]] = get_args(Normalise)
FLAT_BELOW: Final = 1e-6
"""A pair whose deviations are all smaller is ``flat``: its map would be amplified noise."""
SMOOTHING_SIZE: Final = 5
SMOOTHING_SIGMA: Final = 5.0


@dataclass(frozen=True)
class SimilarityMap:
    """A signed map and what it was divided by.

    Attributes
    ----------
    values
        (112, 112) float64 in [-1, 1].
    scale
        The divisor max|S|, in units of distance; 0 where flat. ``values * scale`` is the raw map.
    status
        ``ok``, or ``flat`` where all |deviation| < 1e-6.
    """

    values: NDArray[np.float64]
    scale: float
    status: Status


def similarity_map(
    deviations: ArrayLike,
    spec: OcclusionSpec,
    *,
    normalise: Normalise = "count",
    patch_sizes: Sequence[int] | None = None,
    weights: Mapping[int, float] | None = None,
) -> SimilarityMap:
    """Turn the deviations of one side into its similarity map (eq. 9 and 10).

    Parameters
    ----------
    deviations
        (K,) d_occluded - d_original: patch sizes in spec order, then y, then x.
    spec
        What the image was occluded with.
    normalise
        ``count`` divides by the number of masks (the paper), sizes weighted by 1/(p^2 |P|);
        ``coverage`` divides each pixel by the sum of the masks there, sizes weighted equally.
    patch_sizes
        Which of the spec's sizes to use; all by default.
    weights
        Weight of a patch size relative to the default's, 1 where it is not named: with w the map
        of size p counts w / (p^2 sum of all w) instead of 1/(p^2 |P|), for coverage w / sum.

    Raises
    ------
    ValueError
        For deviations of another length, not finite, or an unknown option.
    """
    flat_deviations = _checked_deviations(deviations, spec)
    sizes = _checked_sizes(spec, patch_sizes)
    relative = _checked_weights(sizes, weights or {})
    if normalise not in NORMALISATIONS:
        raise ValueError(f"normalise={normalise!r}: expected one of {NORMALISATIONS}.")
    slices = spec.slices()
    if all(np.all(np.abs(flat_deviations[slices[p]]) < FLAT_BELOW) for p in sizes):
        return SimilarityMap(np.zeros((IMAGE_SIZE, IMAGE_SIZE)), 0.0, "flat")
    mean = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    for p, weight in relative.items():
        share = _size_map(flat_deviations[slices[p]], spec, p, normalise)
        mean += share * weight / sum(relative.values())
    raw = _smooth(mean)
    scale = float(np.abs(raw).max())
    # Deviations of unused patch sizes only: nothing to draw, though the pair is not flat.
    values = raw / scale if scale > 0 else raw
    return SimilarityMap(values, scale, "ok")


def _size_map(
    deviations: NDArray[np.float64], spec: OcclusionSpec, patch_size: int, normalise: Normalise
) -> NDArray[np.float64]:
    """Return one patch size's share of the mean map, weighted but not yet divided by |P|."""
    n = len(spec.positions(patch_size))
    total = _weighted_mask_sum(deviations.reshape(n, n), spec, patch_size)
    if normalise == "count":
        return total / (n * n) / patch_size**2
    covered = _coverage(spec, patch_size)
    return np.divide(total, covered, out=np.zeros_like(total), where=covered > 0)


def _weighted_mask_sum(
    weights: NDArray[np.float64], spec: OcclusionSpec, patch_size: int
) -> NDArray[np.float64]:
    """Sum the masks of one size, each times its weight: (n, n) by y and x -> (112, 112).

    A square's template is an outer product, so the sum is two small matrix products. A circle's is
    not; it is summed row by row of the template, each row again a matrix product.
    """
    placed = _placed_rows(spec, patch_size)
    if spec.shape == "square":
        return placed[0] @ weights @ placed[0].T
    _, reach = mask_template(spec, patch_size)
    total = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    offsets = np.array(spec.positions(patch_size)) - reach
    for row, columns in enumerate(placed):
        rows = offsets + row
        inside = (rows >= 0) & (rows < IMAGE_SIZE)
        total[rows[inside]] += weights[inside] @ columns.T
    return total


@lru_cache(maxsize=64)
def _placed_rows(spec: OcclusionSpec, patch_size: int) -> tuple[NDArray[np.float64], ...]:
    """Return template rows at all offsets of an axis, (112, n) each.

    For a square only the profile through the centre is needed: its maximum is 1, so the template
    is the outer product of that profile with itself.
    """
    template, reach = mask_template(spec, patch_size)
    offsets = spec.positions(patch_size)
    rows = [template[len(template) // 2]] if spec.shape == "square" else list(template)
    placed = []
    for row in rows:
        columns = np.zeros((IMAGE_SIZE + 2 * len(row), len(offsets)))
        for i, offset in enumerate(offsets):
            start = len(row) + offset - reach
            columns[start : start + len(row), i] = row
        placed.append(columns[len(row) : len(row) + IMAGE_SIZE])
    return tuple(placed)


@lru_cache(maxsize=64)
def _coverage(spec: OcclusionSpec, patch_size: int) -> NDArray[np.float64]:
    """Return the sum of all masks of one size, (112, 112)."""
    n = len(spec.positions(patch_size))
    covered = _weighted_mask_sum(np.ones((n, n)), spec, patch_size)
    covered.setflags(write=False)
    return covered


def _smooth(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur a (112, 112) map with the 5-tap Gaussian of sigma 5, border reflected without its edge.

    It compensates the raster that a stride leaves (paper, after eq. 10).
    """
    kernel = gaussian_kernel(SMOOTHING_SIZE, SMOOTHING_SIGMA)
    padded = np.pad(mean, SMOOTHING_SIZE // 2, mode="reflect")
    rows = sum(w * padded[i : i + IMAGE_SIZE] for i, w in enumerate(kernel))
    smooth: NDArray[np.float64] = sum(w * rows[:, i : i + IMAGE_SIZE] for i, w in enumerate(kernel))
    return smooth


def _checked_deviations(deviations: ArrayLike, spec: OcclusionSpec) -> NDArray[np.float64]:
    values = np.asarray(deviations, dtype=np.float64)
    if values.shape != (spec.count,):
        raise ValueError(f"deviations have shape {values.shape}, expected ({spec.count},).")
    if not np.isfinite(values).all():
        raise ValueError("deviations are not finite.")
    return values


def _checked_sizes(spec: OcclusionSpec, patch_sizes: Sequence[int] | None) -> tuple[int, ...]:
    if patch_sizes is None:
        return spec.patch_sizes
    chosen = tuple(p for p in spec.patch_sizes if p in set(patch_sizes))
    if not chosen or len(chosen) != len(patch_sizes):
        raise ValueError(
            f"patch_sizes={tuple(patch_sizes)}: expected some of {spec.patch_sizes}, each once."
        )
    return chosen


def _checked_weights(sizes: Sequence[int], weights: Mapping[int, float]) -> dict[int, float]:
    relative = {p: float(weights.get(p, 1.0)) for p in sizes}
    unknown = sorted(set(weights) - set(sizes))
    if unknown:
        raise ValueError(f"weights: {unknown[0]} is none of the patch sizes used, {tuple(sizes)}.")
    if not all(np.isfinite(w) and w >= 0 for w in relative.values()) or not any(relative.values()):
        raise ValueError(f"weights={dict(weights)}: expected 0 or more, and one above 0.")
    return relative
