"""Arrays of deviations: what NumPy reads is what was written, and nothing is believed unread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.errors import ReleaseError
from compute.releases.arrays import open_array, write_array

SHAPE = (3, 5, 4)


def values() -> NDArray[np.float32]:
    return ((np.arange(60).reshape(SHAPE) - 30) / 100).astype("<f4")


def written(folder: Path) -> Path:
    path = folder / "a.npy"
    write_array(path, SHAPE, (pair.tobytes() for pair in values()))
    return path


def test_numpy_reads_what_was_written_pair_by_pair(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert np.array_equal(np.load(path, allow_pickle=False), values())
    assert np.array_equal(open_array(path, SHAPE), values())


def test_a_set_without_pairs_is_an_empty_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_array(path, (0, 5, 4), ())
    assert np.load(path, allow_pickle=False).shape == (0, 5, 4)
    assert open_array(path, (0, 5, 4)).shape == (0, 5, 4)


def test_a_pair_of_another_length_or_too_few_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"row 0: 8 bytes of deviations, expected 80"):
        write_array(tmp_path / "a.npy", SHAPE, [b"\0" * 8])
    with pytest.raises(ReleaseError, match=r"2 pairs were found, expected 3"):
        write_array(tmp_path / "a.npy", SHAPE, [b"\0" * 80] * 2)


def huge_header(path: Path) -> None:
    # A header of 4 GiB, promised by a file of a few bytes.
    path.write_bytes(b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\xff" + b"{")


def long_header(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY\x01\x00" + b"\xff\xff" + b" " * 65535)


def huge_shape(path: Path) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 5, 4)}
        np.lib.format.write_array_header_1_0(file, header)


def pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def nan(path: Path) -> None:
    array = values()
    array[1, 2, 3] = np.nan
    np.save(path, array)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (huge_header, r"\.npy format \(2, 0\), expected \(1, 0\)"),
        (long_header, r"is no \.npy array"),
        (huge_shape, r"shape \(1000000000000, 5, 4\)"),
        (pickled, r"holds object"),
        (nan, r"row 1 holds a number that is not finite"),
        (lambda path: np.save(path, values() * 100), r"not in \[-2, 2\]"),
        (lambda path: np.save(path, values().astype("<f8")), r"holds float64"),
        (lambda path: np.save(path, np.asfortranarray(values())), r"in Fortran order"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"367 bytes, expected 368"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), r"369 bytes, expected 368"),
        (lambda path: path.write_bytes(b""), r"is no \.npy array"),
        (lambda path: path.write_bytes(b"no array at all"), r"is no \.npy array"),
    ],
)
def test_what_is_no_such_array_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = written(tmp_path)
    spoil(path)
    with pytest.raises(ReleaseError, match=message):
        open_array(path, SHAPE)
