"""The official list of LFW and lists made of it, where it lies at hand (``XFV_REAL_DATA``)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from app.settings import Settings
from compute.datasets.errata import notes_of
from compute.datasets.formats import lfw, sllfw
from compute.datasets.pairs import NamedPair, identity_disjoint_folds
from compute.datasets.sources import open_source
from tests.dataset_files import write_lines

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Settings.from_environment().real_data
    if folder is None or not (folder / "data/pairs.txt").is_file():
        pytest.skip(f"no real list: XFV_REAL_DATA is {folder}")
    return folder / "data"


@pytest.fixture(scope="module")
def listed(data: Path) -> list[NamedPair]:
    return lfw.read_pairs(data / "pairs.txt")


def test_a_list_in_the_format_of_sllfw_names_images_that_are_there(
    data: Path, listed: list[NamedPair], tmp_path: Path
) -> None:
    lines = [image for pair in listed for image in (pair.image1, pair.image2)]
    assert sllfw.read_pairs(write_lines(tmp_path / "pair_SLLFW.txt", lines)) == listed
    with open_source(data / "lfw-deepfunneled.tar") as source:
        first = source.in_stored_order(set(lines))[0]
        assert source.read(first).startswith(b"\xff\xd8")
        last = source.in_stored_order(set(lines))[-1]
        assert source.read(last).startswith(b"\xff\xd8")


def test_identities_of_lfw_are_disjoint_already_and_stay_in_even_folds(
    listed: list[NamedPair],
) -> None:
    result = identity_disjoint_folds(listed)
    assert None not in result
    for genuine in (True, False):
        sizes = Counter(
            fold for fold, pair in zip(result, listed, strict=True) if pair.genuine == genuine
        )
        assert all(290 <= sizes[fold] <= 310 for fold in range(10))


def test_known_errors_are_among_the_official_pairs(listed: list[NamedPair]) -> None:
    noted = [
        number
        for number, pair in enumerate(listed, start=1)
        if notes_of(pair.image1, pair.image2, pair.identity1, pair.identity2)
    ]
    assert noted == [186, 472, 604, 929, 1364, 1787, 1794, 2794, 2811]
