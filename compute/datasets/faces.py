"""Ways to an aligned face: found, by given landmarks, or aligned already, as the source knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compute.alignment import align
from compute.datasets.formats.landmarks import landmark_file, read_landmarks
from compute.datasets.sources import ImageSource
from compute.errors import DatasetError, ImageError
from compute.images import decode
from compute.occlusion import IMAGE_SHAPE


class Landmarks(Protocol):
    """Whatever tells where a face is in a photograph."""

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        """Return (5, 2) x and y in pixels; ``ImageError`` where they are not known."""


class Faces(Protocol):
    """Aligned faces by image name."""

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as they are read fastest; ``DatasetError`` for a name found twice."""

    def aligned(self, name: str) -> NDArray[np.uint8]:
        """Return one face, (112, 112, 3) uint8 RGB; ``ImageError`` where it cannot be had."""


class GivenLandmarks:
    """Landmark files, found by the name of their image."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        """Read the file of an image; a point may lie outside the picture, their centre may not."""
        file = landmark_file(name.split("/")[-1])
        try:
            points = read_landmarks(self._source.read(file), f"{self._source.origin}, {file}")
        except DatasetError as error:
            raise ImageError(f"{name}: {error}") from error
        height, width = image.shape[:2]
        centre = points.mean(axis=0)
        if not ((centre >= 0) & (centre <= (width, height))).all():
            raise ImageError(
                f"{name}: {file} places the face outside the {width} x {height} pixels. It belongs "
                "to another copy of the image: get both from one distribution."
            )
        return points


class Photographs:
    """Photographs that are aligned here, by the landmarks of ``landmarks``."""

    def __init__(self, source: ImageSource, landmarks: Landmarks) -> None:
        self._source = source
        self._landmarks = landmarks

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as the files lie in the source."""
        return self._source.in_stored_order(names)

    def aligned(self, name: str) -> NDArray[np.uint8]:
        """Decode, find the landmarks, warp onto the template."""
        image = decode(self._source.read(name), name)
        landmarks = self._landmarks.landmarks(image, name)
        try:
            return align(image, landmarks)
        except ValueError as error:
            raise ImageError(f"{name}: cannot be aligned ({error}). Check the picture.") from error


class AlignedPictures:
    """Pictures that are aligned faces already, as their source says."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as the files lie in the source."""
        return self._source.in_stored_order(names)

    def aligned(self, name: str) -> NDArray[np.uint8]:
        """Decode; the size must be that of an aligned face."""
        return decode_aligned(self._source.read(name), name)


def decode_aligned(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a picture that is an aligned face: (112, 112, 3) uint8 RGB, or ``ImageError``."""
    image = decode(data, name)
    if image.shape != IMAGE_SHAPE:
        raise ImageError(
            f"{name}: {image.shape[1]} x {image.shape[0]} pixels, expected {IMAGE_SHAPE[1]} x "
            f"{IMAGE_SHAPE[0]} of a face that is aligned already. Align it on import instead "
            "(--align detect), or leave its pairs out."
        )
    return image
