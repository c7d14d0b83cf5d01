"""CALFW, CPLFW, SLLFW: two lines for a pair, read whole, and every malformed line named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats import calfw, cplfw, sllfw
from compute.datasets.pairs import NamedPair, folds_of
from compute.errors import DatasetError
from tests.dataset_files import calfw_lines, cplfw_lines, sllfw_lines, write_lines


@dataclass(frozen=True)
class Official:
    """A list: its lines, its reader, its name and the label of each pair."""

    lines: tuple[str, ...]
    read: Callable[[Path], list[NamedPair]]
    name: str
    genuine: tuple[bool, ...]


GENUINE_FIRST = (True,) * 3000 + (False,) * 3000
BY_FOLD = ((True,) * 300 + (False,) * 300) * 10
LISTS = {
    "calfw": Official(tuple(calfw_lines()), calfw.read_pairs, "pairs_CALFW.txt", GENUINE_FIRST),
    "cplfw": Official(tuple(cplfw_lines()), cplfw.read_pairs, "pairs_CPLFW.txt", GENUINE_FIRST),
    "sllfw": Official(tuple(sllfw_lines()), sllfw.read_pairs, "pair_SLLFW.txt", BY_FOLD),
}


@pytest.fixture(params=LISTS)
def official(request: pytest.FixtureRequest) -> Official:
    return LISTS[request.param]


def test_two_lines_are_one_pair_and_its_label_is_right(official: Official, tmp_path: Path) -> None:
    pairs = official.read(write_lines(tmp_path / "pairs.txt", official.lines))
    assert [pair.genuine for pair in pairs] == list(official.genuine)
    assert all((pair.identity1 == pair.identity2) == pair.genuine for pair in pairs)
    for fold in range(10):
        labels = [
            pair.genuine
            for pair, its in zip(pairs, folds_of([p.genuine for p in pairs]), strict=True)
            if its == fold
        ]
        assert (labels.count(True), labels.count(False)) == (300, 300)


def test_names_and_identities(tmp_path: Path) -> None:
    def pairs_of(name: str) -> list[NamedPair]:
        return LISTS[name].read(write_lines(tmp_path / name, LISTS[name].lines))

    assert pairs_of("calfw")[1] == NamedPair(
        "Ann_de-01_0001.jpg", "Ann_de-01_0002.jpg", "Ann_de-01", "Ann_de-01", genuine=True
    )
    assert pairs_of("cplfw")[-1] == NamedPair(
        "Bob_49_1.jpg", "Bob_00_2.jpg", "Bob_49", "Bob_00", genuine=False
    )
    assert pairs_of("sllfw")[300] == NamedPair(
        "Eve_00/Eve_00_0001.jpg", "Eve_01/Eve_01_0002.jpg", "Eve_00", "Eve_01", genuine=False
    )


def test_every_positive_of_calfw_is_genuine_whatever_its_tag(tmp_path: Path) -> None:
    # The tag of a genuine pair is its fold: only a tenth of them have the tag 1.
    pairs = calfw.read_pairs(write_lines(tmp_path / "pairs.txt", calfw_lines()))
    assert sum(pair.genuine for pair in pairs) == 3000
    assert pairs[299].genuine
    assert pairs[2999].genuine


@pytest.mark.parametrize("end", ["\r\n", " \n"])
def test_line_ends_do_not_matter(official: Official, end: str, tmp_path: Path) -> None:
    expected = official.read(write_lines(tmp_path / "one", official.lines))
    assert official.read(write_lines(tmp_path / "two", [*official.lines, ""], end=end)) == expected


@pytest.mark.parametrize(
    ("name", "number", "line", "expected"),
    [
        ("calfw", 1, "Ann_de-00_0001.jpg", "'FILE TAG', such as 'Name_0001.jpg 1'"),
        ("calfw", 2, "Ann_de-00_0002.jpg 1 1", "'FILE TAG'"),
        ("calfw", 3, "", "'FILE TAG'"),
        ("calfw", 3, "Ann_de-01_1.jpg 1", "'FILE TAG'"),
        ("calfw", 3, "Ann_de-01_0000.jpg 1", "'FILE TAG'"),
        ("calfw", 3, "a/Ann_de-01_0001.jpg 1", "'FILE TAG'"),
        ("calfw", 3, "..\\Ann_de-01_0001.jpg 1", "'FILE TAG'"),
        ("calfw", 3, "Ann_de-01_0001.png 1", "'FILE TAG'"),
        ("calfw", 2, "Ann_de-00_0002.jpg 2", "the tag 1 (pair 1 of pairs_CALFW.txt)"),
        ("calfw", 601, "Ann_de-00_0001.jpg 1", "the tag 2 (pair 301 of"),
        ("calfw", 601, "Ann_de-00_0001.jpg 0", "the tag 2"),
        ("calfw", 6001, "Ann_de-00_0001.jpg 1", "the tag 0 (pair 3001 of"),
        ("calfw", 2, "Bea_0002.jpg 1", "another image of Ann_de-00 (the pair is genuine)"),
        ("calfw", 2, "Ann_de-00_0001.jpg 1", "another image than Ann_de-00_0001.jpg"),
        ("calfw", 6002, "Ann_de-00_0009.jpg 0", "somebody else than Ann_de-00"),
        ("cplfw", 1, "Bob_00_0001.jpg 1", "such as 'Name_1.jpg 1'"),
        ("cplfw", 1, "Bob_00_0.jpg 1", "'FILE TAG'"),
        ("cplfw", 1, "Landon_Donovan_3jpg.jpg 1", "'FILE TAG'"),
        ("cplfw", 4, "Bob_01_2.jpg 0", "the tag 1 (pair 2 of pairs_CPLFW.txt)"),
        ("cplfw", 4, "Bob_02_2.jpg 1", "another image of Bob_01"),
        ("cplfw", 12000, "Bob_49_3.jpg 0", "somebody else than Bob_49"),
        ("sllfw", 1, "Eve_00_0001.jpg", "'Name/Name_0001.jpg'"),
        ("sllfw", 1, "Eve_00/Eve_01_0001.jpg", "'Name/Name_0001.jpg'"),
        ("sllfw", 1, "lfw/Eve_00/Eve_00_0001.jpg", "'Name/Name_0001.jpg'"),
        ("sllfw", 1, "../.._0001.jpg/", "'Name/Name_0001.jpg'"),
        ("sllfw", 2, "Eve_01/Eve_01_0001.jpg", "another image of Eve_00"),
        ("sllfw", 2, "Eve_00/Eve_00_0001.jpg", "another image than"),
        ("sllfw", 602, "Eve_00/Eve_00_0005.jpg", "somebody else than Eve_00"),
    ],
)
def test_a_malformed_line_names_file_line_expected_and_actual(
    name: str, number: int, line: str, expected: str, tmp_path: Path
) -> None:
    lines = list(LISTS[name].lines)
    lines[number - 1] = line
    path = write_lines(tmp_path / "pairs.txt", lines)
    with pytest.raises(DatasetError) as raised:
        LISTS[name].read(path)
    assert str(raised.value).startswith(f"{path}, line {number}: {line!r}, expected ")
    assert expected in str(raised.value)


@pytest.mark.parametrize("kept", [0, 1, 2, 7999, 11999])
def test_a_list_cut_off_between_lines_says_how_many_there_are(
    official: Official, kept: int, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "pairs.txt", official.lines[:kept])
    with pytest.raises(DatasetError, match=f"{kept} lines.*expected 6000 pairs.*{official.name}"):
        official.read(path)


def test_a_longer_list_is_refused(official: Official, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "pairs.txt", [*official.lines, *official.lines[-2:]])
    with pytest.raises(DatasetError, match=r"12002 lines.*expected 6000 pairs"):
        official.read(path)


def test_a_list_of_single_lines_is_not_taken_for_pairs(tmp_path: Path) -> None:
    # LFW's own list under the name of another.
    path = write_lines(tmp_path / "pairs.txt", ["10\t300", "Ann\t1\t2"])
    for official in LISTS.values():
        with pytest.raises(DatasetError, match="line 1: "):
            official.read(path)


def test_a_missing_list_a_folder_and_other_encodings_are_errors_of_ours(
    official: Official, tmp_path: Path
) -> None:
    for data, what in (
        (None, "cannot be read"),
        ("\n".join(official.lines).encode("utf-16"), "not a text file in UTF-8"),
        (b"Ann_0001.jpg 1\nAnn\0_0002.jpg 1\n", "line 2: a NUL byte"),
    ):
        path = tmp_path / ("nowhere" if data is None else "pairs.txt")
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(DatasetError, match=what):
            official.read(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        official.read(tmp_path)


@pytest.mark.parametrize("name", LISTS)
@settings(deadline=None)
@given(kept=st.integers(0, 2000), garbage=st.binary(max_size=80))
def test_a_file_cut_off_anywhere_and_garbage_are_errors_of_ours(
    name: str, kept: int, garbage: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}.txt"
    beginning = "\n".join(LISTS[name].lines[:100]).encode()
    path.write_bytes(beginning[:kept] + garbage)
    with pytest.raises(DatasetError) as raised:
        LISTS[name].read(path)
    assert str(raised.value).startswith(str(path))
