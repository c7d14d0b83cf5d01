"""Importing: what is skipped is listed, what was killed goes on, nothing is half there."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from compute.alignment import TEMPLATE
from compute.datasets import given, shards
from compute.datasets.formats.lfw import image_name
from compute.datasets.given import Given, import_given
from compute.datasets.importing import ImportReport
from compute.datasets.store import dataset_folder, image_sha256, is_imported, read_dataset
from compute.errors import DatasetError, HashMismatchError, ImageError, RunError
from compute.files import exclusive

NAMES = [f"Person_{i:02d}" for i in range(20)]
IMAGES = [image_name(name, number) for name in NAMES for number in (1, 2)]


class FakeDetector:
    """Finds the template in every image but the faceless one."""

    sha256 = "0" * 64

    calls = 0
    die_after: int | None = None

    def __init__(self, path: Path) -> None:
        pass

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        type(self).calls += 1
        if self.die_after is not None and type(self).calls > self.die_after:
            raise KeyboardInterrupt
        if image.max() == 0:
            raise ImageError(f"{name}: no face found")
        return np.asarray(TEMPLATE)


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> type[FakeDetector]:
    monkeypatch.setattr(given, "LandmarkDetector", FakeDetector)
    monkeypatch.setattr(shards, "SHARD", 8)
    FakeDetector.calls, FakeDetector.die_after = 0, None
    return FakeDetector


def jpeg(seed: int, size: int = 120) -> bytes:
    pixels = np.random.default_rng(seed).integers(1, 256, (size, size, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "lfw-deepfunneled"
    for seed, name in enumerate(IMAGES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(seed))
    return folder


@pytest.fixture
def pair_list(tmp_path: Path) -> Path:
    lines = ["10\t300"]
    for _ in range(10):
        lines += [f"{NAMES[i % 20]}\t1\t2" for i in range(300)]
        lines += [f"{NAMES[i % 20]}\t1\t{NAMES[(i + 1) % 20]}\t2" for i in range(300)]
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def run(tmp_path: Path, photographs: Path, pair_list: Path) -> Callable[..., ImportReport]:
    def run(data: str = "data", **more: Any) -> ImportReport:
        options: dict[str, Any] = {
            "images": photographs,
            "pairs": pair_list,
            "find_detector": lambda: tmp_path / "yunet.onnx",
        }
        return import_given(tmp_path / data, "lfw", Given(**(options | more)))

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_images_are_stored_once_and_sorted(
    run: Callable[..., ImportReport], tmp_path: Path
) -> None:
    report = run()
    assert (report.images, report.pairs, report.skipped) == (40, 6000, [])
    dataset = read_dataset(tmp_path / "data", "lfw")
    assert [record.name for record in dataset.records] == sorted(IMAGES)
    assert dataset.pairs[0].id == 1
    assert dataset.pairs[-1].id == 6000
    assert [dataset.pairs[i].fold for i in (0, 300, 600, 5999)] == [0, 0, 1, 9]
    for record, image in zip(dataset.records, dataset.images, strict=True):
        assert record.sha256 == image_sha256(image)


def test_bad_images_are_skipped_with_their_pairs_and_named(
    run: Callable[..., ImportReport], photographs: Path, tmp_path: Path
) -> None:
    missing, truncated, tiny, faceless = IMAGES[0], IMAGES[3], IMAGES[5], IMAGES[7]
    (photographs / missing).unlink()
    whole = (photographs / truncated).read_bytes()
    (photographs / truncated).write_bytes(whole[: len(whole) // 2])
    (photographs / tiny).write_bytes(jpeg(0, size=20))
    black = io.BytesIO()
    Image.new("RGB", (120, 120)).save(black, "JPEG")
    (photographs / faceless).write_bytes(black.getvalue())

    report = run()

    reasons = {each.what: each.reason for each in report.skipped}
    for name, words in (
        (missing, "not in"),
        (truncated, "truncated"),
        (tiny, "20 x 20"),
        (faceless, "no face"),
    ):
        assert words in reasons[name]
    assert report.images == 36
    assert reasons["pair 1"] == f"needs {missing}"
    dataset = read_dataset(tmp_path / "data", "lfw")
    left_out = sum(each.what.startswith("pair ") for each in report.skipped)
    assert len(dataset.pairs) + left_out == 6000
    names = [record.name for record in dataset.records]
    fifth = next(pair for pair in dataset.pairs if pair.id == 5)
    assert names[fifth.image1] == image_name(NAMES[4], 1)


def test_a_killed_import_goes_on_and_gives_the_same_bytes(
    run: Callable[..., ImportReport], detector: type[FakeDetector], tmp_path: Path
) -> None:
    run("whole")
    detector.calls, detector.die_after = 0, 21
    with pytest.raises(KeyboardInterrupt):
        run()
    assert not is_imported(tmp_path / "data", "lfw")
    detector.calls, detector.die_after = 0, None
    run()
    assert detector.calls == 40 - 16  # two whole shards of eight were kept
    target = dataset_folder(tmp_path / "data", "lfw")
    assert files(target) == files(dataset_folder(tmp_path / "whole", "lfw"))
    assert [path.name for path in target.parent.iterdir()] == ["lfw"]


def test_importing_twice_changes_nothing(
    run: Callable[..., ImportReport], detector: type[FakeDetector]
) -> None:
    run()
    detector.calls = 0
    assert run().already
    assert detector.calls == 0


def test_another_opencv_is_no_other_source(
    run: Callable[..., ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr("cv2.__version__", "9.9.9")
    assert run().already


def test_other_sources_under_the_same_name_are_refused(
    run: Callable[..., ImportReport], photographs: Path
) -> None:
    run()
    (photographs / IMAGES[0]).write_bytes(jpeg(999))
    with pytest.raises(DatasetError, match="already imported from other sources: images"):
        run()


def test_a_damaged_store_is_refused_with_its_remedy(
    run: Callable[..., ImportReport], tmp_path: Path
) -> None:
    run()
    path = dataset_folder(tmp_path / "data", "lfw") / "images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(HashMismatchError, match=r"images\.npy.*import lfw again"):
        read_dataset(tmp_path / "data", "lfw")


def test_two_imports_at_a_time_are_refused(
    run: Callable[..., ImportReport], tmp_path: Path
) -> None:
    lock = tmp_path / "data/locks/import-lfw"
    with exclusive(lock, doing="importing lfw"), pytest.raises(RunError, match="Another process"):
        run()


def test_a_full_disk_leaves_nothing_half_written(
    run: Callable[..., ImportReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("compute.datasets.store.write_array", full)
        with pytest.raises(OSError, match="No space left"):
            run()
    assert not is_imported(tmp_path / "data", "lfw")
    assert run().images == 40


def test_an_archive_without_any_of_the_images_fails(
    run: Callable[..., ImportReport], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DatasetError, match="none of the 40 images"):
        run(images=other)
