"""The stored deviations of a pair, and the same as 16-bit integers for the browser."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROWS: Final = ("I1", "I2", "II1", "II2", "III")
"""Rows of deviations in stored order; III has one for both sides."""
INT16_MAX: Final = 32767


class DeviationsError(ValueError):
    """Stored deviations that cannot be what the pipeline wrote."""


def row_name(method: str, side: int) -> str:
    """Return the row that explains one side with one method."""
    return "III" if method == "III" else f"{method}{side}"


def unpack(stored: bytes, count: int) -> NDArray[np.float32]:
    """Return the deviations of ``Explanation.deviations``, (5, ``count``) float32.

    Rows of methods that the model does not allow are NaN.

    Raises
    ------
    DeviationsError
        Where the bytes are not a zlib stream of that many numbers.
    """
    try:
        raw = zlib.decompress(stored)
    except zlib.error as error:
        raise DeviationsError(f"The stored deviations cannot be decompressed: {error}.") from error
    expected = len(ROWS) * count * 4
    if len(raw) != expected:
        raise DeviationsError(
            f"The stored deviations hold {len(raw)} bytes, expected {expected} for "
            f"{len(ROWS)} rows of {count}; explain the pair again."
        )
    return np.frombuffer(raw, dtype="<f4").reshape(len(ROWS), count).astype(np.float32)


@dataclass(frozen=True)
class Quantised:
    """Deviations as integers: ``values * scale`` gives distances back.

    Attributes
    ----------
    values
        (5, K) int16.
    scale
        One number for the whole pair; 0 where every deviation is 0.
    """

    values: NDArray[np.int16]
    scale: float

    def to_bytes(self) -> bytes:
        """Return the values row by row, little-endian."""
        return self.values.astype("<i2").tobytes()


def quantise(deviations: NDArray[np.float32], *, flat: bool) -> Quantised:
    """Round deviations to 16 bits: the largest becomes 32767, a flat pair all zero, NaN zero."""
    exact = np.nan_to_num(deviations.astype(np.float64))
    largest = 0.0 if flat else float(np.abs(exact).max(initial=0.0))
    scale = largest / INT16_MAX
    if scale == 0:
        return Quantised(np.zeros(deviations.shape, dtype=np.int16), 0.0)
    values = np.clip(np.rint(exact / scale), -INT16_MAX, INT16_MAX)
    return Quantised(values.astype(np.int16), scale)
