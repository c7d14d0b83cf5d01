"""Arrays of deviations: written pair by pair, read by memory map, never whole in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from compute.errors import ReleaseError

Shape = tuple[int, int, int]

_LONGEST_HEADER: Final = 1000
_LARGEST: Final = 2.0
"""A deviation is a difference of two distances in [0, 2]."""
_SLACK: Final = 1e-5
"""What rounding to float32 may add to it."""


def write_array(path: Path, shape: Shape, rows: Iterable[bytes]) -> None:
    """Write little-endian float32 of ``shape`` (P, 5, K) from the bytes of each pair in turn.

    Raises
    ------
    ReleaseError
        Where a pair has another number of bytes, or there are not P of them.
    """
    count, *each = shape
    expected = 4 * int(np.prod(each))
    written = 0
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)
        for row in rows:
            if len(row) != expected:
                raise ReleaseError(
                    f"{path.name}, row {written}: {len(row)} bytes of deviations, expected "
                    f"{expected}. Explain the pair again."
                )
            file.write(row)
            written += 1
        file.flush()
        os.fsync(file.fileno())
    if written != count:
        raise ReleaseError(f"{path.name}: {written} pairs were found, expected {count}.")


def open_array(path: Path, shape: Shape) -> NDArray[np.float32]:
    """Return the array, memory-mapped, after checking that it is exactly float32 of ``shape``.

    Nothing is allocated or unpickled on the word of its header.

    Raises
    ------
    ReleaseError
        For a file that is no such array, is cut or too long, or a number that no deviation can be.
    """
    with path.open("rb") as file:
        found, fortran, dtype = _header(path, file)
        start = file.tell()
    if found != shape or fortran or dtype != np.dtype("<f4"):
        order = "Fortran" if fortran else "C"
        raise ReleaseError(
            f"{path}: holds {dtype} of shape {found} in {order} order, expected <f4 of {shape} in "
            "C order."
        )
    size, expected = path.stat().st_size, start + 4 * int(np.prod(shape))
    if size != expected:
        raise ReleaseError(f"{path}: {size:,} bytes, expected {expected:,} for shape {shape}.")
    if not shape[0]:
        return np.empty(shape, dtype="<f4")
    values = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=shape)
    for row, pair in enumerate(values):
        given = pair[~np.isnan(pair).all(axis=1)]
        # NaN fails every comparison; whole lines of it are methods that the model does not allow.
        if not given.size or not np.all(np.abs(given) <= _LARGEST + _SLACK):
            raise ReleaseError(
                f"{path}: row {row} holds a number that is not finite or not in [-2, 2]."
            )
    return values


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.float32]]:
    try:
        version = npy.read_magic(file)
        if version != (1, 0):
            raise ReleaseError(f"{path}: .npy format {version}, expected (1, 0).")
        header: tuple[tuple[int, ...], bool, np.dtype[np.float32]] = npy.read_array_header_1_0(
            file, max_header_size=_LONGEST_HEADER
        )
    except (ValueError, SyntaxError, EOFError) as error:
        first = str(error).splitlines()[0]
        raise ReleaseError(f"{path}: is no .npy array ({first}).") from error
    return header
