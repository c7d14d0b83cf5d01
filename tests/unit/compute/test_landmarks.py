"""Landmark files: five points in the order of the template, or an error that names the line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats.landmarks import landmark_file, read_landmarks
from compute.errors import DatasetError

FIVE = b"106.3 107.98\n151.5 110\n128 135.25\n110.1 160\n149.9 165.74\n"


def test_five_points_in_their_order() -> None:
    landmarks = read_landmarks(FIVE, "Ann_0001_5loc_attri.txt")
    assert landmarks.dtype == np.float64
    assert landmarks.tolist() == [
        [106.3, 107.98],
        [151.5, 110.0],
        [128.0, 135.25],
        [110.1, 160.0],
        [149.9, 165.74],
    ]


@pytest.mark.parametrize(
    "data",
    [
        FIVE.replace(b"\n", b"\r\n"),
        FIVE.replace(b" ", b"\t"),
        FIVE.replace(b"\n", b" \n"),
        FIVE.rstrip(),
        FIVE + b"\n \n",
    ],
)
def test_white_space_does_not_matter(data: bytes) -> None:
    assert (read_landmarks(data, "a") == read_landmarks(FIVE, "b")).all()


def test_a_point_may_lie_outside_the_image() -> None:
    assert read_landmarks(FIVE.replace(b"106.3", b"-2.5e0"), "a")[0, 0] == -2.5


def test_the_file_of_an_image() -> None:
    assert landmark_file("Ann_0001.jpg") == "Ann_0001_5loc_attri.txt"


LINES = FIVE.decode().splitlines()


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("1", 1),
        ("1 2 3", 2),
        ("x y", 3),
        ("nan 1", 4),
        ("inf 1", 5),
        ("1_0 1", 1),
        ("", 2),
        ("1,2", 3),
    ],
)
def test_a_malformed_line_names_the_point(line: str, number: int) -> None:
    lines = [*LINES[: number - 1], line, *LINES[number:]]
    with pytest.raises(DatasetError) as raised:
        read_landmarks("\n".join(lines).encode(), "Ann.txt")
    names = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
    assert str(raised.value).startswith(f"Ann.txt, line {number}: {line!r}, expected 'x y'")
    assert names[number - 1] in str(raised.value)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "Ann.txt: 0 lines, expected 5"),
        (b"\n".join(FIVE.splitlines()[:4]), "Ann.txt: 4 lines, expected 5"),
        (FIVE + b"1 2", "Ann.txt: 6 lines, expected 5"),
        (b"3 4\n" * 5, "all five points are '3 4', expected a face"),
        ("１ ２\n".encode() * 5, "not ASCII text"),
        (b"1 2\n" * 2000, "8000 bytes, expected five short lines"),
    ],
)
def test_another_file_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        read_landmarks(data, "Ann.txt")


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, len(FIVE)), st.integers(0, len(FIVE)))
def test_damage_is_an_error_of_ours_or_five_finite_points(
    garbage: bytes, start: int, end: int
) -> None:
    try:
        landmarks = read_landmarks(FIVE[:start] + garbage + FIVE[end:], "Ann.txt")
    except DatasetError as error:
        assert str(error).startswith("Ann.txt")
    else:
        assert landmarks.shape == (5, 2)
        assert np.isfinite(landmarks).all()
