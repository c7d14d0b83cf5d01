"""One's own images and the official distributions: the way in that the files given are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.alignment import TEMPLATE
from compute.datasets import given
from compute.datasets.downloads import FOLDER
from compute.datasets.given import Given, import_given
from compute.datasets.importing import ImportReport
from compute.datasets.own import Said
from compute.datasets.soundness import require_counts
from compute.datasets.store import StoredDataset, facts_of, is_imported, read_dataset
from compute.errors import DatasetError
from tests.dataset_files import write_examples, write_lines
from tests.pictures import encoded, picture

Run = Callable[..., tuple[ImportReport, StoredDataset]]


class FakeDetector:
    """Finds the face where an aligned one is, 20 pixels further in."""

    sha256 = "0" * 64

    def __init__(self, path: Path) -> None:
        assert path.name == "yunet.onnx"

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        return np.asarray(TEMPLATE + 20)


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "LandmarkDetector", FakeDetector)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(name: str = "mine", **options: Any) -> tuple[ImportReport, StoredDataset]:
        detector = {"find_detector": lambda: tmp_path / "yunet.onnx"}
        report = import_given(tmp_path / "data", name, Given(**(detector | options)))
        return report, read_dataset(tmp_path / "data", name)

    return run


def photographs(folder: Path, names: Sequence[str], *, size: int = 112) -> Path:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(seed, size)))
    return folder


NAMES = ["a.png", "b.png", "more/a.png", "more/c.png"]
TABLE = [
    "path1,path2,genuine,fold,quality1,quality2",
    "a.png,b.png,1,0,0.25,0.5",
    "more/a.png,more/c.png,1,1,,",
    "a.png,more/a.png,0,0,0.25,",
    "b.png,more/c.png,0,1,0.5,",
]


def test_images_and_a_table_make_a_dataset(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES)
    table = write_lines(tmp_path / "pairs.csv", TABLE)
    report, dataset = run(
        images=images, pairs=table, align="none", said=Said("My faces", "Mine alone", "My camera")
    )
    assert (report.images, report.pairs, report.skipped) == (4, 4, [])
    assert [record.name for record in dataset.records] == NAMES
    for seed, image in enumerate(dataset.images):
        assert np.array_equal(image, picture(seed))
    assert [record.quality for record in dataset.records] == [0.25, 0.5, None, None]
    facts = dataset.facts
    assert (facts.title, facts.licence, facts.source) == ("My faces", "Mine alone", "My camera")
    assert facts.pairs == 4
    assert facts == facts_of(tmp_path / "data", "mine")
    first = facts.first_pair_id
    assert first > 1_000_000
    assert [(p.id - first, p.image1, p.image2, p.genuine, p.fold) for p in dataset.pairs] == [
        (0, 0, 1, True, 0),
        (1, 2, 3, True, 1),
        (2, 0, 2, False, 0),
        (3, 1, 3, False, 1),
    ]
    identities = [record.identity for record in dataset.records]
    assert identities[0] == identities[1] != identities[2] == identities[3]
    require_counts(dataset)


def test_photographs_are_aligned_by_default(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES, size=152)
    table = write_lines(tmp_path / "pairs.csv", TABLE)
    _, dataset = run(images=images, pairs=table)
    assert np.array_equal(dataset.images[1], picture(1, 152)[20:132, 20:132])
    assert dataset.origin["detector"] == FakeDetector.sha256
    with pytest.raises(DatasetError, match="other sources: align was none, now none"):
        run(images=images, pairs=table, align="none")


def test_a_picture_that_is_not_aligned_is_no_aligned_picture(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES)
    (images / "b.png").write_bytes(encoded(picture(1, 152)))
    report, dataset = run(
        images=images, pairs=write_lines(tmp_path / "pairs.csv", TABLE), align="none"
    )
    assert [pair.id - dataset.facts.first_pair_id for pair in dataset.pairs] == [1, 2]
    assert "152 x 152 pixels, expected 112 x 112" in report.skipped[0].reason
    assert len(report.skipped) == 3
    require_counts(dataset)


def test_the_same_dataset_has_the_same_ids_elsewhere(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES)
    table = write_lines(tmp_path / "pairs.csv", TABLE)
    _, first = run(images=images, pairs=table, align="none")
    _, other = run("other", images=images, pairs=table, align="none")
    assert abs(first.facts.first_pair_id - other.facts.first_pair_id) >= 1_000_000
    elsewhere = tmp_path / "elsewhere"
    import_given(elsewhere, "other", Given(images=images, pairs=table, align="none"))
    assert read_dataset(elsewhere, "other").sha256 == other.sha256


def test_one_folder_per_identity_makes_a_dataset(run: Run, tmp_path: Path) -> None:
    names = [f"Person {i}/{j}.png" for i in range(6) for j in range(3)]
    images = photographs(tmp_path / "faces", names)
    report, dataset = run(images=images, align="none", per_label=12, seed=3)
    assert report.pairs == 24
    assert sum(pair.genuine for pair in dataset.pairs) == 12
    for pair in dataset.pairs:
        first, second = dataset.records[pair.image1], dataset.records[pair.image2]
        assert pair.genuine == (first.identity == second.identity)
        assert first.identity == first.name.split("/")[0]
    assert run(images=images, align="none", per_label=12, seed=3)[0].already
    with pytest.raises(DatasetError, match="already imported from other sources: seed was 3"):
        run(images=images, align="none", per_label=12, seed=4)


def two_lines(images: Callable[[int, int], str]) -> list[str]:
    """Return a list of CPLFW: 6000 pairs over ten people with two images each."""
    lines = []
    for i in range(3000):
        lines += [f"{images(i % 10, 1)} 1", f"{images(i % 10, 2)} 1"]
    for i in range(3000):
        lines += [f"{images(i % 10, 1)} 0", f"{images((i + 1) % 10, 2)} 0"]
    return lines


def cplfw(path: Path, *, without: str = "") -> Path:
    """Write a distribution: photographs, aligned copies of the same names, landmark files."""
    with zipfile.ZipFile(path, "w") as archive:
        for person in range(10):
            for number in (1, 2):
                name, seed = f"P{person}_{number}", 10 * person + number
                points = "\n".join(f"{x} {y}" for x, y in TEMPLATE + 20)
                archive.writestr(f"cplfw/aligned images/{name}.jpg", encoded(picture(0), "PNG"))
                archive.writestr(f"cplfw/images/{name}.jpg", encoded(picture(seed, 152)))
                if name != without:
                    archive.writestr(f"cplfw/CP_landmarks/{name}_5loc_attri.txt", points)
    return path


def test_a_distribution_with_landmarks_is_aligned_by_them(run: Run, tmp_path: Path) -> None:
    pairs = write_lines(tmp_path / "pairs_CPLFW.txt", two_lines(lambda i, j: f"P{i}_{j}.jpg"))
    archive = cplfw(tmp_path / "cplfw.zip", without="P3_2")
    report, dataset = run("cplfw", images=archive, pairs=pairs)
    assert report.images == 19
    assert [record.name for record in dataset.records][:3] == ["P0_1.jpg", "P0_2.jpg", "P1_1.jpg"]
    assert np.abs(dataset.images[0].astype(int) - picture(1, 152)[20:132, 20:132]).max() <= 1
    assert "P3_2_5loc_attri.txt" in report.skipped[0].reason
    assert len(dataset.pairs) == 5400
    assert dataset.pairs[0].id == 12001
    with pytest.raises(DatasetError, match="other sources: detector was none"):
        run("cplfw", images=archive, pairs=pairs, align="detect")


def test_a_distribution_without_its_landmarks_says_so(run: Run, tmp_path: Path) -> None:
    pairs = write_lines(tmp_path / "pairs_CPLFW.txt", two_lines(lambda i, j: f"P{i}_{j}.jpg"))
    path = tmp_path / "CPLFW.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("CPLFW/images.rar", b"Rar!")
    with pytest.raises(DatasetError, match=r"it holds CPLFW/images\.rar: unpack that too"):
        run("cplfw", images=path, pairs=pairs)


def test_xqlfw_keeps_its_scores(run: Run, tmp_path: Path) -> None:
    lines = ["10 300"]
    for _ in range(10):
        lines += [f"P{i % 10} 1 2" for i in range(300)]
        lines += [f"P{i % 10} 1 P{(i + 1) % 10} 2" for i in range(300)]
    names = [f"P{i}/P{i}_{j:04d}.jpg" for i in range(10) for j in (1, 2)]
    scores = ["ID Num Score", *(f"P{i} {j} {i / 16 + j / 32}" for i in range(10) for j in (1, 2))]
    options = {
        "images": photographs(tmp_path / "faces", names),
        "pairs": write_lines(tmp_path / "xqlfw_pairs.txt", lines),
        "scores": write_lines(tmp_path / "xqlfw_scores.txt", scores),
        "align": "none",
    }
    _, dataset = run("xqlfw", **options)
    assert [record.quality for record in dataset.records][:3] == [1 / 32, 2 / 32, 3 / 32]
    with pytest.raises(DatasetError, match="lfw: --scores is a file of XQLFW"):
        run("lfw", **options)


def test_what_was_pulled_is_taken_where_nothing_is_given(run: Run, tmp_path: Path) -> None:
    from compute.datasets.formats.tfrecord import PairExample

    with pytest.raises(DatasetError, match=r"lfw needs --images and --pairs.*datasets pull lfw"):
        run("lfw")
    downloads = tmp_path / "data" / FOLDER
    downloads.mkdir(parents=True)
    faces = [encoded(picture(seed)) for seed in range(4)]
    labels = ([True] * 300 + [False] * 300) * 10
    records = [PairExample(faces[0], faces[1 if label else 2], label) for label in labels]
    write_examples(downloads / "lfw.tfrecord", records)
    report, dataset = run("lfw")
    assert (report.images, report.pairs) == (3, 6000)
    assert dataset.origin.keys() == {"tfrecord"}


def test_files_that_make_no_dataset_are_refused(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES)
    table = write_lines(tmp_path / "pairs.csv", TABLE)
    long = [f"{name * 150}/{number}{'x' * 150}.png" for name in "ab" for number in (1, 2)]
    folders = photographs(tmp_path / "folders", long)
    for name, options, message in (
        ("mine", {}, "Unknown dataset 'mine': expected one of lfw, .*, demo. One of your own"),
        ("Mine", {"images": images}, "Unknown dataset 'Mine'"),
        ("lfw", {"images": images}, "lfw needs --images and --pairs"),
        ("lfw", {"images": images, "pairs": table}, "line 1.*official pairs.txt"),
        ("mlfw", {"images": images, "pairs": table}, "mlfw needs --tfrecord or --bin"),
        ("lfw", {"said": Said(title="Mine")}, "lfw is in the catalogue"),
        ("mine", {"images": images, "pairs": tmp_path / "gone.csv"}, "gone.csv: no such file"),
        ("mine", {"images": tmp_path / "gone", "pairs": table}, "gone: no such file or folder"),
        ("mine", {"images": images, "pairs": table, "scores": table}, "quality1, quality2"),
        (
            "mine",
            {"images": images, "pairs": table, "landmarks": images, "align": "none"},
            "--landmarks are not used with --align none",
        ),
        (
            "mine",
            {"images": images, "pairs": table, "find_detector": None},
            "no detector is given",
        ),
        ("mine", {"images": images}, "IDENTITY/FILE"),
        ("mine", {"images": images, "pairs": table, "said": Said("T" * 201)}, "title of 201 char"),
        ("mine", {"images": folders, "align": "none"}, "the image .* expected 255 at most"),
    ):
        with pytest.raises(DatasetError, match=message):
            run(name, **options)
        assert not is_imported(tmp_path / "data", "mine")


def test_landmarks_outside_the_picture_are_not_believed(run: Run, tmp_path: Path) -> None:
    images = photographs(tmp_path / "faces", NAMES, size=152)
    table = write_lines(tmp_path / "pairs.csv", TABLE)
    points = tmp_path / "points"
    points.mkdir()
    for stem in "abc":
        shift = 20 if stem != "b" else 300
        text = "\n".join(f"{x} {y}" for x, y in TEMPLATE + shift)
        (points / f"{stem}.png_5loc_attri.txt").write_text(text)
    report, _ = run(images=images, pairs=table, landmarks=points)
    assert [each.what for each in report.skipped if not each.what.startswith("pair")] == ["b.png"]
    assert "places the face outside the 152 x 152 pixels" in report.skipped[0].reason
