"""Importing a dataset, whatever it comes from: read, align, store. A killed import goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.datasets.catalogue import CATALOGUE, DatasetFacts
from compute.datasets.faces import Faces
from compute.datasets.pairs import NamedPair, folds_of
from compute.datasets.shards import Shard, Shards
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
from compute.files import exclusive
from compute.progress import progress_bar


@dataclass(frozen=True)
class ImportReport:
    """What an import did: counts, and everything that was left out."""

    images: int
    pairs: int
    skipped: list[Skipped]
    already: bool


@dataclass(frozen=True)
class Listing:
    """The pairs of a dataset in the order of their ids.

    Attributes
    ----------
    folds
        Of each pair; the rule of ``folds_of`` if left out.
    quality
        By image name, where it is known.
    """

    pairs: Sequence[NamedPair]
    folds: Sequence[int] = ()
    quality: Mapping[str, float] = field(default_factory=dict)

    def numbered(self, first: int) -> list[tuple[int, NamedPair, int]]:
        """Return each pair with its id and its fold."""
        folds = self.folds or folds_of([pair.genuine for pair in self.pairs])
        ids = range(first, first + len(self.pairs))
        return list(zip(ids, self.pairs, folds, strict=True))


class Source(Protocol):
    """What a dataset is imported from."""

    def origin(self) -> dict[str, Any]:
        """Return the hashes of what is read, by kind: it makes the dataset what it is."""

    def open(self) -> AbstractContextManager[tuple[Listing, Faces]]:
        """Open the pairs and, by image name, the faces."""


def import_dataset(
    data: Path, name: str, source: Source, describe: Callable[[int], DatasetFacts]
) -> ImportReport:
    """Import one dataset from one source.

    Parameters
    ----------
    data
        The pipeline's data folder.
    describe
        Gives the facts of the dataset, from its number of pairs.

    Raises
    ------
    DatasetError
        For a source that cannot be used, or where another dataset of this name is imported.
    """
    with exclusive(data / "locks" / f"import-{name}", doing=f"importing {name}"):
        origin = source.origin()
        if is_imported(data, name):
            return already_imported(data, name, origin)
        require_free(data, name)
        with source.open() as (listing, faces):
            facts = describe(len(listing.pairs))
            if len(listing.pairs) != facts.pairs:
                raise DatasetError(
                    f"{name}: {len(listing.pairs)} pairs, expected {facts.pairs}. The source is "
                    "cut off or is another dataset."
                )
            _require_names(name, listing)
            return _align_and_store(data, facts, listing, faces, origin)


def import_demo(data: Path) -> ImportReport:
    """Draw the demo dataset and store it."""
    from compute.demo import draw_demo  # drawing code is needed here only

    with exclusive(data / "locks" / "import-demo", doing="importing demo"):
        origin = {"images": "drawn", "opencv": cv2.__version__}
        if is_imported(data, "demo"):
            return already_imported(data, "demo", origin)
        require_free(data, "demo")
        drawn = draw_demo()
        first = CATALOGUE["demo"].first_pair_id
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


def _require_names(name: str, listing: Listing) -> None:
    """Refuse names that the site cannot hold or show."""
    for pair in listing.pairs:
        for what, text, most in (
            ("image", pair.image1, 255),
            ("image", pair.image2, 255),
            ("identity", pair.identity1, 200),
            ("identity", pair.identity2, 200),
        ):
            if len(text) > most or not text.isprintable():
                raise DatasetError(
                    f"{name}: the {what} {text!r:.300} has {len(text)} characters, expected "
                    f"{most} at most, all of them printable. Rename it."
                )


def require_free(data: Path, name: str) -> None:
    """Refuse, before any work, a folder that is in the way and is no imported dataset."""
    folder = dataset_folder(data, name)
    if folder.exists():
        raise DatasetError(
            f"{folder} is there without its dataset.json: damaged, or no dataset. Delete or move "
            f"it and import {name} again."
        )


def already_imported(data: Path, name: str, origin: dict[str, Any]) -> ImportReport:
    """Return what is imported, where it came from the same files, by whichever OpenCV."""
    stored = read_origin(data, name)
    different = sorted(
        key
        for key in (origin.keys() | stored.keys()) - {"opencv"}
        if stored.get(key) != origin.get(key)
    )
    if different:
        key = different[0]
        before, now = (_short(each.get(key, "none")) for each in (stored, origin))
        raise DatasetError(
            f"{name} is already imported from other sources: {key} was {before}, now {now}. Import "
            f"this under another name, or remove that first: flask datasets remove {name}"
        )
    dataset = read_dataset(data, name)
    return ImportReport(len(dataset.records), len(dataset.pairs), dataset.skipped, already=True)


def _short(value: object) -> str:
    """Return a value of an origin as text, a long hash by its beginning."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:19]}..."


def _align_and_store(
    data: Path, facts: DatasetFacts, listing: Listing, faces: Faces, origin: dict[str, Any]
) -> ImportReport:
    identities = {
        image: identity
        for pair in listing.pairs
        for image, identity in ((pair.image1, pair.identity1), (pair.image2, pair.identity2))
    }
    order = faces.in_stored_order(identities)
    place = dataset_folder(data, facts.name).parent / f".importing-{facts.name}"
    shards = Shards(place, origin, order)
    aligned: dict[str, NDArray[np.uint8]] = {}
    failed: dict[str, str] = {}
    with progress_bar(f"align {facts.name}", len(order), "image") as progress:
        for number, names in enumerate(shards.names):
            shard = shards.read(number)
            if shard is None:
                shard = _align_shard(faces, names)
                shards.write(number, shard)
            aligned |= shard.aligned
            failed |= shard.failed
            progress.update(len(names))
    if not aligned:
        raise DatasetError(
            f"{facts.name}: none of the {len(order)} images of the pair list can be used; the "
            f"first: {next(iter(failed.values()))}"
        )
    report = _store(data, facts, listing, identities, aligned, failed, origin)
    shards.remove()
    return report


def _align_shard(faces: Faces, names: Sequence[str]) -> Shard:
    shard = Shard({}, {})
    for name in names:
        try:
            shard.aligned[name] = faces.aligned(name)
        except ImageError as error:
            shard.failed[name] = str(error)
    return shard


def _store(
    data: Path,
    facts: DatasetFacts,
    listing: Listing,
    identities: dict[str, str],
    aligned: dict[str, NDArray[np.uint8]],
    failed: dict[str, str],
    origin: dict[str, Any],
) -> ImportReport:
    names = sorted(aligned)
    row = {image: i for i, image in enumerate(names)}
    skipped = [Skipped(image, failed[image].removeprefix(f"{image}: ")) for image in sorted(failed)]
    pairs = []
    for number, pair, fold in listing.numbered(facts.first_pair_id):
        missing = [image for image in (pair.image1, pair.image2) if image not in row]
        if missing:
            skipped.append(Skipped(f"pair {number}", f"needs {missing[0]}"))
            continue
        pairs.append(PairRecord(number, row[pair.image1], row[pair.image2], pair.genuine, fold))
    write_dataset(
        data,
        facts.name,
        images=np.stack([aligned[image] for image in names]),
        records=[
            ImageRecord(
                name, identities[name], image_sha256(aligned[name]), listing.quality.get(name)
            )
            for name in names
        ],
        pairs=pairs,
        skipped=skipped,
        origin=origin,
        facts=None if facts.name in CATALOGUE else facts,
    )
    return ImportReport(len(names), len(pairs), skipped, already=False)
