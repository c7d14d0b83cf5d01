"""Small pictures for imports: quick to encode, and no two the same."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(seed: int, size: int = 112) -> NDArray[np.uint8]:
    """Return (size, size, 3) uint8 RGB: four flat quarters, drawn from ``seed``."""
    quarters = np.random.default_rng(seed).integers(1, 256, (2, 2, 3), dtype=np.uint8)
    return quarters.repeat(size // 2, axis=0).repeat(size // 2, axis=1)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """Encode a picture; a PNG keeps every pixel."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind)
    return data.getvalue()
