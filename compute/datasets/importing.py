"""Importing a dataset: read, decode, find landmarks, align, store. A killed import goes on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.alignment import DETECTOR_SHA256, LandmarkDetector, align
from compute.datasets import lfw
from compute.datasets.catalogue import facts_of
from compute.datasets.pairs import NamedPair, folds_of
from compute.datasets.sources import ImageSource, folder_files, open_source
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    dataset_folder,
    image_sha256,
    is_imported,
    read_dataset,
    read_origin,
    write_dataset,
)
from compute.errors import DatasetError, ImageError
from compute.files import exclusive, sha256_of_file, write_whole
from compute.images import decode
from compute.occlusion import IMAGE_SHAPE
from compute.progress import progress_bar

SHARD: Final = 256
"""Images that are lost at most when an import is killed."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did: counts, and everything that was left out."""

    images: int
    pairs: int
    skipped: list[Skipped]
    already: bool


def import_lfw(data: Path, *, images: Path, pairs: Path, detector: Path) -> ImportReport:
    """Import LFW from its official files.

    Parameters
    ----------
    data
        The pipeline's data folder.
    images
        The distribution as tar, tgz, zip or folder, in the official layout ``Name/Name_0001.jpg``.
    pairs
        The official ``pairs.txt``.
    detector
        The YuNet file.

    Raises
    ------
    DatasetError
        For a list or an archive that cannot be used, or where another LFW is imported already.
    HashMismatchError
        For another detector file.
    """
    if not pairs.is_file():
        raise DatasetError(f"{pairs}: no such file. Check --pairs.")
    listed = lfw.read_pairs(pairs)
    with exclusive(data / "locks" / "import-lfw", doing="importing lfw"):
        aligner = LandmarkDetector(detector)
        origin = {
            "images": _sha256_of_source(images),
            "pairs": sha256_of_file(pairs),
            "detector": DETECTOR_SHA256,
            "opencv": cv2.__version__,
        }
        if is_imported(data, "lfw"):
            return _already(data, "lfw", origin)
        _require_free(data, "lfw")
        with open_source(images) as source:
            return _align_and_store(data, "lfw", source, listed, aligner, origin)


def import_demo(data: Path) -> ImportReport:
    """Draw the demo dataset and store it."""
    from compute.demo import draw_demo  # drawing code is needed here only

    with exclusive(data / "locks" / "import-demo", doing="importing demo"):
        origin = {"images": "drawn", "opencv": cv2.__version__}
        if is_imported(data, "demo"):
            return _already(data, "demo", origin)
        _require_free(data, "demo")
        drawn = draw_demo()
        first = facts_of("demo").first_pair_id
        records = [
            ImageRecord(name, identity, image_sha256(image))
            for name, identity, image in zip(
                drawn.names, drawn.identities, drawn.pixels, strict=True
            )
        ]
        pairs = [
            PairRecord(first + i, pair.image1, pair.image2, pair.genuine, pair.fold, pair.mask)
            for i, pair in enumerate(drawn.pairs)
        ]
        write_dataset(
            data,
            "demo",
            images=drawn.pixels,
            records=records,
            pairs=pairs,
            skipped=[],
            origin=origin,
            masks=drawn.masks,
        )
        return ImportReport(len(records), len(pairs), [], already=False)


def _require_free(data: Path, name: str) -> None:
    """Refuse, before any work, a folder that is in the way and is no imported dataset."""
    folder = dataset_folder(data, name)
    if folder.exists():
        raise DatasetError(
            f"{folder} is there without its dataset.json: damaged, or no dataset. Delete or move "
            f"it and import {name} again."
        )


def _already(data: Path, name: str, origin: dict[str, Any]) -> ImportReport:
    """Return what is imported, where it came from the same files, by whichever OpenCV."""
    stored = read_origin(data, name)
    sources = origin.keys() - {"opencv"}
    different = sorted(key for key in sources if stored.get(key) != origin[key])
    if different:
        raise DatasetError(
            f"{name} is already imported from other sources: {different[0]} was "
            f"{stored.get(different[0])}, now {origin[different[0]]}. To replace it, delete "
            f"{dataset_folder(data, name)} and use a database without its results."
        )
    dataset = read_dataset(data, name)
    return ImportReport(len(dataset.records), len(dataset.pairs), dataset.skipped, already=True)


def _align_and_store(
    data: Path,
    name: str,
    source: ImageSource,
    listed: Sequence[NamedPair],
    detector: LandmarkDetector,
    origin: dict[str, Any],
) -> ImportReport:
    identities = {
        image: identity
        for pair in listed
        for image, identity in ((pair.image1, pair.identity1), (pair.image2, pair.identity2))
    }
    order = source.in_stored_order(identities)
    shards = _Shards(dataset_folder(data, name).parent / f".importing-{name}", origin, order)
    aligned: dict[str, NDArray[np.uint8]] = {}
    failed: dict[str, str] = {}
    with progress_bar(f"align {name}", len(order), "image") as progress:
        for number, names in enumerate(shards.names):
            shard = shards.read(number)
            if shard is None:
                shard = _align_shard(source, names, detector)
                shards.write(number, shard)
            aligned |= shard.aligned
            failed |= shard.failed
            progress.update(len(names))
    if not aligned:
        raise DatasetError(
            f"{source.origin}: none of the {len(order)} images of the pair list can be used; the "
            f"first: {next(iter(failed.values()))}"
        )
    report = _store(data, name, listed, identities, aligned, failed, origin)
    shards.remove()
    return report


def _store(
    data: Path,
    name: str,
    listed: Sequence[NamedPair],
    identities: dict[str, str],
    aligned: dict[str, NDArray[np.uint8]],
    failed: dict[str, str],
    origin: dict[str, Any],
) -> ImportReport:
    names = sorted(aligned)
    row = {image: i for i, image in enumerate(names)}
    first = facts_of(name).first_pair_id
    skipped = [Skipped(image, failed[image]) for image in sorted(failed)]
    pairs = []
    folds = folds_of([pair.genuine for pair in listed])
    for number, (pair, fold) in enumerate(zip(listed, folds, strict=True), start=first):
        missing = [image for image in (pair.image1, pair.image2) if image not in row]
        if missing:
            skipped.append(Skipped(f"pair {number}", f"needs {missing[0]}"))
            continue
        pairs.append(PairRecord(number, row[pair.image1], row[pair.image2], pair.genuine, fold))
    write_dataset(
        data,
        name,
        images=np.stack([aligned[image] for image in names]),
        records=[ImageRecord(n, identities[n], image_sha256(aligned[n])) for n in names],
        pairs=pairs,
        skipped=skipped,
        origin=origin,
    )
    return ImportReport(len(names), len(pairs), skipped, already=False)


@dataclass(frozen=True)
class _Shard:
    """Some images of an import: aligned faces, and why others failed."""

    aligned: dict[str, NDArray[np.uint8]]
    failed: dict[str, str]


def _align_shard(source: ImageSource, names: Sequence[str], detector: LandmarkDetector) -> _Shard:
    shard = _Shard({}, {})
    for name in names:
        try:
            shard.aligned[name] = _aligned(source.read(name), name, detector)
        except ImageError as error:
            shard.failed[name] = str(error)
    return shard


def _aligned(data: bytes, name: str, detector: LandmarkDetector) -> NDArray[np.uint8]:
    image = decode(data, name)
    landmarks = detector.landmarks(image, name)
    try:
        return align(image, landmarks)
    except ValueError as error:
        raise ImageError(f"{name}: cannot be aligned ({error}). Check the picture.") from error


class _Shards:
    """Finished parts of an import on disk; parts of an import from other sources are dropped."""

    def __init__(self, folder: Path, origin: dict[str, Any], order: Sequence[str]) -> None:
        plan = json.dumps([origin, list(order)])
        self._folder = folder / hashlib.sha256(plan.encode()).hexdigest()[:16]
        if folder.is_dir() and not self._folder.is_dir():
            shutil.rmtree(folder)
        self._all = folder
        self.names = [list(order[i : i + SHARD]) for i in range(0, len(order), SHARD)]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.npz"

    def read(self, number: int) -> _Shard | None:
        """Return a finished part, or None."""
        if not self._path(number).is_file():
            return None
        try:
            with np.load(self._path(number), allow_pickle=False) as stored:
                pixels, names = stored["pixels"], stored["names"].tolist()
                failed = json.loads(str(stored["failed"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # Our own intermediate file, damaged on disk: its images are simply aligned again.
            return None
        return _Shard(dict(zip(names, pixels, strict=True)), failed)

    def write(self, number: int, shard: _Shard) -> None:
        """Keep a finished part."""
        buffer = io.BytesIO()
        pixels = list(shard.aligned.values())
        np.savez(
            buffer,
            pixels=np.stack(pixels) if pixels else np.empty((0, *IMAGE_SHAPE), np.uint8),
            names=np.array(list(shard.aligned), dtype=np.str_),
            failed=np.array(json.dumps(shard.failed)),
        )
        write_whole(self._path(number), buffer.getvalue())

    def remove(self) -> None:
        """Drop all parts: the dataset is stored."""
        shutil.rmtree(self._all)


def _sha256_of_source(path: Path) -> str:
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
