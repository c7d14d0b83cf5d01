"""What is published of an explained pair: deviations as stored, scales, X-Maps."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.blending import xmap
from compute.explanation import ROWS, Method, Side, row_name
from compute.occlusion import OcclusionSpec
from compute.xmaps import NORMALISATIONS, Status, similarity_map

# Deviations are noise in their lower bits: the highest level saves 0.2 % of level 1.
_COMPRESSION: Final = 1


@dataclass(frozen=True)
class RenderedExplanation:
    """One pair of one explanation set, ready to be published.

    Attributes
    ----------
    deviations
        zlib of (5, K) float32, little-endian, rows I1, I2, II1, II2, III; NaN in rows of methods
        that the model does not allow.
    scales
        For each normalisation, max|S| of each row; 0 where there is none.
    xmaps
        (112, 112, 3) uint8 RGB by name: I1, I2, II1, II2, III1, III2 (method, side).
    """

    status: Status
    deviations: bytes
    scales: dict[str, dict[str, float]]
    xmaps: dict[str, NDArray[np.uint8]]


def render(
    deviations: Mapping[tuple[Method, Side], NDArray[np.float64]],
    spec: OcclusionSpec,
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> RenderedExplanation:
    """Draw the X-Maps of a pair and pack its deviations; rows that are not given become NaN.

    Everything is computed from the float32 values that are stored, so that whoever reads them back
    gets the same maps.
    """
    return render_stored(as_stored(deviations, spec), spec, images)


def as_stored(
    deviations: Mapping[tuple[Method, Side], NDArray[np.float64]], spec: OcclusionSpec
) -> NDArray[np.float32]:
    """Return deviations as (5, K) float32 in the order of ``ROWS``; what is not given is NaN."""
    absent = np.full(spec.count, np.nan)
    return np.stack([deviations.get(row, absent) for row in ROWS]).astype("<f4")


def render_stored(
    stored: NDArray[np.float32],
    spec: OcclusionSpec,
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> RenderedExplanation:
    """Draw the X-Maps of a pair from its stored deviations, (5, K) in the order of ``ROWS``.

    A row of NaN belongs to a method that the model does not allow: its scale is 0, and it has no
    X-Map.
    """
    scales: dict[str, dict[str, float]] = {normalise: {} for normalise in NORMALISATIONS}
    xmaps: dict[str, NDArray[np.uint8]] = {}
    statuses: set[Status] = set()
    for (method, side), values in zip(ROWS, stored, strict=True):
        if np.isnan(values).all():
            for normalise in NORMALISATIONS:
                scales[normalise][row_name(method, side)] = 0.0
            continue
        for normalise in NORMALISATIONS:
            drawn = similarity_map(values, spec, normalise=normalise)
            scales[normalise][row_name(method, side)] = drawn.scale
            if normalise != "count":
                continue
            statuses.add(drawn.status)
            for shown in (1, 2) if method == "III" else (side,):
                xmaps[f"{method}{shown}"] = xmap(images[shown - 1], drawn.values)
    return RenderedExplanation(
        status="flat" if statuses == {"flat"} else "ok",
        deviations=pack(stored),
        scales=scales,
        xmaps=xmaps,
    )


def pack(stored: NDArray[np.float32]) -> bytes:
    """Return deviations as the database keeps them."""
    return zlib.compress(np.ascontiguousarray(stored, dtype="<f4").tobytes(), _COMPRESSION)
