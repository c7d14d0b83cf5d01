"""Datasets made of others: degraded faces, folds that share no identity, quality by a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.datasets.catalogue import CATALOGUE, DatasetFacts, require_name
from compute.datasets.degrade import Degradation, degrade
from compute.datasets.importing import ImportReport, already_imported, require_free
from compute.datasets.own import Said, own_facts
from compute.datasets.pairs import FOLDS, NamedPair, identity_disjoint_folds
from compute.datasets.rating import rate
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    image_sha256,
    is_imported,
    read_dataset,
    write_dataset,
)
from compute.errors import DatasetError, ModelError
from compute.files import exclusive, sha256_of_file
from compute.progress import progress_bar


@dataclass(frozen=True)
class Derivation:
    """How a dataset is made of another.

    Attributes
    ----------
    steps
        What is done to each face, in turn; none leaves the faces as they are.
    disjoint_folds
        How many folds that share no identity; None keeps the folds of the other.
    quality
        An ONNX model that rates each face; None keeps the quality that is known.
    seed
        Of noise, places and folds.
    """

    steps: tuple[Degradation, ...] = ()
    disjoint_folds: int | None = None
    quality: Path | None = None
    seed: int = 0

    def __str__(self) -> str:
        words = [f"degraded by {', '.join(map(str, self.steps))}"] if self.steps else []
        if self.disjoint_folds:
            words.append(f"{self.disjoint_folds} identity-disjoint folds")
        if self.quality:
            words.append(f"quality by {self.quality.name}")
        return f"{', '.join(words)} (seed {self.seed})"


def derive(
    data: Path, name: str, base: str, derivation: Derivation, *, title: str = ""
) -> ImportReport:
    """Make a dataset of its own of an imported one; the n-th pair stays the n-th.

    Images keep their names and identities. The quality of degraded faces is not known, unless a
    model rates them.

    Raises
    ------
    DatasetError
        For a name of the catalogue, a derivation that changes nothing, or identities that leave a
        fold without genuine or impostor pairs.
    ModelError
        For a file that is no model of image quality.
    """
    if require_name(name) in CATALOGUE:
        raise DatasetError(
            f"{name} is a dataset of the catalogue. Give what is derived a name of its own, such "
            f"as {base}-{derivation.steps[0].kind if derivation.steps else 'disjoint'}."
        )
    if not derivation.steps and derivation.disjoint_folds is None and derivation.quality is None:
        raise DatasetError(
            f"{name}: nothing makes it differ from {base}. Give --degrade, --folds "
            "identity-disjoint or --quality."
        )
    if derivation.quality is not None and not derivation.quality.is_file():
        raise ModelError(f"{derivation.quality}: no such file. Check --quality.")
    with exclusive(data / "locks" / f"import-{name}", doing=f"deriving {name}"):
        parent = read_dataset(data, base)
        origin = _origin(parent, derivation)
        if is_imported(data, name):
            return already_imported(data, name, origin)
        require_free(data, name)
        said = Said(
            title=title or f"{parent.facts.title}, {derivation}",
            licence=parent.facts.licence,
            source=f"{_source(parent, derivation)} {parent.facts.source}"[:1000],
            images_of=parent.facts.images_of,
        )
        facts = own_facts(data, name, parent.facts.pairs, said)
        return _write(data, facts, parent, derivation, origin)


def _source(parent: StoredDataset, derivation: Derivation) -> str:
    return (
        f"Derived from {parent.facts.title} ({parent.name}, SHA-256 {parent.sha256[:12]}...): "
        f"{derivation}."
    )


def _origin(parent: StoredDataset, derivation: Derivation) -> dict[str, Any]:
    return {
        "derived_from": parent.name,
        "dataset": parent.sha256,
        "degrade": [str(step) for step in derivation.steps],
        "identity_disjoint_folds": derivation.disjoint_folds,
        "quality": derivation.quality and sha256_of_file(derivation.quality),
        "seed": derivation.seed,
        "opencv": cv2.__version__,
    }


def _write(
    data: Path,
    facts: DatasetFacts,
    parent: StoredDataset,
    derivation: Derivation,
    origin: dict[str, Any],
) -> ImportReport:
    shift = facts.first_pair_id - parent.facts.first_pair_id
    pairs = [replace(pair, id=pair.id + shift) for pair in parent.pairs]
    skipped = [_renumbered(each, shift) for each in parent.skipped]
    if derivation.disjoint_folds is not None:
        pairs, unplaced = _disjoint(parent, pairs, derivation.disjoint_folds, derivation.seed)
        skipped += unplaced
    images: NDArray[np.uint8] = np.asarray(parent.images)
    records = parent.records
    if derivation.steps:
        images = _degraded(facts.name, parent, derivation)
        records = [
            ImageRecord(record.name, record.identity, image_sha256(image))
            for record, image in zip(parent.records, images, strict=True)
        ]
    if derivation.quality is not None:
        ratings = rate(derivation.quality, images)
        records = [
            replace(record, quality=rating) for record, rating in zip(records, ratings, strict=True)
        ]
    write_dataset(
        data,
        facts.name,
        images=images,
        records=records,
        pairs=pairs,
        skipped=skipped,
        origin=origin,
        masks=parent.masks,
        facts=facts,
    )
    return ImportReport(len(records), len(pairs), skipped, already=False)


def _renumbered(each: Skipped, shift: int) -> Skipped:
    return each if each.pair_id is None else replace(each, what=f"pair {each.pair_id + shift}")


def _degraded(name: str, parent: StoredDataset, derivation: Derivation) -> NDArray[np.uint8]:
    images = np.empty(parent.images.shape, np.uint8)
    with progress_bar(f"degrade {name}", len(images), "image") as progress:
        for i, record in enumerate(parent.records):
            images[i] = degrade(
                np.asarray(parent.images[i]),
                derivation.steps,
                seed=derivation.seed,
                name=record.name,
            )
            progress.update()
    return images


def _disjoint(
    parent: StoredDataset, pairs: Sequence[PairRecord], folds: int, seed: int
) -> tuple[list[PairRecord], list[Skipped]]:
    """Give pairs their folds; those whose identities are in two folds are left out, and named."""
    if not 2 <= folds <= FOLDS:
        raise DatasetError(f"{folds} folds: expected 2 to {FOLDS}.")
    named = []
    for pair in pairs:
        first, second = parent.records[pair.image1], parent.records[pair.image2]
        named.append(
            NamedPair(first.name, second.name, first.identity, second.identity, pair.genuine)
        )
    found = identity_disjoint_folds(named, folds=folds, seed=seed)
    placed = [
        replace(pair, fold=fold)
        for pair, fold in zip(pairs, found, strict=True)
        if fold is not None
    ]
    unplaced = [
        Skipped(f"pair {pair.id}", f"{who.identity1} and {who.identity2} are in different folds")
        for pair, who, fold in zip(pairs, named, found, strict=True)
        if fold is None
    ]
    return placed, unplaced
