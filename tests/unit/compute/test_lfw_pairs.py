"""The official list of LFW: read whole, and every malformed line named."""

from __future__ import annotations

from pathlib import Path

import pytest

from compute.datasets.formats.lfw import read_pairs
from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError
from tests.dataset_files import lfw_lines, write_lines


def write(folder: Path, lines: list[str], *, end: str = "\n") -> Path:
    return write_lines(folder / "pairs.txt", lines, end=end)


def test_the_official_format(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, lfw_lines()))
    assert len(pairs) == 6000
    assert [pair.genuine for pair in pairs] == ([True] * 300 + [False] * 300) * 10
    assert pairs[0] == NamedPair(
        "Name_00/Name_00_0001.jpg", "Name_00/Name_00_0008.jpg", "Name_00", "Name_00", True
    )
    assert pairs[300] == NamedPair(
        "Name_00/Name_00_0001.jpg", "Name_01/Name_01_0001.jpg", "Name_00", "Name_01", False
    )
    assert pairs[-1].image1 == "Name_19/Name_19_0010.jpg"


@pytest.mark.parametrize("end", ["\r\n", "\n\n\n"])
def test_line_ends_do_not_matter(end: str, tmp_path: Path) -> None:
    lines = lfw_lines()
    expected = read_pairs(write(tmp_path, lines))
    path = tmp_path / "pairs.txt"
    if end == "\r\n":
        write(tmp_path, lines, end=end)
    else:
        path.write_bytes(("\n".join(lines) + end).encode())
    assert read_pairs(path) == expected


def test_blanks_separate_as_tabs_do(tmp_path: Path) -> None:
    lines = lfw_lines()
    expected = read_pairs(write(tmp_path, lines))
    assert read_pairs(write(tmp_path, [line.replace("\t", " ") for line in lines])) == expected


GENUINE = "'NAME N1 N2' (genuine)"
IMPOSTOR = "'NAME1 N1 NAME2 N2' (impostor)"


@pytest.mark.parametrize(
    ("line", "number", "expected"),
    [
        ("Name_00\t1", 5, GENUINE),
        ("Name_00\t1\t2\t3", 5, GENUINE),
        ("Name_00\tone\t2", 5, GENUINE),
        ("Name_00\t0\t2", 5, GENUINE),
        ("Name_00\t-1\t2", 5, GENUINE),
        ("Name_00\t1.5\t2", 5, GENUINE),
        ("Name_00\t1\t" + "9" * 5000, 5, GENUINE),
        ("Name_00\t1\t²", 5, GENUINE),
        ("../Name\t1\t2", 5, GENUINE),
        ("..\\Name\t1\t2", 5, GENUINE),
        ("..\t1\t2", 5, GENUINE),
        ("", 5, GENUINE),
        ("Name_00\t3\t3", 5, "pairs an image with itself"),
        ("Name_00\t1\tName_01\t2", 301, GENUINE),
        ("Name_00\t1\t2", 302, IMPOSTOR),
        ("Name_00\t1\tName_01", 302, IMPOSTOR),
        ("Name_00\tx\tName_01\t1", 302, IMPOSTOR),
        ("Name_00\t1\ta/../b\t1", 302, IMPOSTOR),
        ("Name_00\t1\tName_00\t2", 302, "one identity twice"),
        ("Name_00\t1\t2", 6001, IMPOSTOR),
    ],
)
def test_a_malformed_line_names_file_line_expected_and_actual(
    line: str, number: int, expected: str, tmp_path: Path
) -> None:
    lines = lfw_lines()
    lines[number - 1] = line
    path = write(tmp_path, lines)
    with pytest.raises(DatasetError) as raised:
        read_pairs(path)
    message = str(raised.value)
    shown = line if len(line) <= 200 else f"{line[:200]}..."
    assert message.startswith(f"{path}, line {number}: {shown!r}")
    assert expected in message


@pytest.mark.parametrize("header", ["", "10", "10\t300\t1", "5\t300", "10 301", "pairs", "300\t10"])
def test_another_header_is_refused(header: str, tmp_path: Path) -> None:
    path = write(tmp_path, [header, *lfw_lines()[1:]])
    with pytest.raises(DatasetError, match=r"line 1: .*expected '10 300'.*official pairs.txt"):
        read_pairs(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_bytes(b"")
    with pytest.raises(DatasetError, match="line 1: '', expected '10 300'"):
        read_pairs(tmp_path / "pairs.txt")


@pytest.mark.parametrize("kept", [1, 301, 5000, 6000])
def test_a_cut_off_list_says_how_many_there_are(kept: int, tmp_path: Path) -> None:
    path = write(tmp_path, lfw_lines()[:kept])
    with pytest.raises(DatasetError, match=f"{kept - 1} pairs, expected 6000.*cut off"):
        read_pairs(path)


def test_a_list_cut_off_inside_a_line_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, [*lfw_lines()[:100], "Name_05\t2"])
    with pytest.raises(DatasetError, match="line 101"):
        read_pairs(path)


def test_more_lines_than_pairs_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [*lfw_lines(), "Name_00\t1\tName_01\t2"])
    with pytest.raises(DatasetError, match="6001 pairs, expected 6000"):
        read_pairs(path)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    lines = lfw_lines()
    lines[7] = "José\t1\t2"
    (tmp_path / "pairs.txt").write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(DatasetError, match="not a text file in UTF-8"):
        read_pairs(tmp_path / "pairs.txt")
