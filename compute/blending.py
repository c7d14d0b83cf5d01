"""Colours of a similarity map, and its blend into the image (Algorithm 2); pure NumPy."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compute.occlusion import IMAGE_SHAPE, IMAGE_SIZE

# ColorBrewer's 11-class diverging scheme PiYG (C. Brewer, 2003), from magenta to green.
_PIYG_ANCHORS: Final = np.array(
    [
        (142, 1, 82),
        (197, 27, 125),
        (222, 119, 174),
        (241, 182, 218),
        (253, 224, 239),
        (247, 247, 247),
        (230, 245, 208),
        (184, 225, 134),
        (127, 188, 65),
        (77, 146, 33),
        (39, 100, 25),
    ]
)


# Its 11-class diverging scheme RdBu (the same source), from red to blue.
_RDBU_ANCHORS: Final = np.array(
    [
        (103, 0, 31),
        (178, 24, 43),
        (214, 96, 77),
        (244, 165, 130),
        (253, 219, 199),
        (247, 247, 247),
        (209, 229, 240),
        (146, 197, 222),
        (67, 147, 195),
        (33, 102, 172),
        (5, 48, 97),
    ]
)

# Its 9-class sequential scheme YlOrBr (the same source), from pale yellow to brown.
_YLORBR_ANCHORS: Final = np.array(
    [
        (255, 255, 229),
        (255, 247, 188),
        (254, 227, 145),
        (254, 196, 79),
        (254, 153, 41),
        (236, 112, 20),
        (204, 76, 2),
        (153, 52, 4),
        (102, 37, 6),
    ]
)


def _table(anchors: NDArray[np.int64]) -> NDArray[np.float64]:
    at = np.linspace(0, 1, 256)
    anchors_at = np.linspace(0, 1, len(anchors))
    channels = [np.interp(at, anchors_at, channel / 255) for channel in anchors.T]
    table = np.stack(channels, axis=1)
    table.setflags(write=False)
    return table


PIYG: Final = _table(_PIYG_ANCHORS)
"""(256, 3) float64 RGB in [0, 1] over similarity -1 to 1: magenta dissimilar, green similar."""
RDBU: Final = _table(_RDBU_ANCHORS)
"""The same from red, dissimilar, to blue, similar; for those who read these colours better."""
YLORBR: Final = _table(_YLORBR_ANCHORS)
"""The same without a sign, for sizes: pale is the smallest, brown the largest."""


def _places(similarity_map: ArrayLike) -> NDArray[np.intp]:
    """Return which of the 256 colours of a table each pixel of a map has, (112, 112)."""
    values = np.asarray(similarity_map, dtype=np.float64)
    if values.shape != (IMAGE_SIZE, IMAGE_SIZE) or not np.isfinite(values).all():
        size = (IMAGE_SIZE, IMAGE_SIZE)
        raise ValueError(f"similarity map of shape {values.shape}: expected {size}, finite.")
    return np.clip(np.floor((values + 1) / 2 * 256), 0, 255).astype(np.intp)


def colour_map(similarity_map: ArrayLike, table: NDArray[np.float64] = PIYG) -> NDArray[np.uint8]:
    """Colour a (112, 112) map in [-1, 1]: (112, 112, 3) uint8 RGB; values outside are clipped."""
    colours = np.rint(table * 255).astype(np.uint8)
    return colours.take(_places(similarity_map), axis=0)


def xmap(
    image: NDArray[np.uint8],
    similarity_map: ArrayLike,
    table: NDArray[np.float64] = PIYG,
) -> NDArray[np.uint8]:
    """Blend a similarity map into its image (Algorithm 2).

    Lightness comes from the image (HLS), hue (HLS) and saturation (HSV) from the map's colours;
    all in float, rounded half to even at the end.

    Parameters
    ----------
    image
        (112, 112, 3) uint8 RGB.
    similarity_map
        (112, 112) in [-1, 1].
    table
        (256, 3) RGB in [0, 1] over -1 to 1.

    Returns
    -------
    (112, 112, 3) uint8 RGB.

    Raises
    ------
    ValueError
        For an image or a map of another shape or dtype.
    """
    if image.shape != IMAGE_SHAPE or image.dtype != np.uint8:
        raise ValueError(
            f"image is {image.dtype} of shape {image.shape}, expected uint8 of {IMAGE_SHAPE} RGB."
        )
    red, green, blue = np.moveaxis(image, -1, 0)
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    lightnesses, places = _lightnesses()
    colours = _places(similarity_map)
    blends = _blends(np.asarray(table, np.float64).tobytes())
    picture: NDArray[np.uint8] = blends.take(colours * len(lightnesses) + places[high, low], axis=0)
    return picture


@cache
def _lightnesses() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return every lightness (HLS) that an 8-bit pixel can have, and where to find a pixel's.

    Returns
    -------
    lightnesses
        (L,) float64 in [0, 1].
    places
        (256, 256): which of them belongs to a pixel's largest and smallest channel.
    """
    channel = np.arange(256) / 255
    lightnesses, places = np.unique((channel[:, None] + channel) / 2, return_inverse=True)
    return lightnesses, places.reshape(256, 256)


@lru_cache(maxsize=8)
def _blends(table: bytes) -> NDArray[np.uint8]:
    """Return all that Algorithm 2 can give: (256 colours x L lightnesses, 3) uint8 RGB.

    A map has 256 colours and a picture L lightnesses: each blend is computed once.
    """
    hue, saturation = _hue_and_hsv_saturation(np.frombuffer(table).reshape(256, 3))
    lightnesses, _ = _lightnesses()
    rgb = _hls_to_rgb(hue[:, None], lightnesses, saturation[:, None])
    blends = np.rint(rgb * 255).astype(np.uint8).reshape(-1, 3)
    blends.setflags(write=False)
    return blends


def _hue_and_hsv_saturation(
    colours: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return hue in turns [0, 1) and the saturation of HSV, (max - min) / max."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    high = colours.max(axis=-1)
    chroma = high - colours.min(axis=-1)
    safe = np.where(chroma > 0, chroma, 1.0)
    sector = np.select(
        [high == red, high == green],
        [((green - blue) / safe) % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    hue: NDArray[np.float64] = np.where(chroma > 0, sector / 6, 0.0)
    saturation = np.divide(chroma, high, out=np.zeros_like(high), where=high > 0)
    return hue, saturation


def _hls_to_rgb(
    hue: NDArray[np.float64], lightness: NDArray[np.float64], saturation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Convert HLS, all in [0, 1], to RGB in [0, 1]: the hexcone formula, without branches."""
    reach = saturation * np.minimum(lightness, 1 - lightness)
    channels = []
    for shift in (0, 8, 4):
        position = (shift + hue * 12) % 12
        channels.append(
            lightness - reach * np.clip(np.minimum(position - 3, 9 - position), -1.0, 1.0)
        )
    rgb: NDArray[np.float64] = np.clip(np.stack(channels, axis=-1), 0.0, 1.0)
    return rgb
