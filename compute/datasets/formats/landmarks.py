"""Landmark files of CALFW and CPLFW (``Name_0001_5loc_attri.txt``): five lines ``x y``."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.errors import DatasetError

POINTS: Final = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""What each line marks, left and right as the viewer sees them: the order of the template."""

_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,5}(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,2})?")
_MAX_BYTES: Final = 4096


def landmark_file(image: str) -> str:
    """Return the name of the landmark file of an image: ``A_1.jpg``, ``A_1_5loc_attri.txt``."""
    return f"{image.removesuffix('.jpg')}_5loc_attri.txt"


def read_landmarks(data: bytes, name: str) -> NDArray[np.float64]:
    """Read the five landmarks of one image.

    Parameters
    ----------
    data
        The file's bytes.
    name
        What to call the file in an error.

    Returns
    -------
    (5, 2) float64, x and y in pixels of the image, in the order of ``alignment.TEMPLATE``.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    if len(data) > _MAX_BYTES:
        raise DatasetError(f"{name}: {len(data)} bytes, expected five short lines 'x y'.")
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name}: not ASCII text ({error.reason}), expected 'x y'.") from error
    while lines and not lines[-1].strip():
        lines.pop()
    points = []
    for number, line in enumerate(lines[: len(POINTS)], start=1):
        fields = line.split()
        if len(fields) != 2 or not all(_NUMBER.fullmatch(field) for field in fields):
            raise DatasetError(
                f"{name}, line {number}: {line.strip()[:80]!r}, expected 'x y' in pixels, the "
                f"{POINTS[number - 1]}. Fetch the file again."
            )
        points.append([float(field) for field in fields])
    if len(lines) != len(POINTS):
        raise DatasetError(
            f"{name}: {len(lines)} lines, expected {len(POINTS)} ({', '.join(POINTS)}). Fetch the "
            "file again."
        )
    landmarks = np.array(points, dtype=np.float64)
    if (landmarks == landmarks[0]).all():
        raise DatasetError(
            f"{name}: all five points are {lines[0].strip()!r}, expected a face. Fetch the file "
            "again."
        )
    return landmarks
