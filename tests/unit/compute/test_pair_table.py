"""A user's own table of pairs: every cell checked, every contradiction named by its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats.pair_table import TableRow, read_table
from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError

PLAIN = "path1,path2,genuine\na/1.jpg,a/2.jpg,1\na/1.jpg,b/1.png,0\n"
FULL = (
    "path1,path2,genuine,fold,identity1,identity2,quality1,quality2\n"
    "a/1.jpg,a/2.jpg,1,0,Ann,Ann,0.5,\n"
    'a/1.jpg,"b/1, old.jpg",0,9,Ann,Bob,0.5,-3\n'
)


def write(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "pairs.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_three_columns_are_enough(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, PLAIN)) == [
        TableRow(2, NamedPair("a/1.jpg", "a/2.jpg", "", "", genuine=True)),
        TableRow(3, NamedPair("a/1.jpg", "b/1.png", "", "", genuine=False)),
    ]


def test_everything_that_may_be_known(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, FULL)) == [
        TableRow(2, NamedPair("a/1.jpg", "a/2.jpg", "Ann", "Ann", genuine=True), 0, 0.5, None),
        TableRow(
            3, NamedPair("a/1.jpg", "b/1, old.jpg", "Ann", "Bob", genuine=False), 9, 0.5, -3.0
        ),
    ]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace(",", " , "),
        PLAIN.replace(",1\n", ",TRUE\n").replace(",0\n", ",False\n"),
    ],
)
def test_what_spreadsheets_write_is_read_alike(text: str, tmp_path: Path) -> None:
    assert read_table(write(tmp_path, text)) == read_table(write(tmp_path, PLAIN))


def test_columns_may_come_in_any_order_and_blank_lines_count(tmp_path: Path) -> None:
    text = "genuine,path2,path1\n\n1,a/2.jpg,a/1.jpg\n0,b/1.png,a/1.jpg\n"
    expected = [row.pair for row in read_table(write(tmp_path, PLAIN))]
    rows = read_table(write(tmp_path, text))
    assert [row.pair for row in rows] == expected
    assert [row.line for row in rows] == [3, 4]


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("path1,path2", "'genuine' is missing"),
        ("path1;path2;genuine", "'path1;path2;genuine' is unknown"),
        ("path1,path2,genuine,age", "'age' is unknown"),
        ("path1,path2,genuine,path1", "'path1' is there twice"),
        ("path1,path2,genuine,identity1", "'identity2' is missing beside its other half"),
        ("path1,path2,genuine,quality2", "'quality1' is missing beside its other half"),
        ("", "'path1' is missing"),
        ("a.jpg,b.jpg,1", "'a.jpg' is unknown"),
    ],
)
def test_another_header_says_which_columns_there_are(
    header: str, what: str, tmp_path: Path
) -> None:
    path = write(tmp_path, f"{header}\n\n")
    with pytest.raises(DatasetError) as raised:
        read_table(path)
    assert str(raised.value).startswith(f"{path}, line 1: the column {what}; expected a header")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("a/1.jpg,a/3.jpg,1", "3 fields, expected 8"),
        ("a/1.jpg,a/3.jpg,2,0,Ann,Ann,,", "genuine is '2', expected 1 (one person) or 0"),
        ("a/1.jpg,a/3.jpg,,0,Ann,Ann,,", "genuine is ''"),
        ("a/1.jpg,a/3.jpg,1,10,Ann,Ann,,", "fold is '10', expected 0 to 9"),
        ("a/1.jpg,a/3.jpg,1,,Ann,Ann,,", "fold is ''"),
        ("a/1.jpg,a/3.jpg,1,²,Ann,Ann,,", "fold is '²'"),
        ("a/1.jpg,a/3.jpg,1,0,Ann,,,", "identity2 is '', expected a name"),
        ("a/1.jpg,a/3.jpg,1,0,Ann,Ann,high,", "quality1 is 'high', expected a number"),
        ("a/1.jpg,a/3.jpg,1,0,Ann,Ann,nan,", "quality1 is 'nan'"),
        ("a/1.jpg,a/3.jpg,1,0,Ann,Ann,,inf", "quality2 is 'inf'"),
        ("/a/1.jpg,a/3.jpg,1,0,Ann,Ann,,", "path1 is '/a/1.jpg', expected a path inside"),
        ("a/1.jpg,../3.jpg,1,0,Ann,Ann,,", "path2 is '../3.jpg'"),
        ("a/./1.jpg,a/3.jpg,1,0,Ann,Ann,,", "path1 is 'a/./1.jpg'"),
        ("a\\1.jpg,a/3.jpg,1,0,Ann,Ann,,", "path1 is 'a\\\\1.jpg'"),
        (",a/3.jpg,1,0,Ann,Ann,,", "path1 is ''"),
        ("a/1.jpg,a/1.jpg,1,0,Ann,Ann,,", "pairs a/1.jpg with itself"),
        ("a/2.jpg,a/1.jpg,1,0,Ann,Ann,,", "a/2.jpg and a/1.jpg are a pair on line 2 already"),
        (
            "a/3.jpg,a/2.jpg,0,0,Cy,Bob,,",
            "the identity of a/2.jpg is 'Bob', expected 'Ann' as on line 2",
        ),
        (
            "a/1.jpg,a/3.jpg,1,0,Ann,Ann,0.6,",
            "the quality of a/1.jpg is 0.6, expected 0.5 as on line 2",
        ),
        ("c/1.jpg,c/2.jpg,1,0,Cy,Dan,,", "genuine is 1 for the identities 'Cy' and 'Dan'"),
        ("c/1.jpg,c/2.jpg,0,0,Cy,Cy,,", "genuine is 0 for the identities 'Cy' and 'Cy'"),
        ('c/1.jpg,"c/2.jpg,1,0,Cy,Cy,,', "not CSV"),
        ('c/1.jpg,"c/2.jpg"x,1,0,Cy,Cy,,', "not CSV"),
        ('c/1.jpg,"c/\n2.jpg",1,0,Cy,Cy,,', "path2 is 'c/\\n2.jpg'"),
    ],
)
def test_a_malformed_row_names_its_line(line: str, what: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"{FULL}{line}\n")
    with pytest.raises(DatasetError) as raised:
        read_table(path)
    number = 5 if "\n" in line else 4
    assert str(raised.value).startswith(f"{path}, line {number}: ")
    assert what in str(raised.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (PLAIN[:20], "no pairs, expected genuine"),
        (PLAIN.replace(",0\n", ",1\n"), "pairs of one label only"),
        (
            "path1,path2,genuine,fold\na,b,1,3\na,c,0,3\n",
            "one fold only, expected two or more",
        ),
    ],
)
def test_a_table_that_no_threshold_comes_of_is_refused(
    text: str, what: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=what):
        read_table(write(tmp_path, text))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a text file in UTF-8"):
        read_table(write(tmp_path, PLAIN.replace("b/", "é/"), encoding="latin-1"))


@settings(deadline=None)
@given(garbage=st.binary(max_size=60), start=st.integers(0, 200), end=st.integers(0, 200))
def test_damage_is_an_error_of_ours_or_sound_rows(
    garbage: bytes, start: int, end: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    whole = FULL.encode()
    path.write_bytes(whole[:start] + garbage + whole[end:])
    try:
        rows = read_table(path)
    except DatasetError as error:
        assert str(error).startswith(str(path))
    else:
        assert {row.pair.genuine for row in rows} == {True, False}
        assert all(row.fold is None or 0 <= row.fold <= 9 for row in rows)
