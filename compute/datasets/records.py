"""Datasets whose pictures lie in their pairs: TFRecord and ``.bin``, aligned faces without names.

A picture that several pairs show is kept once, told by its pixels. The n-th genuine record is the
n-th genuine pair of the official list, and so for impostors: that holds whichever label comes
first. With the list the pictures get their names; without it they are named by their content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compute.datasets.catalogue import DatasetFacts
from compute.datasets.faces import Faces, decode_aligned
from compute.datasets.formats.insightface_bin import read_bin
from compute.datasets.formats.tfrecord import PairExample, read_examples
from compute.datasets.identities import with_identities
from compute.datasets.importing import Listing
from compute.datasets.pairs import NamedPair
from compute.datasets.store import image_sha256
from compute.errors import DatasetError, ImageError
from compute.files import sha256_of_file
from compute.progress import progress_bar


def bin_examples(path: Path) -> Iterator[PairExample]:
    """Read an InsightFace ``.bin`` as pairs of encoded pictures."""
    pictures, genuine = read_bin(path)
    for label, first, second in zip(genuine, pictures[0::2], pictures[1::2], strict=True):
        yield PairExample(first, second, label)


READERS: dict[str, Callable[[Path], Iterable[PairExample]]] = {
    "tfrecord": read_examples,
    "bin": bin_examples,
}


@dataclass(frozen=True)
class PairList:
    """The pairs of a dataset by name, and the files that say so, by kind."""

    listing: Listing
    lists: Mapping[str, Path]


class PictureRecords:
    """One file of labelled pairs of encoded, aligned faces.

    Parameters
    ----------
    kind
        A key of ``READERS``.
    facts
        What is known of the dataset; None for one's own, whose pairs keep the order of the file.
    named
        Names of the pictures; None where no list is at hand.
    """

    def __init__(
        self, path: Path, kind: str, *, facts: DatasetFacts | None, named: PairList | None
    ) -> None:
        self._path = path
        self._kind = kind
        self._facts = facts
        self._named = named

    def origin(self) -> dict[str, Any]:
        """Hash the file, and the lists that name its pictures."""
        lists = self._named.lists if self._named else {}
        if not self._path.is_file():
            raise DatasetError(f"{self._path}: no such file. Check --{self._kind}.")
        return {
            self._kind: sha256_of_file(self._path),
            **{kind: sha256_of_file(path) for kind, path in lists.items()},
        }

    @contextmanager
    def open(self) -> Iterator[tuple[Listing, Faces]]:
        """Read all records, and name their pictures."""
        pictures = _Pictures()
        records = self._records(pictures)
        if self._named is not None:
            listing = self._named.listing
            order = _order(self._path, records, [pair.genuine for pair in listing.pairs])
            names = [(pair.image1, pair.image2) for pair in listing.pairs]
            yield listing, self._kept(pictures, order, names)
            return
        facts = self._facts
        order = records if facts is None else _order(self._path, records, facts.labels())
        names = [(_name(record.image1), _name(record.image2)) for record in order]
        pairs = with_identities(
            [
                NamedPair(first, second, "", "", record.genuine)
                for record, (first, second) in zip(order, names, strict=True)
            ],
            where=str(self._path),
        )
        yield Listing(pairs), self._kept(pictures, order, names)

    def _records(self, pictures: _Pictures) -> list[_Record]:
        records = []
        expected = self._facts.pairs if self._facts else 0
        title = self._path.name
        with progress_bar(f"read {title}", expected, "pair") as progress:
            for number, example in enumerate(READERS[self._kind](self._path), start=1):
                first, second = (
                    pictures.add(data, f"{title}, record {number}, image {side}")
                    for side, data in enumerate((example.image1, example.image2), start=1)
                )
                records.append(_Record(number, first, second, example.genuine))
                progress.update()
        if self._facts and len(records) != expected:
            raise DatasetError(
                f"{self._path}: {len(records)} pairs, expected {expected} of {self._facts.name}. "
                "The file is cut off or is another dataset."
            )
        return records

    def _kept(
        self,
        pictures: _Pictures,
        order: Sequence[_Record],
        names: Sequence[tuple[str, str]],
    ) -> _KeptFaces:
        """Join names with pictures: one name, one picture."""
        kept = _KeptFaces(pictures)
        for record, pair in zip(order, names, strict=True):
            for name, picture in zip(pair, (record.image1, record.image2), strict=True):
                before, number = kept.places.setdefault(name, (picture, record.number))
                if before != picture:
                    raise DatasetError(
                        f"{self._path}: records {number} and {record.number} show different "
                        f"pictures where the list names {name} for both. The list is not that of "
                        "this file: name the right one with --pairs, or leave it out (pictures are "
                        "then named by their content)."
                    )
        return kept


@dataclass(frozen=True)
class _Record:
    """One pair of the file: its number from 1, its pictures by key, its label."""

    number: int
    image1: str
    image2: str
    genuine: bool


@dataclass
class _Pictures:
    """Decoded pictures by the hash of their pixels; those that fail by what they are called."""

    pixels: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    _seen: dict[bytes, str] = field(default_factory=dict)

    def add(self, data: bytes, title: str) -> str:
        """Keep a picture, and return its key."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._seen:
            try:
                image = decode_aligned(data, title)
                key = image_sha256(image)
                self.pixels[key] = image
            except ImageError as error:
                key = digest.hex()
                self.failed[key] = str(error)
            self._seen[digest] = key
        return self._seen[digest]


@dataclass
class _KeptFaces:
    """The pictures as ``Faces``: by name, the key of its picture and the record it came with."""

    pictures: _Pictures
    places: dict[str, tuple[str, int]] = field(default_factory=dict)

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Return the names sorted: all pictures are read already."""
        return sorted(names)

    def aligned(self, name: str) -> NDArray[np.uint8]:
        """Return a picture; ``ImageError`` says why it could not be decoded."""
        key, _number = self.places[name]
        if key in self.pictures.failed:
            raise ImageError(self.pictures.failed[key])
        return self.pictures.pixels[key]


def _name(key: str) -> str:
    return f"{key[:20]}.png"


def _order(path: Path, records: Sequence[_Record], labels: Sequence[bool]) -> list[_Record]:
    """Put records into the order of a list of labels, the n-th of each label in its place."""
    found = sum(record.genuine for record in records)
    if (len(records), found) != (len(labels), sum(labels)):
        raise DatasetError(
            f"{path}: {found} genuine and {len(records) - found} impostor pairs, expected "
            f"{sum(labels)} and {len(labels) - sum(labels)}. The file is another dataset than the "
            "list."
        )
    queues = {
        label: iter([record for record in records if record.genuine == label])
        for label in (True, False)
    }
    return [next(queues[label]) for label in labels]
