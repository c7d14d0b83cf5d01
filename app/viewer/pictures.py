"""Pictures for those who see without scripts: the same as in the browser, drawn by the server.

``static/js/pictures.js`` is the other reading of these rules.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.viewer.choices import METHODS, Choice
from app.viewer.maps import ShownMap, on_table, table_of
from compute.blending import colour_map, xmap
from compute.occlusion import IMAGE_SIZE

OUTLINE: Final = (255, 214, 0)
"""Colour of the outline of what really differs: in none of the tables of the maps."""
BLANK: Final = (128, 128, 128)
"""What a masked view shows where the map is weak."""
_LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601


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
    face: NDArray[np.uint8], shown: ShownMap, choice: Choice, *, other: ShownMap | None = None
) -> NDArray[np.uint8]:
    """Draw one side as chosen.

    Parameters
    ----------
    face
        (112, 112, 3) uint8 RGB.
    shown
        The map of the chosen method.
    other
        That of the method right of the slider, where another method stands there.

    Returns
    -------
    (112, 112, 3) uint8 RGB.
    """
    left = _draw_view(face, shown, choice, choice.view)
    if choice.compare == "none":
        return left
    if choice.compare in METHODS:
        right = _draw_view(face, other or shown, choice, choice.view)
    else:
        right = _draw_view(face, shown, choice, choice.compare)
    result = left.copy()
    at = split_column(choice.split)
    result[:, at:] = right[:, at:]
    return result


def split_column(split: int) -> int:
    """Return the first column right of a slider that stands at ``split`` per cent."""
    return (split * IMAGE_SIZE + 50) // 100


def _draw_view(
    face: NDArray[np.uint8], shown: ShownMap, choice: Choice, view: str
) -> NDArray[np.uint8]:
    if view == "original":
        return face
    base = grey(face) if choice.base == "grey" else face
    if view == "masked":
        drawn = np.where(shown.where[..., None], base, np.array(BLANK, dtype=np.uint8))
    else:
        places, table = on_table(shown.values, choice), table_of(choice)
        coloured = colour_map(places, table) if view == "map" else xmap(face, places, table)
        drawn = np.where(shown.where[..., None], coloured, base)
    return mix(base, drawn, choice.blend / 100)


def grey(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same picture without colours: luma of ITU-R BT.601 in all three channels."""
    red, green, blue = np.moveaxis(face.astype(np.float64), -1, 0)
    luma = np.rint(red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=2)


def mix(below: NDArray[np.uint8], above: NDArray[np.uint8], opacity: float) -> NDArray[np.uint8]:
    """Mix two pictures: opacity 0 is ``below``, 1 is ``above``; rounded half to even."""
    mixed = np.rint(below * (1 - opacity) + above * opacity)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def outline(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the border of a mask (over 127 is inside) into a copy of a picture."""
    inside = mask > 127
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & inside
    result = picture.copy()
    result[inside & ~core] = OUTLINE
    return result
