"""Counts that must fit, and what is said of datasets of one's own."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.datasets.own import Said, own_facts
from compute.datasets.soundness import require_counts
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    dataset_folder,
    facts_of,
    image_sha256,
    own_names,
    read_dataset,
    write_dataset,
)
from compute.errors import DatasetError
from tests.pictures import picture


@pytest.fixture
def dataset(tmp_path: Path) -> StoredDataset:
    """Store three pairs of one's own, of which the second was skipped."""
    facts = own_facts(tmp_path, "mine", 3, Said())
    images = np.stack([picture(seed) for seed in range(3)])
    write_dataset(
        tmp_path,
        "mine",
        images=images,
        records=[ImageRecord(f"{i}.png", "A", image_sha256(images[i])) for i in range(3)],
        pairs=[
            PairRecord(facts.first_pair_id, 0, 1, genuine=True, fold=0),
            PairRecord(facts.last_pair_id, 2, 1, genuine=False, fold=9),
        ],
        skipped=[Skipped("3.png", "no face"), Skipped(f"pair {facts.first_pair_id + 1}", "3.png")],
        origin={},
        facts=facts,
    )
    return read_dataset(tmp_path, "mine")


def test_what_fits_is_sound(dataset: StoredDataset) -> None:
    require_counts(dataset)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": 1}, "an id of"),
        ({"id": 2**31}, "an id of"),
        ({"image1": 1}, "two of 3 images"),
        ({"image1": 3}, "two of 3 images"),
        ({"image2": -1}, "two of 3 images"),
        ({"fold": 10}, "a fold of 0 to 9"),
        ({"mask": 0}, "one of 0 masks, or none"),
    ],
)
def test_what_does_not_fit_is_named(
    change: dict[str, Any], expected: str, dataset: StoredDataset
) -> None:
    first, second = dataset.pairs
    with pytest.raises(DatasetError, match=expected):
        require_counts(replace(dataset, pairs=[first, replace(second, **change)]))


def test_pairs_that_are_neither_there_nor_skipped_are_missed(dataset: StoredDataset) -> None:
    with pytest.raises(DatasetError, match=r"2 pairs, 0 skipped.*expected 3 pairs in all"):
        require_counts(replace(dataset, skipped=dataset.skipped[:1]))
    with pytest.raises(DatasetError, match="3 images and 2 records"):
        require_counts(replace(dataset, records=dataset.records[:2], pairs=[]))


def test_what_a_killed_import_left_is_no_dataset(dataset: StoredDataset, tmp_path: Path) -> None:
    folder = dataset_folder(tmp_path, "mine")
    shutil.copytree(folder, folder.with_name(".writing-other"))
    assert own_names(tmp_path) == ["mine"]


@pytest.mark.parametrize("facts", [None, [], "mine", {"name": "mine"}, {"name": "other"}])
def test_facts_that_are_damaged_are_named(
    facts: object, dataset: StoredDataset, tmp_path: Path
) -> None:
    path = dataset_folder(tmp_path, dataset.name) / "dataset.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps(summary | {"facts": facts}))
    with pytest.raises(DatasetError, match=r"dataset\.json: it says .* expected the facts of mine"):
        facts_of(tmp_path, "mine")


def test_a_folder_that_was_renamed_is_no_other_dataset(
    dataset: StoredDataset, tmp_path: Path
) -> None:
    folder = dataset_folder(tmp_path, dataset.name)
    folder.rename(folder.with_name("yours"))
    with pytest.raises(DatasetError, match="expected the facts of yours"):
        read_dataset(tmp_path, "yours")


def test_more_pairs_than_ids_are_refused(tmp_path: Path) -> None:
    assert own_facts(tmp_path, "mine", 1_000_000, Said()).pairs == 1_000_000
    with pytest.raises(DatasetError, match="1000001 pairs, expected 1000000 at most"):
        own_facts(tmp_path, "mine", 1_000_001, Said())
