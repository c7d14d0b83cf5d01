"""XQLFW: pairs in LFW's format, and one quality for each image."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats import lfw, xqlfw
from compute.errors import DatasetError
from tests.dataset_files import lfw_lines, write_lines

SCORES = ["ID Num Score", "Ann 1 0.25", "Ann 2 1", "Bob_de-Ho 12 3.5e-05", "Cy 3 0.0"]


def test_pairs_have_the_format_of_lfw(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "xqlfw_pairs.txt", lfw_lines(separator=" "))
    assert xqlfw.read_pairs(path) == lfw.read_pairs(path)
    assert len(xqlfw.read_pairs(path)) == 6000


def test_another_list_is_told_which_one_is_meant(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "xqlfw_pairs.txt", lfw_lines()[:100])
    with pytest.raises(DatasetError, match=r"99 pairs, expected 6000.*official xqlfw_pairs.txt"):
        xqlfw.read_pairs(path)
    path = write_lines(tmp_path / "xqlfw_pairs.txt", ["Ann 1 2"])
    with pytest.raises(DatasetError, match=r"line 1: 'Ann 1 2', .*official xqlfw_pairs.txt"):
        xqlfw.read_pairs(path)


def test_scores_go_by_the_name_of_the_image(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "scores.txt", SCORES)
    assert xqlfw.read_scores(path, images=["Cy/Cy_0003.jpg"]) == {
        "Ann/Ann_0001.jpg": 0.25,
        "Ann/Ann_0002.jpg": 1.0,
        "Bob_de-Ho/Bob_de-Ho_0012.jpg": 3.5e-05,
        "Cy/Cy_0003.jpg": 0.0,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Ann 3", "'NAME N SCORE'"),
        ("Ann 3 0.5 0.5", "'NAME N SCORE'"),
        ("Ann 3 good", "'NAME N SCORE'"),
        ("Ann 3 nan", "a score in [0, 1]"),
        ("Ann 3 1.5", "a score in [0, 1]"),
        ("Ann 3 -0.1", "a score in [0, 1]"),
        ("Ann 0 0.5", "'NAME N SCORE'"),
        ("Ann one 0.5", "'NAME N SCORE'"),
        ("../Ann 3 0.5", "'NAME N SCORE'"),
        (".. 3 0.5", "'NAME N SCORE'"),
        ("", "'NAME N SCORE'"),
        ("Ann 0001 0.5", "one score for each image (Ann/Ann_0001.jpg has one)"),
    ],
)
def test_a_malformed_score_names_file_line_expected_and_actual(
    line: str, expected: str, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "scores.txt", [*SCORES[:4], line, *SCORES[4:]])
    with pytest.raises(DatasetError) as raised:
        xqlfw.read_scores(path)
    assert str(raised.value).startswith(f"{path}, line 5: {line!r}, expected ")
    assert expected in str(raised.value)


@pytest.mark.parametrize("lines", [[], ["Ann 1 0.5"], ["ID,Num,Score"], ["id num score"]])
def test_another_header_is_refused(lines: list[str], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "scores.txt", lines)
    with pytest.raises(DatasetError, match=r"line 1: .*'ID Num Score'.*xqlfw_scores.txt"):
        xqlfw.read_scores(path)


def test_scores_that_are_missing_are_counted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "scores.txt", SCORES[:3])
    images = ["Cy/Cy_0003.jpg", "Ann/Ann_0001.jpg", "Bob_de-Ho/Bob_de-Ho_0012.jpg"]
    with pytest.raises(
        DatasetError, match=r"2 scores, none for Bob_de-Ho/Bob_de-Ho_0012.jpg and 1 more images"
    ):
        xqlfw.read_scores(path, images=images)
    with pytest.raises(DatasetError, match=r"no score after the header"):
        xqlfw.read_scores(write_lines(path, SCORES[:1]))


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 60))
def test_garbage_is_an_error_of_ours_or_scores_in_range(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, place: int
) -> None:
    whole = "\n".join(SCORES).encode()
    path = tmp_path_factory.getbasetemp() / "garbage-scores.txt"
    path.write_bytes(whole[:place] + garbage)
    try:
        scores = xqlfw.read_scores(path)
    except DatasetError as error:
        assert str(path) in str(error)
    else:
        assert scores
        assert all(0 <= score <= 1 for score in scores.values())
