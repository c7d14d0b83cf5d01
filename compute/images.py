"""Encoded images in and out: RGB everywhere inside; the only BGR/RGB border is here."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from compute.errors import ImageError

MIN_SIDE: Final = 32
"""Below this many pixels a side there is no face to align."""
MAX_PIXELS: Final = 50_000_000

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each orientation of EXIF: a camera stores what its sensor sees, and how it lay."""

# Of faces 112 pixels wide: a sixth smaller than OpenCV's own choice for a fifth more time. Matching
# strings, as the levels of compression do, takes up to eight times as long and gains nothing.
_PNG: Final = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or other picture whole, or not at all, and upright where EXIF says how.

    Parameters
    ----------
    data
        The file's bytes.
    name
        What to call the image in an error.

    Returns
    -------
    (H, W, 3) uint8 RGB.

    Raises
    ------
    ImageError
        For a picture that is unreadable, truncated, tiny or huge.
    """
    try:
        with _open(data) as picture:
            width, height = picture.size
            if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {width} x {height} pixels, expected sides of {MIN_SIDE} or more and "
                    f"at most {MAX_PIXELS} pixels. Give a larger copy, or leave its pairs out."
                )
            return _rgb(_upright(picture), name)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        # Pillow reports broken files by any of these. Of a file of no known format it tells the
        # address in memory, but what is skipped must be written down the same each time.
        why = "no image" if isinstance(error, UnidentifiedImageError) else error
        raise ImageError(
            f"{name}: cannot be decoded ({why}; {len(data)} bytes). Fetch the file again."
        ) from error


def _open(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Our own limit is lower, and an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data))


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()  # a TIFF is turned by Pillow now, and no longer says how it lay
    method = _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    return picture if method is None else picture.transpose(method)


def _rgb(picture: Image.Image, name: str) -> NDArray[np.uint8]:
    if picture.mode.startswith("I;16"):
        # Pillow would clip 16 bits at 255; their upper byte is what it takes of 16-bit colour.
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ImageError(
            f"{name}: its pixels are {'whole' if picture.mode == 'I' else 'real'} numbers of 32 "
            "bits, of which white is unknown; expected 8 or 16 bits. Save it as JPEG or PNG."
        )
    return np.asarray(picture.convert("RGB"))


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) uint8 RGB or (H, W) uint8 grey as PNG."""
    stored = to_bgr(image) if image.ndim == 3 else image
    done, data = cv2.imencode(".png", stored, _PNG)
    if not done:
        raise ImageError(f"OpenCV could not encode an image of shape {image.shape} as PNG.")
    return data.tobytes()


def to_bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the channels in the order that OpenCV's functions take."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
