"""Datasets that are image files and a list of pairs: the official distributions, and one's own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from compute.alignment import LandmarkDetector
from compute.datasets.faces import AlignedPictures, Faces, GivenLandmarks, Photographs
from compute.datasets.importing import Listing
from compute.datasets.sources import ImageSource, folder_files, open_source
from compute.errors import DatasetError
from compute.files import sha256_of_file


@dataclass(frozen=True)
class Alignment:
    """How faces of photographs come onto the template.

    Attributes
    ----------
    detector
        Finds the landmarks; None where they are given.
    landmarks
        Archive or folder of landmark files, None where there are none: without detector and
        landmarks, the pictures are aligned faces already.
    """

    detector: LandmarkDetector | None = None
    landmarks: Path | None = None

    @property
    def origin(self) -> dict[str, Any]:
        """What it is made of, by kind."""
        if self.detector is not None:
            return {"detector": self.detector.sha256, "opencv": cv2.__version__}
        if self.landmarks is not None:
            return {"landmarks": sha256_of_source(self.landmarks), "opencv": cv2.__version__}
        return {"align": "none"}


class ListedPhotographs:
    """Image files by name and their pairs, read already.

    Parameters
    ----------
    images
        Tar, tgz, zip or folder.
    lists
        The files that ``listing`` was read from, by kind; part of the dataset's origin.
    folder
        Where several copies of each image lie, the name of the folder of the ones to take.
    """

    def __init__(
        self,
        images: Path,
        listing: Listing,
        lists: dict[str, Path],
        alignment: Alignment,
        *,
        folder: str = "",
        drawn: dict[str, Any] | None = None,
    ) -> None:
        self._images = images
        self._listing = listing
        self._lists = lists
        self._alignment = alignment
        self._folder = folder
        self._drawn = drawn or {}

    def origin(self) -> dict[str, Any]:
        """Hash images, lists and whatever aligns them."""
        return {
            "images": sha256_of_source(self._images),
            **{kind: sha256_of_file(path) for kind, path in self._lists.items()},
            **self._drawn,
            **self._alignment.origin,
        }

    @contextmanager
    def open(self) -> Iterator[tuple[Listing, Faces]]:
        """Open the images, and the landmarks where they are another source."""
        with open_source(self._images) as source:
            images = source.under(self._folder) if self._folder else source
            if self._alignment.detector is not None:
                yield self._listing, Photographs(images, self._alignment.detector)
            elif self._alignment.landmarks is None:
                yield self._listing, AlignedPictures(images)
            elif self._alignment.landmarks == self._images:
                yield self._listing, Photographs(images, _given(source))
            else:
                with open_source(self._alignment.landmarks) as points:
                    yield self._listing, Photographs(images, _given(points))


def _given(source: ImageSource) -> GivenLandmarks:
    if not any(path.endswith("_5loc_attri.txt") for path in source.paths):
        inner = [path for path in source.paths if path.endswith((".zip", ".rar", ".tar"))]
        what = f"it holds {inner[0]}: unpack that too" if inner else "none is there"
        raise DatasetError(
            f"{source.origin}: expected a landmark file NAME_5loc_attri.txt for each image, but "
            f"{what}. Name their folder with --landmarks, or have the faces found with --align "
            "detect."
        )
    return GivenLandmarks(source)


def sha256_of_source(path: Path) -> str:
    """Hash an archive by its bytes, a folder by the names and bytes of its files."""
    if path.is_file():
        return sha256_of_file(path)
    if not path.is_dir():
        raise DatasetError(f"{path}: no such file or folder. Check --images.")
    digest = hashlib.sha256()
    for file in folder_files(path):
        digest.update(os.fsencode(file.relative_to(path)))
        digest.update(f" {sha256_of_file(file)}\n".encode())
    return f"folder {digest.hexdigest()}"
