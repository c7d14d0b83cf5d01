"""The map that a choice asks for: which sizes count, on which scale, which values show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.viewer.choices import Choice
from compute.blending import PIYG, RDBU, YLORBR
from compute.occlusion import OcclusionSpec
from compute.xmaps import SimilarityMap, similarity_map

_TIE = 1e-9
"""Values closer than this rank alike: sums in another order must not move the border."""


@dataclass(frozen=True)
class ShownMap:
    """A map as it is coloured and read out.

    Attributes
    ----------
    values
        (112, 112) float64 relative to ``scale``, after the choice of signs; in [-1, 1], or beyond
        where a shared scale is smaller than the map.
    where
        (112, 112) bool: the strongest places, where the map shows.
    scale
        What ±1 stands for, in units of distance; 0 where flat.
    """

    values: NDArray[np.float64]
    where: NDArray[np.bool_]
    scale: float


def chosen_map(
    deviations: NDArray[np.float64], spec: OcclusionSpec, choice: Choice
) -> SimilarityMap:
    """Turn (K,) deviations into a map of the chosen patch sizes, weights and normalisation."""
    weights = choice.size_weights(spec.patch_sizes)
    return similarity_map(
        deviations,
        spec,
        normalise="coverage" if choice.normalise == "coverage" else "count",
        patch_sizes=tuple(weights),
        weights=weights,
    )


def shown_map(found: SimilarityMap, choice: Choice, *, shared: float | None = None) -> ShownMap:
    """Put a map on its own scale or on a ``shared`` one, and choose signs and strongest places."""
    scale = found.scale if shared is None else shared
    values = found.values * (found.scale / scale) if scale > 0 else np.zeros_like(found.values)
    values = of_sign(values, choice.sign)
    everywhere = choice.top == 100 and choice.view != "masked"
    where = np.ones(values.shape, bool) if everywhere else strongest(values, choice.top)
    return ShownMap(values, where, scale)


def of_sign(values: NDArray[np.float64], sign: str) -> NDArray[np.float64]:
    """Keep the values of a sign, others become 0; ``absolute`` keeps all without their sign."""
    if sign == "similar":
        return np.maximum(values, 0.0)
    if sign == "dissimilar":
        return np.minimum(values, 0.0)
    return np.abs(values) if sign == "absolute" else values


def strongest(values: NDArray[np.float64], top: int) -> NDArray[np.bool_]:
    """Return where the ``top`` per cent of the pixels with the largest size are, and none of 0."""
    size = np.abs(values)
    count = (size.size * top + 50) // 100
    least = np.partition(size, size.size - count, axis=None)[size.size - count]
    found: NDArray[np.bool_] = (size > 0) & (size >= least - _TIE)
    return found


def table_of(choice: Choice) -> NDArray[np.float64]:
    """Return the (256, 3) colours of a choice; without signs it is one that has none."""
    if choice.sign == "absolute":
        return YLORBR
    return RDBU if choice.colours == "rdbu" else PIYG


def on_table(values: NDArray[np.float64], choice: Choice) -> NDArray[np.float64]:
    """Return the places in [-1, 1] of the table that ``values`` take: sizes take all of it."""
    return 2 * values - 1 if choice.sign == "absolute" else values
