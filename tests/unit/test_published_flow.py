"""The yardstick of the benchmarks does the same work as what is measured by it."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import published_flow
from compute import OcclusionSpec, explain_pair, xmap
from compute.explanation import METHODS, Side


def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed by mean colours of a 4 x 4 raster, and count the images."""
    asked.append(len(images))
    blocks = images.reshape(len(images), 4, 28, 4, 28, 3).mean(axis=(2, 4)) - 100
    rows: NDArray[np.float32] = blocks.reshape(len(images), -1).astype(np.float32)
    return rows


asked: list[int] = []


def test_the_published_flow_draws_the_xmaps_of_the_published_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One size: over several, the published flow takes one mean of all occlusions.
    monkeypatch.setattr(published_flow, "PATCH_SIZES", (28,))
    spec = OcclusionSpec(patch_sizes=(28,), grid="published")
    first, second = np.random.default_rng(3).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    drawn, spent = published_flow.explain(embed, (first, second))
    assert sum(asked) == 2 * 3 * (1 + 17 * 17)
    assert 0 < spent.inference < spent.all
    wanted = explain_pair(embed, first, second, spec=spec)
    pictures = iter(drawn)
    for method in METHODS:
        for side, image in zip(get_args(Side), (first, second), strict=True):
            ours = xmap(image, wanted.similarity_map(method, side))
            assert np.abs(next(pictures).astype(int) - ours).max() <= 1, (method, side)
