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
    raw = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    for p, weight in relative.items():
        share = _size_map(flat_deviations[slices[p]], spec, p, normalise)
        raw += share * (weight / sum(relative.values()))
    scale = float(np.abs(raw).max())
    # Deviations of unused patch sizes only: nothing to draw, though the pair is not flat.
    values = raw / scale if scale > 0 else raw
    return SimilarityMap(values, scale, "ok")


def _size_map(
    deviations: NDArray[np.float64], spec: OcclusionSpec, patch_size: int, normalise: Normalise
) -> NDArray[np.float64]:
    """Return one patch size's share of the map, smooth and weighted, not yet divided by |P|.

    A square's mask is an outer product, and so are its coverage and the Gaussian: all that is done
    to the deviations, by y and x, is one and the same matrix along both axes.
    """
    n = len(spec.positions(patch_size))
    placed = deviations.reshape(n, n)
    if spec.shape == "square":
        along = _square_axis(spec, patch_size, normalise)
        return along @ placed @ along.T
    share = _circles(placed, spec, patch_size)
    if normalise == "count":
        share /= n * n * patch_size**2
    else:
        share = _divided(share, _coverage_of_circles(spec, patch_size))
    return _smooth(_smooth(share).T).T


@lru_cache(maxsize=64)
def _square_axis(spec: OcclusionSpec, patch_size: int, normalise: Normalise) -> NDArray[np.float64]:
    """Return what one axis of a square's deviations is multiplied by, (112, n).

    Only the profile through the template's centre is needed: its maximum is 1, so that the
    template is the outer product of the profile with itself.
    """
    template, _ = mask_template(spec, patch_size)
    profile = _at_offsets(template[len(template) // 2], spec, patch_size)
    if normalise == "count":
        profile /= profile.shape[1] * patch_size
    else:
        profile = _divided(profile, profile.sum(axis=1, keepdims=True))
    along = _smooth(profile)
    along.setflags(write=False)
    return along


def _circles(
    weights: NDArray[np.float64], spec: OcclusionSpec, patch_size: int
) -> NDArray[np.float64]:
    """Sum the masks of one size, each times its weight: (n, n) by y and x -> (112, 112).

    A circle is no outer product, but each row of its template is a profile like a square's.
    """
    _, reach = mask_template(spec, patch_size)
    total = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    offsets = np.array(spec.positions(patch_size)) - reach
    for row, placed in enumerate(_circle_rows(spec, patch_size)):
        rows = offsets + row
        inside = (rows >= 0) & (rows < IMAGE_SIZE)
        total[rows[inside]] += weights[inside] @ placed.T
    return total


@lru_cache(maxsize=64)
def _circle_rows(spec: OcclusionSpec, patch_size: int) -> tuple[NDArray[np.float64], ...]:
    template, _ = mask_template(spec, patch_size)
    return tuple(_at_offsets(row, spec, patch_size) for row in template)


@lru_cache(maxsize=64)
def _coverage_of_circles(spec: OcclusionSpec, patch_size: int) -> NDArray[np.float64]:
    """Return the sum of all masks of one size, (112, 112)."""
    n = len(spec.positions(patch_size))
    covered = _circles(np.ones((n, n)), spec, patch_size)
    covered.setflags(write=False)
    return covered


def _at_offsets(
    profile: NDArray[np.float64], spec: OcclusionSpec, patch_size: int
) -> NDArray[np.float64]:
    """Return a row of the template at all offsets along an axis, (112, n)."""
    _, reach = mask_template(spec, patch_size)
    length, offsets = len(profile), spec.positions(patch_size)
    placed = np.zeros((IMAGE_SIZE + 2 * length, len(offsets)))
    for i, offset in enumerate(offsets):
        start = length + offset - reach
        placed[start : start + length, i] = profile
    return placed[length : length + IMAGE_SIZE]


def _divided(total: NDArray[np.float64], covered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide by the coverage; 0 where a size covers nothing."""
    return np.divide(total, covered, out=np.zeros_like(total), where=covered > 0)


def _smooth(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur (112, ...) down its rows with the 5-tap Gaussian of sigma 5, reflected without its edge.

    It compensates the raster that a stride leaves (paper, after eq. 10).
    """
    kernel = gaussian_kernel(SMOOTHING_SIZE, SMOOTHING_SIGMA)
    reach = SMOOTHING_SIZE // 2
    padded = np.pad(rows, ((reach, reach), (0, 0)), mode="reflect")
    smooth: NDArray[np.float64] = sum(w * padded[i : i + IMAGE_SIZE] for i, w in enumerate(kernel))
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
