"""The store: whole or not at all, and nothing damaged is read."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.datasets.soundness import require_images
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
from compute.errors import DatasetError, HashMismatchError


def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)


def write(data: Path, **more: Any) -> None:
    pixels = images()
    content: dict[str, Any] = {
        "images": pixels,
        "records": [
            ImageRecord("A/A_0001.jpg", "A", image_sha256(pixels[0]), 0.25),
            ImageRecord('B,"quoted"/\nB_0001.jpg', "B, Sir", image_sha256(pixels[1])),
            ImageRecord("Ç/Ç_0001.jpg", "Ç", image_sha256(pixels[2]), 1e-300),
        ],
        "pairs": [
            PairRecord(1, 0, 1, genuine=True, fold=0, mask=0),
            PairRecord(5, 2, 1, genuine=False, fold=9),
        ],
        "skipped": [Skipped("C/C_0001.jpg", "no face, none at all"), Skipped("pair 2", "needs C")],
        "origin": {"images": "here"},
        "masks": np.eye(112, dtype=np.bool_)[None],
    }
    write_dataset(data, "demo", **{**content, **more})


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    assert not is_imported(tmp_path, "demo")
    write(tmp_path)
    assert is_imported(tmp_path, "demo")
    stored = read_dataset(tmp_path, "demo")
    assert np.array_equal(stored.images, images())
    assert stored.records[0] == ImageRecord("A/A_0001.jpg", "A", image_sha256(images()[0]), 0.25)
    assert stored.records[1].name == 'B,"quoted"/\nB_0001.jpg'
    assert stored.records[1].quality is None
    assert stored.records[2].quality == 1e-300
    assert stored.pairs == [
        PairRecord(1, 0, 1, genuine=True, fold=0, mask=0),
        PairRecord(5, 2, 1, genuine=False, fold=9),
    ]
    assert stored.skipped[0] == Skipped("C/C_0001.jpg", "no face, none at all")
    assert stored.masks is not None
    assert np.array_equal(stored.masks[0], np.eye(112, dtype=np.bool_))
    assert read_origin(tmp_path, "demo") == {"images": "here"}
    require_images(stored)


def test_a_dataset_without_masks_has_none(tmp_path: Path) -> None:
    write(tmp_path, masks=None)
    assert read_dataset(tmp_path, "demo").masks is None


def test_the_hash_is_of_images_pairs_and_masks_only(tmp_path: Path) -> None:
    def sha256(place: str, **more: Any) -> str:
        write(tmp_path / place, **more)
        return read_dataset(tmp_path / place, "demo").sha256

    first = sha256("a")
    assert sha256("b") == first
    assert sha256("c", origin={"images": "there"}, skipped=[]) == first
    others = [
        sha256("d", images=images()[::-1]),
        sha256("e", pairs=[PairRecord(1, 0, 1, genuine=False, fold=0, mask=0)]),
        sha256("f", masks=np.zeros((1, 112, 112), np.bool_)),
        sha256("g", masks=None),
    ]
    assert len({first, *others}) == 5


FILES = ["images.npy", "images.csv", "pairs.csv", "skipped.csv", "masks.npy"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_damaged_file_is_named_with_its_remedy(file: str, damage: str, tmp_path: Path) -> None:
    write(tmp_path)
    folder = dataset_folder(tmp_path, "demo")
    data = bytearray((folder / file).read_bytes())
    if damage == "missing":
        (folder / file).unlink()
    elif damage == "cut":
        (folder / file).write_bytes(data[:-1])
    else:
        data[-2] ^= 1
        (folder / file).write_bytes(data)
    with pytest.raises(
        HashMismatchError, match=rf"{folder}/{file}.*Delete {folder} and import demo again"
    ):
        read_dataset(tmp_path, "demo")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '"x"'])
def test_a_damaged_summary_is_named_with_its_remedy(text: str, tmp_path: Path) -> None:
    write(tmp_path)
    folder = dataset_folder(tmp_path, "demo")
    (folder / "dataset.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"{folder}/dataset.json: damaged.*Delete {folder}"):
        read_dataset(tmp_path, "demo")


def test_another_format_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    path = dataset_folder(tmp_path, "demo") / "dataset.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(DatasetError, match="format 2, expected 1"):
        read_dataset(tmp_path, "demo")


def test_hashes_that_were_edited_are_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    path = dataset_folder(tmp_path, "demo") / "dataset.json"
    stored = read_dataset(tmp_path, "demo")
    path.write_text(path.read_text().replace(stored.sha256, "0" * 64))
    with pytest.raises(HashMismatchError, match=rf"{path}: SHA-256 .* expected 0000"):
        read_dataset(tmp_path, "demo")


def test_an_image_that_is_not_its_hash_is_named(tmp_path: Path) -> None:
    records = [ImageRecord(name, name, image_sha256(images()[0])) for name in "ABC"]
    write(tmp_path, records=records)
    with pytest.raises(HashMismatchError, match="demo, B: pixels have SHA-256"):
        require_images(read_dataset(tmp_path, "demo"))


def test_what_is_not_imported_says_how(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'demo' is not imported.*flask datasets import demo"):
        read_dataset(tmp_path, "demo")
    with pytest.raises(DatasetError, match="Unknown dataset 'lwf': expected one of lfw, calf"):
        read_dataset(tmp_path, "lwf")


@pytest.mark.parametrize("name", ["../demo", "", "/etc", "Demo"])
def test_names_lead_nowhere_else(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Unknown dataset"):
        dataset_folder(tmp_path, name)


@pytest.mark.parametrize("writes", [0, 1, 3, 5])
def test_a_full_disk_leaves_no_half_dataset(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = writes
    real = os.fsync

    def full_soon(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_soon)
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path)
    assert not is_imported(tmp_path, "demo")
    assert list((tmp_path / "datasets").iterdir()) == []
    write(tmp_path)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["demo"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    left = tmp_path / "datasets" / ".writing-demo"
    left.mkdir(parents=True)
    (left / "surprise").touch()
    write(tmp_path)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["demo"]
    assert {path.name for path in dataset_folder(tmp_path, "demo").iterdir()} == {
        *FILES,
        "dataset.json",
    }


@pytest.mark.parametrize(
    ("what", "pair_id"),
    [
        ("pair 6001", 6001),
        ("pair 1/face.jpg", None),
        ("pair 12.jpg", None),
        ("Ann/1.jpg", None),
        ("pair ", None),
    ],
)
def test_what_was_skipped_is_a_pair_by_its_id_alone(what: str, pair_id: int | None) -> None:
    assert Skipped(what, "for a reason").pair_id == pair_id
