"""What the data folder holds, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compute import holdings as module
from compute.alignment import DETECTOR_FILE
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from compute.embedding import Preprocessing
from compute.holdings import Holding, holdings
from compute.registry import ModelRegistry
from compute.remote.service import RemoteEndpoint
from compute.remote.transport import Manners
from tests import onnx_models
from tests.black_box import BlackBox, serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    images = np.zeros((2, 112, 112, 3), np.uint8)
    write_dataset(
        tmp_path,
        "lfw",
        images=images,
        records=[ImageRecord(name, name, image_sha256(images[0])) for name in "ab"],
        pairs=[PairRecord(1, 0, 1, genuine=False, fold=0)],
        skipped=[],
        origin={},
    )
    onnx = tmp_path / "toy.onnx"
    onnx.write_bytes(onnx_models.toy())
    preprocessing = Preprocessing("rgb", (0.0,) * 3, (1.0,) * 3)
    ModelRegistry(tmp_path).add("toy", onnx, preprocessing=preprocessing)
    return tmp_path


def found(data: Path) -> list[Holding]:
    return list(holdings(data, detectors=[data / "models"]))


def test_sound_holdings_have_no_fault(data: Path) -> None:
    assert found(data) == [Holding("dataset", "lfw"), Holding("model", "toy")]


def test_what_a_killed_import_left_is_no_dataset(data: Path) -> None:
    (data / "datasets/lfw").rename(data / "datasets/.writing-lfw")
    assert found(data) == [Holding("model", "toy")]


def test_a_service_needs_no_file(data: Path) -> None:
    with serving(BlackBox()) as box:
        manners = Manners(allow_private=True)
        endpoint = RemoteEndpoint(box.url, "embeddings", batch=4, manners=manners)
        ModelRegistry(data).add_service("box", endpoint)
    assert Holding("model", "box") in found(data)


def test_nothing_is_held_by_an_empty_folder(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("datasets/lfw/images.npy", "images.npy missing. Delete the folder"),
        ("models/toy.onnx", "is missing. Add the file"),
    ],
)
def test_what_is_missing_is_a_fault(data: Path, path: str, words: str) -> None:
    (data / path).unlink()
    assert [words in held.fault for held in found(data)].count(True) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("datasets/lfw/dataset.json", "damaged"),
        ("models/toy.onnx", "SHA-256 is"),
        ("models/registry.toml", "not a model registry"),
        (f"models/{DETECTOR_FILE}", "SHA-256 is"),
    ],
)
def test_what_is_damaged_is_a_fault(data: Path, path: str, words: str) -> None:
    (data / path).write_text("damaged")
    assert [words in held.fault for held in found(data)].count(True) == 1


def test_a_sound_detector_is_found(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "models" / DETECTOR_FILE).write_bytes(b"stands for it")
    monkeypatch.setattr(module, "require_sha256", lambda *_, remedy: None)
    assert found(data)[-1] == Holding("detector", DETECTOR_FILE)
