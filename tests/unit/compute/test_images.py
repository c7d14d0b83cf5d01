"""The one place where encoded pictures come in and go out."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image

from compute.errors import ImageError
from compute.images import decode, encode_png, to_bgr


def photograph(height: int = 60, width: int = 48) -> NDArray[np.uint8]:
    """Return a smooth picture of three different channels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) % 256], axis=2).astype(np.uint8)


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def png_of_declared_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds nothing of it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"")
    return (
        b"\x89PNG\r\n\x1a\n"
        + body
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
    )


def test_png_round_trip_keeps_pixels_and_channel_order() -> None:
    image = photograph()
    data = encode_png(image)
    assert np.array_equal(decode(data, "x"), image)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "RGB"
        assert picture.getpixel((7, 5)) == tuple(image[5, 7])


def test_grey_png_round_trip() -> None:
    grey = photograph()[..., 0]
    with Image.open(io.BytesIO(encode_png(grey))) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), grey)


def test_the_same_image_gives_the_same_bytes() -> None:
    assert encode_png(photograph()) == encode_png(photograph().copy(order="F"))


def test_jpeg_keeps_channel_order() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 250
    decoded = decode(encoded(Image.fromarray(red), "JPEG"), "x")
    assert decoded.dtype == np.uint8
    assert decoded[20, 20, 0] > 240
    assert decoded[20, 20, 1:].max() < 15


def test_to_bgr_reverses_the_channels() -> None:
    assert np.array_equal(to_bgr(photograph())[..., 0], photograph()[..., 2])


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("L", "PNG", 77, (77, 77, 77)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("LA", "PNG", (77, 128), (77, 77, 77)),
        ("RGBA", "PNG", (200, 100, 50, 128), (200, 100, 50)),
        ("P", "GIF", 0, (0, 0, 0)),
        ("I;16", "PNG", 128 * 256 + 200, (128, 128, 128)),
        ("I;16", "TIFF", 65535, (255, 255, 255)),
        ("CMYK", "TIFF", (0, 255, 255, 0), (255, 0, 0)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    mode: str, kind: str, colour: int | tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    decoded = decode(encoded(Image.new(mode, (40, 50), colour), kind), "x")
    assert decoded.shape == (50, 40, 3)
    assert decoded.dtype == np.uint8
    assert tuple(decoded[9, 9]) == expected


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda upright: upright),
        (2, np.fliplr),
        (3, lambda upright: np.rot90(upright, 2)),
        (4, np.flipud),
        (5, lambda upright: upright.transpose(1, 0, 2)),
        (6, lambda upright: np.rot90(upright, 1)),
        (7, lambda upright: np.rot90(upright.transpose(1, 0, 2), 2)),
        (8, lambda upright: np.rot90(upright, 3)),
    ],
)
def test_a_picture_stands_as_exif_says(
    orientation: int, stored: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], kind: str
) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored(upright))).save(file, kind, exif=exif)
    assert np.array_equal(decode(file.getvalue(), "a"), upright)


def test_a_palette_is_resolved() -> None:
    image = photograph()
    picture = Image.fromarray(image).quantize(16)
    decoded = decode(encoded(picture), "x")
    assert np.array_equal(decoded, np.asarray(picture.convert("RGB")))


def test_cmyk_jpeg_is_not_inverted() -> None:
    picture = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    decoded = decode(encoded(picture, "JPEG"), "x")
    assert decoded[20, 20, 0] > 240
    assert decoded[20, 20, 1:].max() < 15


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 40 * 40).astype(np.uint16).reshape(40, 40)
    decoded = decode(encoded(Image.fromarray(ramp)), "x")
    assert np.array_equal(decoded[..., 1], (ramp // 256).astype(np.uint8))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_unknown_range_are_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=r"x: .*32 bits.*expected 8 or 16 bits"):
        decode(encoded(Image.new(mode, (40, 40), 1000), "TIFF"), "x")


@pytest.mark.parametrize("kept", [0, 1, 100, 500, 0.5, 0.9])
def test_a_truncated_jpeg_is_an_error_with_its_length(kept: float) -> None:
    whole = encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)), "JPEG"
    )
    cut = whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
    with pytest.raises(ImageError, match=rf"A/A_0001.jpg: cannot be decoded .*{len(cut)} bytes"):
        decode(cut, "A/A_0001.jpg")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html>404 not found</html>" * 40, b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_an_error(data: bytes) -> None:
    with pytest.raises(ImageError, match="x: cannot be decoded"):
        decode(data, "x")


@pytest.mark.parametrize("size", [(31, 200), (200, 31), (1, 1)])
def test_a_tiny_image_says_how_small_it_is(size: tuple[int, int]) -> None:
    with pytest.raises(
        ImageError, match=rf"x: {size[0]} x {size[1]} pixels, expected .*32 or more"
    ):
        decode(encoded(Image.new("RGB", size)), "x")


def test_the_smallest_image_is_taken() -> None:
    assert decode(encoded(Image.new("RGB", (32, 32))), "x").shape == (32, 32, 3)


@pytest.mark.parametrize("size", [(10_000, 9_000), (60_000, 60_000), (12_000, 10_000)])
def test_a_huge_declared_size_is_refused_before_any_memory_is_taken(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="x: "):
        decode(png_of_declared_size(*size), "x")


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, 10_000), value=st.integers(0, 255), kind=st.sampled_from(["JPEG", "PNG"])
)
def test_damage_gives_a_picture_or_our_error(place: int, value: int, kind: str) -> None:
    data = bytearray(encoded(Image.fromarray(photograph()), kind))
    data[place % len(data)] = value
    try:
        decoded = decode(bytes(data), "x")
    except ImageError as error:
        assert str(error).startswith("x: ")
    else:
        assert decoded.dtype == np.uint8
        assert decoded.shape[2] == 3
