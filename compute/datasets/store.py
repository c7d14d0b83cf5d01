"""The store of an imported dataset: aligned images once, pairs, hashes; written whole or not.

``<data>/datasets/<name>/`` holds ``images.npy`` (M, 112, 112, 3) uint8 RGB, ``images.csv``,
``pairs.csv``, ``skipped.csv``, perhaps ``masks.npy`` (Q, 112, 112) bool, and ``dataset.json``,
which names the hash of each file and, where the catalogue does not, says what the dataset is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from compute.datasets.catalogue import (
    CATALOGUE,
    NAME,
    DatasetFacts,
    require_name,
)
from compute.errors import DatasetError, HashMismatchError
from compute.files import require_sha256, sha256_of_file, write_array, write_json, write_whole
from compute.occlusion import IMAGE_SHAPE

FORMAT: Final = 1

_PAIR: Final = re.compile(r"pair ([0-9]{1,18})")

_T = TypeVar("_T")


@dataclass(frozen=True)
class ImageRecord:
    """One aligned image; its row in ``images.npy`` is its place in the list."""

    name: str
    identity: str
    sha256: str
    quality: float | None = None


@dataclass(frozen=True)
class PairRecord:
    """One labelled pair; images by row, ``mask`` by row in ``masks.npy`` (or None)."""

    id: int
    image1: int
    image2: int
    genuine: bool
    fold: int
    mask: int | None = None


@dataclass(frozen=True)
class Skipped:
    """Something left out, and why: an image by name, or a pair as ``pair ID``."""

    what: str
    reason: str

    @property
    def pair_id(self) -> int | None:
        """The id of a pair; None for anything else, were it called ``pair 1/face.jpg``."""
        found = _PAIR.fullmatch(self.what)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class StoredDataset:
    """An imported dataset, its images memory-mapped.

    Attributes
    ----------
    sha256
        Hash over the hashes of images, pairs and masks: what results of it depend on. What was
        left out is not in it: its reasons name the files of one machine.
    images
        (M, 112, 112, 3) uint8 RGB, read-only.
    masks
        (Q, 112, 112) bool: what really differs in a pair, where the dataset knows it.
    """

    facts: DatasetFacts
    sha256: str
    origin: dict[str, Any]
    images: NDArray[np.uint8]
    records: list[ImageRecord]
    pairs: list[PairRecord]
    skipped: list[Skipped]
    masks: NDArray[np.bool_] | None

    @property
    def name(self) -> str:
        """The name that it is stored and published under."""
        return self.facts.name


def image_sha256(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the pixels, row by row, RGB."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def dataset_folder(data: Path, name: str) -> Path:
    """Return where a dataset is stored, whether it is there or not."""
    return data / "datasets" / require_name(name)


def is_imported(data: Path, name: str) -> bool:
    """Tell whether a dataset is in the store."""
    return (dataset_folder(data, name) / "dataset.json").is_file()


def imported_names(data: Path) -> list[str]:
    """Return the names of all imported datasets, sorted; what is half written is none."""
    found = [path.parent.name for path in sorted((data / "datasets").glob("*/dataset.json"))]
    return [name for name in found if NAME.fullmatch(name)]


def own_names(data: Path) -> list[str]:
    """Return the names of the imported datasets that the catalogue does not know, sorted."""
    return [name for name in imported_names(data) if name not in CATALOGUE]


def facts_of(data: Path, name: str) -> DatasetFacts:
    """Return what is known of a dataset: by the catalogue, or since its import.

    Raises
    ------
    DatasetError
        For a name that is neither in the catalogue nor imported; lists those that are.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    own = own_names(data)
    if name not in own:
        raise DatasetError(
            f"Unknown dataset {name!r}: expected one of {', '.join([*CATALOGUE, *own])}. One of "
            "your own is imported with: flask datasets import NAME --images FOLDER --pairs FILE.csv"
        )
    stored = _summary(data, name).get("facts")
    try:
        facts = DatasetFacts(**(stored or {}))
    except TypeError:
        facts = None
    if facts is None or facts.name != name:
        raise DatasetError(
            f"{dataset_folder(data, name)}/dataset.json: it says {stored!r:.200} of the dataset, "
            f"expected the facts of {name}. {_remedy(data, name)}"
        )
    return facts


def write_dataset(
    data: Path,
    name: str,
    *,
    images: NDArray[np.uint8],
    records: Sequence[ImageRecord],
    pairs: Sequence[PairRecord],
    skipped: Sequence[Skipped],
    origin: dict[str, Any],
    masks: NDArray[np.bool_] | None = None,
    facts: DatasetFacts | None = None,
) -> None:
    """Store a dataset under its name in one rename; ``origin`` says what it was made from.

    ``facts`` says what it is where the catalogue does not. As with ``write_whole``, what a killed
    process leaves is written over by the next.
    """
    target = dataset_folder(data, name)
    folder = target.with_name(f".writing-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_array(folder / "images.npy", images)
        _write_table(folder / "images.csv", ImageRecord, records)
        _write_table(folder / "pairs.csv", PairRecord, pairs)
        _write_table(folder / "skipped.csv", Skipped, skipped)
        if masks is not None:
            write_array(folder / "masks.npy", masks)
        hashes = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
        write_json(
            folder / "dataset.json",
            {
                "format": FORMAT,
                "name": name,
                "sha256": _content_sha256(hashes),
                "origin": origin,
                "files": hashes,
                **({} if facts is None else {"facts": asdict(facts)}),
            },
        )
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_origin(data: Path, name: str) -> dict[str, Any]:
    """Return what an imported dataset was made from."""
    origin: dict[str, Any] = _summary(data, name)["origin"]
    return origin


def read_dataset(data: Path, name: str) -> StoredDataset:
    """Open an imported dataset after checking the hash of each of its files.

    Raises
    ------
    DatasetError
        Where it is not imported, or of another format.
    HashMismatchError
        Where a file is not what was written at import.
    """
    facts = facts_of(data, name)
    folder = dataset_folder(data, name)
    summary = _summary(data, name)
    for file, expected in summary["files"].items():
        require_sha256(folder / file, expected, remedy=_remedy(data, name))
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    if images.shape[1:] != IMAGE_SHAPE or images.dtype != np.uint8:
        raise DatasetError(f"{folder}/images.npy holds {images.dtype} {images.shape}.")
    with_masks = "masks.npy" in summary["files"]
    return StoredDataset(
        facts=facts,
        sha256=summary["sha256"],
        origin=summary["origin"],
        images=images,
        records=[
            ImageRecord(
                row["name"], row["identity"], row["sha256"], _optional(float, row["quality"])
            )
            for row in _read_table(folder / "images.csv")
        ],
        pairs=[
            PairRecord(
                id=int(row["id"]),
                image1=int(row["image1"]),
                image2=int(row["image2"]),
                genuine=row["genuine"] == "1",
                fold=int(row["fold"]),
                mask=_optional(int, row["mask"]),
            )
            for row in _read_table(folder / "pairs.csv")
        ],
        skipped=[Skipped(**row) for row in _read_table(folder / "skipped.csv")],
        masks=np.load(folder / "masks.npy", allow_pickle=False) if with_masks else None,
    )


def open_images(data: Path, name: str, *, sha256: str) -> NDArray[np.uint8]:
    """Open the images of a dataset that another process has read and checked as a whole.

    Only the list of hashes is read, so that a worker can start on any number of images; whoever
    uses one compares it with its ``ImageRecord``.

    Raises
    ------
    DatasetError
        Where the dataset is not here, or is another than the one with this hash.
    """
    found = _summary(data, name)["sha256"]
    if found != sha256:
        raise DatasetError(
            f"{dataset_folder(data, name)}: SHA-256 of the dataset is {found}, expected {sha256}."
        )
    images: NDArray[np.uint8] = np.load(
        dataset_folder(data, name) / "images.npy", mmap_mode="r", allow_pickle=False
    )
    return images


def folds_in(data: Path, name: str) -> int:
    """Return how many folds the pairs of an imported dataset are in; hashes are not checked."""
    return len({row["fold"] for row in _read_table(dataset_folder(data, name) / "pairs.csv")})


def _remedy(data: Path, name: str) -> str:
    return f"Delete {dataset_folder(data, name)} and import {name} again."


def _summary(data: Path, name: str) -> dict[str, Any]:
    folder = dataset_folder(data, name)
    if not is_imported(data, name):
        raise DatasetError(
            f"Dataset {name!r} is not imported ({folder} is missing). Run: flask datasets import "
            f"{name} --help"
        )
    remedy = _remedy(data, name)
    try:
        summary: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        found, hashes, sha256 = summary["format"], summary["files"], summary["sha256"]
        sound = sha256 == _content_sha256(hashes) and "origin" in summary
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{folder}/dataset.json: damaged ({error!r}). {remedy}") from error
    if found != FORMAT:
        raise DatasetError(f"{folder}: format {found}, expected {FORMAT}. {remedy}")
    if not sound:
        raise HashMismatchError(
            f"{folder}/dataset.json: SHA-256 of the dataset is {_content_sha256(hashes)}, expected "
            f"{sha256}. {remedy}"
        )
    return summary


def _content_sha256(hashes: Mapping[str, str]) -> str:
    """Hash what results depend on, from the hashes of the files."""
    content = {name: sha256 for name, sha256 in sorted(hashes.items()) if name != "skipped.csv"}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _optional(convert: Callable[[str], _T], text: str) -> _T | None:
    return convert(text) if text else None


def _write_table(path: Path, record: type[Any], rows: Iterable[Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(record))
    for row in rows:
        values = astuple(row)
        writer.writerow(int(value) if isinstance(value, bool) else value for value in values)
    write_whole(path, text.getvalue().encode())


def _read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
