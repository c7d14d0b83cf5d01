"""How a column is packed into bytes, and read back as an array.

Numbers are little-endian, 8, 4 or 1 byte each by their kind; a missing one is NaN, a missing flag
-1. Text is a table of the distinct names in order (UTF-8, each padded with NUL to one width) and,
for each pair, the place of its name there: conditions look at each name once, and comparing names
is comparing places.

`pack_pairs` and `pack_results` make the packed columns that the pipeline stores. Where none are
stored, or they do not fit the pairs, `app.explorer.arrays` makes the same arrays from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, Kind
from app.models import Pair, Result

DTYPES: Final[dict[Kind, np.dtype[Any]]] = {
    Kind.INTEGER: np.dtype("<i4"),
    Kind.NUMBER: np.dtype("<f8"),
    Kind.FLAG: np.dtype("i1"),
    Kind.LABEL: np.dtype("i1"),
}
FLAGS: Final = (Kind.FLAG, Kind.LABEL)
KINDS: Final[dict[str, Kind]] = {
    name: column.kind
    for name, column in (PAIR_COLUMNS | MODEL_COLUMNS).items()
    if column.kind is not Kind.DATASET
}
"""Kinds of the packed columns; the dataset of a pair is known without one."""
PAIR_NAMES: Final = tuple(name for name in PAIR_COLUMNS if name in KINDS)
RESULT_NAMES: Final = tuple(MODEL_COLUMNS)
HEADER: Final = np.dtype([("names", "<i4"), ("width", "<i4")])

Numbers: TypeAlias = NDArray[np.floating[Any]]
"""(pairs,): whole numbers and flags too, all of them exact; NaN where the value is missing."""


@dataclass(frozen=True)
class Text:
    """A text column.

    Attributes
    ----------
    names
        bytes (names,): UTF-8, compared as code points compare. In order and distinct for one
        dataset; those of several stand one after the other.
    places
        int (pairs,): where each pair's text is in ``names``.
    """

    names: NDArray[np.bytes_]
    places: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.places)


Flags: TypeAlias = NDArray[np.int8]
"""(pairs,): 1, 0, and -1 where the value is missing; an eighth of the memory of numbers."""

Array: TypeAlias = Numbers | Flags | Text


class UnfitError(ValueError):
    """Packed bytes hold no values of their kind."""


def to_array(kind: Kind, values: Sequence[Any]) -> Array:
    """Return the values of a database column (None where missing) as an array."""
    if kind is not Kind.TEXT:
        return _of_kind(kind, np.array(values, np.float64))  # None becomes NaN
    names, places = np.unique(
        np.array([value.encode() for value in values], np.bytes_), return_inverse=True
    )
    return Text(names, places.astype(np.int32))


def pack(kind: Kind, array: Array) -> bytes:
    """Return the bytes of a column of one dataset."""
    if isinstance(array, Text):
        # One byte more than the longest name: no search runs from one name into the next.
        width = array.names.dtype.itemsize + 1
        header = np.array((len(array.names), width), HEADER)
        names = array.names.astype(f"S{width}")
        return header.tobytes() + names.tobytes() + array.places.astype("<i4").tobytes()
    return array.astype(DTYPES[kind]).tobytes()


def unpack(kind: Kind, data: bytes) -> Array:
    """Return the array of packed bytes; `UnfitError` where they are none of this kind."""
    if kind is Kind.TEXT:
        return _unpack_text(data)
    dtype = DTYPES[kind]
    if len(data) % dtype.itemsize:
        raise UnfitError(f"{len(data)} bytes for values of {dtype.itemsize}")
    raw = np.frombuffer(data, dtype)
    return raw if kind in FLAGS else raw.astype(np.float64, copy=False)


def to_numbers(array: Array) -> Numbers:
    """Return a column of numbers or flags as numbers."""
    if isinstance(array, Text):
        raise TypeError("this column is text")
    if array.dtype != np.int8:
        return array.astype(np.float64, copy=False)
    numbers = array.astype(np.float32)  # half the memory to touch, and as exact
    numbers[array < 0] = np.nan
    return numbers


def _of_kind(kind: Kind, numbers: Numbers) -> Numbers | Flags:
    if kind not in FLAGS:
        return numbers
    return np.nan_to_num(numbers, nan=-1).astype(np.int8)


def _unpack_text(data: bytes) -> Text:
    try:
        count, width = (int(number) for number in np.frombuffer(data, HEADER, 1)[0])
        names = np.frombuffer(data, f"S{width}", count, offset=HEADER.itemsize)
        places = np.frombuffer(data, "<i4", offset=HEADER.itemsize + names.nbytes)
    except ValueError as error:
        raise UnfitError(f"{len(data)} bytes are no texts: {error}") from error
    return Text(names, places)


def joined(arrays: Sequence[Array]) -> Array:
    """Return columns of several datasets, one after the other, as one."""
    if len(arrays) == 1:
        return arrays[0]
    texts = [array for array in arrays if isinstance(array, Text)]
    if not texts:
        return np.concatenate([array for array in arrays if not isinstance(array, Text)])
    starts = np.cumsum([0, *(len(text.names) for text in texts[:-1])])
    return Text(
        np.concatenate([text.names for text in texts]),
        np.concatenate(
            [text.places + int(start) for text, start in zip(texts, starts, strict=True)]
        ),
    )


def result_arrays(
    ids: Numbers, pair_ids: Sequence[int], columns: Mapping[str, Sequence[Any]]
) -> dict[str, Numbers | Flags]:
    """Return columns of one evaluation's results, spread over all pairs of its dataset.

    Parameters
    ----------
    ids
        Ids of the dataset's pairs, in order.
    pair_ids
        The pair of each result.
    columns
        By name: the value of each result.
    """
    places = np.searchsorted(ids, np.array(pair_ids, np.float64))
    arrays = {}
    for name, values in columns.items():
        spread = np.full(len(ids), np.nan)
        spread[places] = values
        arrays[name] = _of_kind(KINDS[name], spread)
    return arrays


def pack_pairs(session: Session, dataset_id: int) -> dict[str, bytes]:
    """Return the packed columns of a dataset's pairs, by name, from their rows."""
    columns = [getattr(Pair, name) for name in PAIR_NAMES]
    rows = session.execute(select(*columns).filter_by(dataset_id=dataset_id).order_by(Pair.id))
    values = list(zip(*rows, strict=True)) or [()] * len(PAIR_NAMES)
    return {
        name: pack(KINDS[name], to_array(KINDS[name], column))
        for name, column in zip(PAIR_NAMES, values, strict=True)
    }


def pack_results(session: Session, dataset_id: int, model_id: int) -> dict[str, bytes]:
    """Return the packed columns of an evaluation's results, by name, from their rows."""
    pairs = select(Pair.id).filter_by(dataset_id=dataset_id).order_by(Pair.id)
    ids = np.array(session.scalars(pairs).all(), np.float64)
    columns = [getattr(Result, name) for name in RESULT_NAMES]
    rows = session.execute(
        select(Result.pair_id, *columns).filter_by(dataset_id=dataset_id, model_id=model_id)
    )
    pair_ids, *values = list(zip(*rows, strict=True)) or [()] * (1 + len(RESULT_NAMES))
    arrays = result_arrays(ids, pair_ids, dict(zip(RESULT_NAMES, values, strict=True)))
    return {name: pack(KINDS[name], array) for name, array in arrays.items()}
