"""Pairs from folders: as many of each label, every image used as evenly as can be."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats.folder_pairs import folder_images, pairs_of_folders
from compute.datasets.pairs import NamedPair
from compute.datasets.sources import open_source
from compute.errors import DatasetError


def names(*sizes: int) -> list[str]:
    return [f"p{i}/{j}.jpg" for i, size in enumerate(sizes) for j in range(size)]


def uses(pairs: list[NamedPair], *, genuine: bool) -> Counter[str]:
    return Counter(
        image for pair in pairs if pair.genuine == genuine for image in (pair.image1, pair.image2)
    )


def test_two_folders_of_two_by_hand() -> None:
    pairs = pairs_of_folders(names(2, 2))
    assert [pair.genuine for pair in pairs] == [True, True, False, False]
    assert {frozenset((pair.image1, pair.image2)) for pair in pairs[:2]} == {
        frozenset(("p0/0.jpg", "p0/1.jpg")),
        frozenset(("p1/0.jpg", "p1/1.jpg")),
    }
    assert set(uses(pairs, genuine=False).values()) == {1}


@pytest.mark.parametrize(("per_label", "each"), [(10, 1), (20, 2), (30, 3)])
def test_folders_of_one_size_use_every_image_alike(per_label: int, each: int) -> None:
    pairs = pairs_of_folders(names(4, 4, 4, 4, 4), per_label=per_label)
    for genuine in (True, False):
        assert uses(pairs, genuine=genuine) == dict.fromkeys(names(4, 4, 4, 4, 4), each)


def test_a_person_with_one_image_is_in_impostor_pairs() -> None:
    pairs = pairs_of_folders(names(1, 2, 2), per_label=2)
    assert uses(pairs, genuine=True)["p0/0.jpg"] == 0
    assert uses(pairs, genuine=False).total() == 4


def test_seed_and_names_decide_and_their_order_does_not() -> None:
    images = names(5, 5, 5, 5)
    assert pairs_of_folders(images, seed=3) == pairs_of_folders(images[::-1], seed=3)
    assert pairs_of_folders(images, seed=3) != pairs_of_folders(images, seed=4)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6), seed=st.integers(0, 9))
def test_labels_are_right_balanced_and_no_pair_comes_twice(sizes: list[int], seed: int) -> None:
    images = names(*sizes)
    possible = sum(size * (size - 1) // 2 for size in sizes)
    impossible = len(images) * (len(images) - 1) // 2 - possible
    if possible == 0:
        with pytest.raises(DatasetError, match="give 0 genuine"):
            pairs_of_folders(images, seed=seed)
        return
    pairs = pairs_of_folders(images, seed=seed)
    assert len(pairs) == 2 * min(possible, impossible)
    assert len({frozenset((pair.image1, pair.image2)) for pair in pairs}) == len(pairs)
    assert all(len({pair.image1, pair.image2}) == 2 for pair in pairs)
    assert sum(pair.genuine for pair in pairs) * 2 == len(pairs)
    for pair in pairs:
        assert pair.identity1 == pair.image1.split("/")[0]
        assert pair.identity2 == pair.image2.split("/")[0]
        assert (pair.identity1 == pair.identity2) == pair.genuine


@pytest.mark.parametrize(
    ("images", "per_label", "what"),
    [
        (names(1, 1), None, "2 images of 2 identities give 0 genuine and 1 impostor pairs"),
        (names(5), None, "give 10 genuine and 0 impostor"),
        ([], None, "0 images of 0 identities"),
        (names(2, 2), 3, "give 2 genuine and 4 impostor pairs, expected at least 3"),
        (names(2, 2), 0, "expected at least 1"),
        (["a.jpg"], None, "'a.jpg': expected an image as 'IDENTITY/FILE'"),
        (["a/b/c.jpg"], None, "'a/b/c.jpg': expected"),
        (["../a.jpg"], None, "'../a.jpg': expected"),
        (["/a.jpg"], None, "'/a.jpg': expected"),
    ],
)
def test_what_gives_no_pairs_says_why(images: list[str], per_label: int | None, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        pairs_of_folders(images, per_label=per_label)


def listed(path: Path) -> list[str]:
    with open_source(path) as source:
        return folder_images(source)


def fill(folder: Path) -> None:
    for name in ("Bob/2.PNG", "Ann/b.jpg", "Ann/a.jpeg", "Ann/notes.txt", "Ann/._b.jpg", "README"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"x")


def test_images_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "Bob" / "link.jpg").symlink_to(tmp_path / "Ann" / "b.jpg")
    assert listed(tmp_path) == ["Ann/a.jpeg", "Ann/b.jpg", "Bob/2.PNG"]


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize("above", [".", "photos", "all/photos"])
def test_images_of_an_archive_under_whatever_folder(kind: str, above: str, tmp_path: Path) -> None:
    fill(tmp_path / "in" / above)
    archive = Path(shutil.make_archive(str(tmp_path / "photos"), kind, tmp_path / "in"))
    assert listed(archive) == ["Ann/a.jpeg", "Ann/b.jpg", "Bob/2.PNG"]


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: no such file or folder"):
        listed(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no image"):
        listed(tmp_path)
    fill(tmp_path)
    (tmp_path / "loose.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"expected .*/IDENTITY/FILE"):
        listed(tmp_path)
    (tmp_path / "loose.jpg").unlink()
    (tmp_path / "Ann/deep").mkdir()
    (tmp_path / "Ann/deep/1.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=rf"deep/1.jpg: expected {tmp_path}/IDENTITY/FILE"):
        listed(tmp_path)
