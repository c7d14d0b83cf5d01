"""Fixed images to try a model with: what is found with them is the same in every run."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.occlusion import IMAGE_SIZE

PROBES: Final = 4


def probe_images() -> NDArray[np.uint8]:
    """Return fixed images to try a model with, (4, 112, 112, 3) uint8 RGB: smooth colour noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (PROBES, 8, 8, 3))
    ramp = (np.arange(IMAGE_SIZE) + 0.5) / IMAGE_SIZE * 8 - 0.5
    low = np.clip(np.floor(ramp).astype(int), 0, 6)
    share = np.clip(ramp - low, 0, 1)[:, None, None]
    rows = coarse[:, low] * (1 - share) + coarse[:, low + 1] * share
    share = share[:, 0][None, None]
    smooth = rows[:, :, low] * (1 - share) + rows[:, :, low + 1] * share
    probes: NDArray[np.uint8] = np.rint(smooth).astype(np.uint8)
    return probes
