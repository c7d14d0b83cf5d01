"""Pictures for those who see without scripts: the same maps, drawn by the server as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.viewer.choices import Choice
from compute.blending import colour_map, xmap
from compute.occlusion import OcclusionSpec
from compute.xmaps import similarity_map

OUTLINE = (255, 214, 0)
"""Colour of the outline of what really differs: neither of the map's own colours."""


def read_png(data: bytes, *, mode: str = "RGB") -> NDArray[np.uint8]:
    """Decode a PNG of the media store: (H, W, 3) uint8 RGB, or (H, W) with mode ``L``."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert(mode), dtype=np.uint8)


def write_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) uint8 RGB as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def draw(
    face: NDArray[np.uint8],
    deviations: NDArray[np.float32],
    spec: OcclusionSpec,
    choice: Choice,
    *,
    shared_scale: float | None = None,
) -> NDArray[np.uint8]:
    """Draw one side as chosen: view, patch sizes, normalisation, scale, opacity.

    Parameters
    ----------
    face
        (112, 112, 3) uint8 RGB.
    deviations
        (K,) of the row that explains this side.
    shared_scale
        What ``values`` are relative to instead of the picture's own maximum.

    Returns
    -------
    (112, 112, 3) uint8 RGB.
    """
    if choice.view == "original" or choice.blend == 0:
        return face
    result = similarity_map(
        deviations.astype(np.float64),
        spec,
        normalise="coverage" if choice.normalise == "coverage" else "count",
        patch_sizes=choice.patch or None,
    )
    values = result.values
    if shared_scale:
        values = np.clip(values * (result.scale / shared_scale), -1.0, 1.0)
    drawn = colour_map(values) if choice.view == "map" else xmap(face, values)
    opacity = choice.blend / 100
    mixed = np.rint(face * (1 - opacity) + drawn * opacity)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def outline(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the border of a mask (over 127 is inside) into a copy of a picture."""
    inside = mask > 127
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & inside
    result = picture.copy()
    result[inside & ~core] = OUTLINE
    return result
