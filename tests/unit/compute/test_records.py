"""TFRecord and .bin: the pairs of the official list, whatever order the file has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from compute.datasets.formats.tfrecord import PairExample
from compute.datasets.given import Given, import_given
from compute.datasets.importing import ImportReport
from compute.datasets.store import StoredDataset, image_sha256, read_dataset
from compute.errors import DatasetError
from tests.dataset_files import write_bin, write_examples, write_lines
from tests.pictures import encoded, picture

PEOPLE = 20
PNG = {
    (person, number): encoded(picture(100 * person + number))
    for person in range(PEOPLE)
    for number in (1, 2, 3)
}


def name(person: int, number: int) -> str:
    return f"P{person:02d}_{number:04d}.jpg"


def official() -> list[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Return CALFW's order: 3000 genuine pairs, then 3000 impostor pairs."""
    genuine = [((i % PEOPLE, 1), (i % PEOPLE, 2 + i // 300 % 2), True) for i in range(3000)]
    impostor = [((i % PEOPLE, 1), ((i + 1) % PEOPLE, 2), False) for i in range(3000)]
    return genuine + impostor


def by_fold() -> list[int]:
    """Return the places of the official pairs in a file that goes fold by fold."""
    return [
        3000 * label + 300 * fold + i for fold in range(10) for label in (0, 1) for i in range(300)
    ]


def examples(order: Sequence[int]) -> list[PairExample]:
    pairs = official()
    return [PairExample(PNG[pairs[i][0]], PNG[pairs[i][1]], pairs[i][2]) for i in order]


@pytest.fixture(scope="module")
def tfrecord(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "calfw.tfrecord"
    return write_examples(path, examples(by_fold()))


@pytest.fixture(scope="module")
def pair_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [
        f"{name(*image)} {1 + i // 300 if genuine else 0}"
        for i, (first, second, genuine) in enumerate(official())
        for image in (first, second)
    ]
    return write_lines(tmp_path_factory.mktemp("list") / "pairs_CALFW.txt", lines)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[ImportReport, StoredDataset]]:
    def run(dataset: str = "calfw", **given: Any) -> tuple[ImportReport, StoredDataset]:
        report = import_given(tmp_path / "data", dataset, Given(**given))
        return report, read_dataset(tmp_path / "data", dataset)

    return run


Run = Callable[..., tuple[ImportReport, StoredDataset]]


@pytest.fixture(scope="module")
def unnamed(tfrecord: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredDataset:
    """Import the file without a list."""
    data = tmp_path_factory.mktemp("unnamed")
    import_given(data, "calfw", Given(tfrecord=tfrecord))
    return read_dataset(data, "calfw")


SHOWN = {image_sha256(picture(100 * person + number)): (person, number) for person, number in PNG}
"""Who is on a picture, and its number, by its pixels."""


def shown(dataset: StoredDataset) -> list[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Return what the pairs of a dataset really show."""
    faces = [SHOWN[image_sha256(image)] for image in dataset.images]
    return [(faces[pair.image1], faces[pair.image2], pair.genuine) for pair in dataset.pairs]


def test_the_official_list_gives_names_and_order(run: Run, tfrecord: Path, pair_list: Path) -> None:
    report, dataset = run(tfrecord=tfrecord, pairs=pair_list)
    assert (report.images, report.pairs, report.skipped) == (3 * PEOPLE, 6000, [])
    assert [pair.id for pair in dataset.pairs] == list(range(6001, 12001))
    assert shown(dataset) == official()
    assert [dataset.pairs[i].fold for i in (0, 300, 2999, 3000, 3300)] == [0, 1, 9, 0, 1]
    for record in dataset.records:
        person, number = SHOWN[record.sha256]
        assert (record.name, record.identity) == (name(person, number), f"P{person:02d}")


def test_without_a_list_the_same_pairs_have_pictures_named_by_content(
    unnamed: StoredDataset,
) -> None:
    assert shown(unnamed) == official()
    people = {record.identity for record in unnamed.records}
    assert len(people) == PEOPLE
    for pair in unnamed.pairs:
        first, second = unnamed.records[pair.image1], unnamed.records[pair.image2]
        assert pair.genuine == (first.identity == second.identity)
        assert first.name == f"{first.sha256[:20]}.png"


def test_a_bin_in_another_order_gives_the_same_dataset(
    run: Run, unnamed: StoredDataset, tmp_path: Path
) -> None:
    listed = examples(range(6000))
    path = write_bin(
        tmp_path / "calfw.bin",
        [image for pair in listed for image in (pair.image1, pair.image2)],
        [pair.genuine for pair in listed],
        protocol=4,
    )
    _, dataset = run(bin=path)
    assert dataset.sha256 == unnamed.sha256


def test_a_bad_picture_is_skipped_with_its_pairs_and_named(run: Run, tmp_path: Path) -> None:
    broken = examples([0, 1, 2, 3000, 3001, 3002])
    small = encoded(picture(1, size=96))
    broken[1] = PairExample(broken[1].image1, b"no picture", True)
    broken[2] = PairExample(small, broken[2].image2, True)
    path = write_examples(tmp_path / "own.tfrecord", broken)
    report, dataset = run("own-records", tfrecord=path)
    first = dataset.facts.first_pair_id
    assert [pair.id - first for pair in dataset.pairs] == [0, 3, 4, 5]
    reasons = [each.reason for each in report.skipped]
    assert sum("record 2, image 2: cannot be decoded" in reason for reason in reasons) == 1
    assert sum("record 3, image 1: 96 x 96 pixels, expected 112 x 112" in r for r in reasons) == 1
    assert {each.what for each in report.skipped} >= {f"pair {first + 1}", f"pair {first + 2}"}


def test_a_list_of_other_pictures_is_refused(run: Run, tfrecord: Path, tmp_path: Path) -> None:
    lines = [
        f"{name(*image)} {1 + i // 300 if genuine else 0}"
        for i, (first, second, genuine) in enumerate(official())
        for image in (first, second)
    ]
    # Two genuine pairs that change places: P00 would be seen with the picture of P01.
    lines[0:4] = lines[2:4] + lines[0:2]
    other = write_lines(tmp_path / "pairs.txt", lines)
    with pytest.raises(DatasetError, match=r"records 2 and 21 show different pictures.*P00_0001"):
        run(tfrecord=tfrecord, pairs=other)


def test_a_file_of_another_number_of_pairs_is_refused(run: Run, tmp_path: Path) -> None:
    path = write_examples(tmp_path / "calfw.tfrecord", examples(range(7)))
    with pytest.raises(DatasetError, match="7 pairs, expected 6000 of calfw"):
        run(tfrecord=path)


def test_ones_own_records_keep_the_order_of_the_file(run: Run, tmp_path: Path) -> None:
    order = [3000, 0, 3001, 1, 3002, 21]
    path = write_examples(tmp_path / "own.tfrecord", examples(order))
    report, dataset = run("own-records", tfrecord=path)
    assert report.pairs == 6
    assert [pair.genuine for pair in dataset.pairs] == [False, True] * 3
    assert dataset.pairs[0].id == dataset.facts.first_pair_id > 1_000_000


def test_options_that_a_record_has_no_use_for_are_refused(
    run: Run, tfrecord: Path, pair_list: Path, tmp_path: Path
) -> None:
    for given, message in (
        ({"tfrecord": tfrecord, "bin": tfrecord}, "--tfrecord and --bin are two sources"),
        ({"tfrecord": tfrecord, "align": "detect"}, "aligned already. Leave --align out"),
        ({"tfrecord": tfrecord, "scores": pair_list}, "Give the official list with --pairs"),
        ({"tfrecord": tmp_path / "gone"}, "gone: no such file. Check --tfrecord"),
        ({"tfrecord": tfrecord, "pairs": tmp_path / "gone"}, "gone: no such file. Check --pairs"),
        ({"bin": tfrecord}, str(tfrecord)),
    ):
        with pytest.raises(DatasetError, match=message):
            run(**given)
    with pytest.raises(DatasetError, match="no official list of names is known"):
        run("mlfw", tfrecord=tfrecord, pairs=pair_list)


@pytest.mark.parametrize("kind", ["tfrecord", "bin"])
@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_cut_off_file_leaves_nothing_behind(kind: str, kept: float, tmp_path: Path) -> None:
    listed = examples([0, 1, 3000, 3001])
    path = tmp_path / f"own.{kind}"
    if kind == "tfrecord":
        write_examples(path, listed)
    else:
        pictures = [image for pair in listed for image in (pair.image1, pair.image2)]
        write_bin(path, pictures, [pair.genuine for pair in listed], protocol=2)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    options: dict[str, Any] = {kind: path}
    with pytest.raises(DatasetError, match=str(path)):
        import_given(tmp_path / "data", "own-records", Given(**options))
    assert not list((tmp_path / "data").glob("datasets/*"))
    path.write_bytes(whole)
    assert import_given(tmp_path / "data", "own-records", Given(**options)).pairs == 4
