"""Specs by name and from files, and which pairs a run is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.datasets.catalogue import CATALOGUE
from compute.datasets.store import ImageRecord, PairRecord, Skipped, StoredDataset
from compute.errors import RunError
from compute.occlusion import OcclusionSpec
from compute.pipeline import SPECS, named_spec, select_pairs


@pytest.mark.parametrize("name", ["default", "published", "full"])
def test_named_specs(name: str) -> None:
    assert named_spec(name) == (name, SPECS[name])
    assert SPECS["default"] == OcclusionSpec()
    assert [SPECS[each].count for each in ("default", "published", "full")] == [1058, 1130, 1249]


def test_a_file_gives_its_spec_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "soft-circles.toml"
    path.write_text('patch_sizes = [20]\nshape = "circle"\nblur = 7\n', encoding="utf-8")
    expected = OcclusionSpec(patch_sizes=(20,), shape="circle", blur=7)
    assert named_spec(str(path)) == ("soft-circles", expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patch_sizes = [", "TOML|array|Unclosed|Invalid"),
        ("patch_size = [7]", "unknown option 'patch_size'"),
        ("patch_sizes = 7", "expected a list"),
        ('patch_sizes = ["7"]', "expected a whole number"),
        ("patch_sizes = [200]", "patch size 200"),
        ("patch_sizes = []", "one or more"),
        ('shape = "star"', "shape='star'"),
        ("stride = 0", "stride=0"),
        ("stride = true", "stride=True"),
        ("blur = 3", "blur=3"),
    ],
)
def test_a_file_that_is_no_spec_names_itself(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=f"^{path}: not an occlusion spec .*{message}"):
        named_spec(str(path))


def test_a_file_that_is_not_text_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=f"{path}: not an occlusion spec"):
        named_spec(str(path))


@pytest.mark.parametrize("stem", ["default", "full", "My Spec", "a__b", "_a", "a" * 65])
def test_a_file_of_a_name_that_is_taken_or_unfit_is_refused(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text("stride = 10", encoding="utf-8")
    with pytest.raises(RunError, match="Rename the file"):
        named_spec(str(path))


@pytest.mark.parametrize("given", ["nothing", "nothing.toml", "", "."])
def test_an_unknown_spec_lists_the_known(given: str) -> None:
    with pytest.raises(RunError, match="expected one of default, published, full, or an existing"):
        named_spec(given)


def dataset(**more: Any) -> StoredDataset:
    pairs = [PairRecord(101 + i, 0, 1, genuine=i % 4 < 2, fold=i // 4) for i in range(20) if i != 7]
    options: dict[str, Any] = {
        "facts": CATALOGUE["demo"],
        "sha256": "",
        "origin": {},
        "images": np.zeros((2, 112, 112, 3), np.uint8),
        "records": [ImageRecord("a", "a", ""), ImageRecord("b", "b", "")],
        "pairs": pairs,
        "skipped": [Skipped("c", "no face"), Skipped("pair 108", "needs c")],
        "masks": None,
    }
    return StoredDataset(**{**options, **more})


def ids(limit: int | None = None, pair_ids: list[int] | None = None) -> list[int]:
    return [pair.id for pair in select_pairs(dataset(), limit=limit, pair_ids=pair_ids)]


def test_all_pairs_are_selected_unless_told_otherwise() -> None:
    assert sorted(ids()) == [101 + i for i in range(20) if i != 7]


def test_a_limit_takes_folds_and_labels_in_turn() -> None:
    assert ids(limit=4) == [101, 103, 105, 107]
    assert ids(limit=10) == [101, 103, 105, 107, 109, 111, 113, 115, 117, 119]
    assert len(ids(limit=1000)) == 19


def test_ids_are_taken_once_and_bounded_by_the_limit() -> None:
    assert sorted(ids(pair_ids=[120, 101, 120])) == [101, 120]
    assert len(ids(pair_ids=[101, 102, 103], limit=2)) == 2


def test_an_id_that_the_import_left_out_is_passed_over() -> None:
    assert sorted(ids(pair_ids=[107, 108, 109])) == [107, 109]


@pytest.mark.parametrize("number", [0, 1, 100, 121, 10**12])
def test_an_id_of_no_pair_says_which_there_are(number: int) -> None:
    with pytest.raises(RunError, match=f"demo has no pair {number}; its ids go from 101 to 120"):
        ids(pair_ids=[101, number])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(RunError, match=f"--limit {limit}: expected 1 or more"):
        ids(limit=limit)


def test_a_dataset_without_pairs_has_none() -> None:
    assert select_pairs(dataset(pairs=[]), limit=None, pair_ids=None) == []
    with pytest.raises(RunError, match="no pair 1"):
        select_pairs(dataset(pairs=[]), limit=None, pair_ids=[1])
