"""The yardstick of the benchmarks does the same work as what is measured by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.published_flow import explain_by
from compute import OcclusionSpec, explain_pair, xmap
from compute.xmaps import similarity_map


def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed by mean colours of a 4 x 4 raster, and count the images."""
    asked.append(len(images))
    blocks = images.reshape(len(images), 4, 28, 4, 28, 3).mean(axis=(2, 4)) - 100
    return blocks.reshape(len(images), -1).astype(np.float32)


asked: list[int] = []


def test_the_published_flow_draws_the_xmaps_of_the_published_grid() -> None:
    first, second = np.random.default_rng(3).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    drawn = list(explain_by("III", embed, (first, second)))
    assert sum(asked) == 2 * 1131
    spec = OcclusionSpec(grid="published")
    # One mean over all occlusions: each size counts as often as it has positions.
    counts = {size: len(spec.positions(size)) ** 2 for size in spec.patch_sizes}
    wanted = explain_pair(embed, first, second, spec=spec, methods=("III",))
    for side, image, picture in ((1, first, drawn[0]), (2, second, drawn[1])):
        drawn_by_us = similarity_map(wanted.deviations("III", side), spec, weights=counts)
        ours = xmap(image, drawn_by_us.values)
        assert np.abs(picture.astype(int) - ours).max() <= 1, side
