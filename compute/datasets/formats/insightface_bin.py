"""InsightFace's ``.bin`` files: a pickle of aligned images and labels (``lfw.bin``, ...).

The pickle is ``(images, same)``: 2 N encoded pictures of 112 x 112, pair k being 2k and 2k + 1, and
N booleans. Those of Python 2 (protocol 2) hold the bytes as text, later ones as bytes or as uint8
arrays of shape (n,) or (n, 1) (InsightFace, recognition, ``lfw2pack.py`` and ``load_bin``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from compute.datasets.formats.plain_pickle import Uint8Vector, load_plain
from compute.errors import DatasetError

MAX_BYTES: Final = 2**30


def read_bin(path: Path) -> tuple[list[bytes], list[bool]]:
    """Read images and labels, whole or not at all; nothing in the file is ever run.

    Returns
    -------
    The 2 N encoded images in their order, and whether each of the N pairs shows one person.

    Raises
    ------
    DatasetError
        Names the file, the place, what was expected and what is there.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    if size > MAX_BYTES:
        raise DatasetError(f"{path}: {size} bytes, expected at most {MAX_BYTES}.")
    try:
        return _pairs(load_plain(data))
    except ValueError as error:
        raise DatasetError(
            f"{path}, {error}. Expected InsightFace's pickle of (images, labels) and nothing else. "
            "The file is damaged or is another one: fetch it again from a source you trust."
        ) from error


def _pairs(content: object) -> tuple[list[bytes], list[bool]]:
    match content:
        case (list() | tuple() as images, list() | tuple() as labels):
            pass
        case _:
            raise ValueError(f"at its top: {type(content).__name__}, expected two lists")
    if not labels or len(images) != 2 * len(labels):
        raise ValueError(
            f"at its top: {len(images)} images and {len(labels)} labels, expected two images for "
            "each label, and at least one label"
        )
    return (
        [_image(number, image) for number, image in enumerate(images)],
        [_label(number, label) for number, label in enumerate(labels)],
    )


def _image(number: int, image: object) -> bytes:
    data = image.data if isinstance(image, Uint8Vector) else image
    if not isinstance(data, bytes) or not data:
        what = "nothing" if not data else type(data).__name__
        raise ValueError(f"image {number}: {what}, expected the bytes of a picture")
    return data


def _label(number: int, label: object) -> bool:
    if not isinstance(label, bool):
        raise ValueError(f"label {number}: {type(label).__name__}, expected True or False")  # noqa: TRY004 - one kind of error for what a file says
    return label
