"""The pairs that a query selects, and their order: masks and sort keys over its columns.

Nothing here depends on how selective a filter is or how deep a page lies: every condition is one
pass over an array, and of a list only the window that a page shows is ever sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.database import check_time
from app.explorer.arrays import ID, Arrays
from app.explorer.columns import MODEL_COLUMNS, ColumnRef, Kind
from app.explorer.cursor import Cursor, CursorValue
from app.explorer.filters import ExplorerQuery, Filter, SortKey
from app.explorer.packing import Flags, Numbers, Text, to_numbers

T = TypeVar("T", bound=np.generic)

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

FEW: Final = 1000
"""So many rows are sorted as they are; of more, the window is found first."""


class Selection:
    """The pairs that match a query, wherever its page stands.

    Parameters
    ----------
    also
        Columns to look at once, besides those of the filters and sort keys.
    """

    def __init__(
        self, session: Session, query: ExplorerQuery, *, also: Sequence[ColumnRef] = ()
    ) -> None:
        self.query = query
        refs = [item.ref for item in query.filters] + [key.ref for key in query.order]
        if query.agree is not None:
            refs += _predictions(query)
        self._arrays = Arrays(session, query, refs, once=also)
        self.rows: Rows = np.flatnonzero(self._matches(session))
        """Places of the matching pairs in the arrays."""

    def __len__(self) -> int:
        return len(self.rows)

    def numbers(self, ref: ColumnRef) -> Numbers:
        """Return a column of the matching pairs, in no order; NaN where the value is missing."""
        return self._of_rows(self._arrays.numbers(ref))

    def flags(self, ref: ColumnRef) -> Flags:
        """Return a column of flags of the matching pairs, in no order; -1 where one is missing."""
        return self._of_rows(self._arrays.flags(ref))

    def _of_rows(self, array: NDArray[T]) -> NDArray[T]:
        return array if len(self) == len(array) else array[self.rows]

    def ids(self, rows: Rows) -> list[int]:
        """Return the pair ids of ``rows``."""
        return [int(number) for number in self._arrays.numbers(ID)[rows]]

    def window(self, start: int, stop: int) -> Rows:
        """Return the rows at the places from ``start`` up to ``stop`` of the sorted list."""
        return _window([key.values for key in self._keys], self.rows, start, min(stop, len(self)))

    def place_of(self, pair_id: int) -> int | None:
        """Return a pair's place in the sorted list, from 0; None where it does not match."""
        rows = self.rows[self.numbers(ID) == pair_id]
        if not len(rows):
            return None
        (itself,) = self.cursors(rows, 0)
        return self.count_before(itself)[0]

    def count_before(self, cursor: Cursor) -> tuple[int, int]:
        """Return how many pairs stand before ``cursor``, and how many do not stand after it."""
        less = np.zeros(len(self), bool)
        equal = np.ones(len(self), bool)
        for key, value in zip(self._keys, cursor.values, strict=True):
            values, bound = key.values[self.rows], key.bound(value)
            less |= equal & (values < bound)
            equal &= values == bound
        before = int(np.count_nonzero(less))
        return before, before + int(np.count_nonzero(equal))

    def cursors(self, rows: Rows, first: int) -> tuple[Cursor, ...]:
        """Return the cursors of consecutive rows, the first of which has the place ``first``."""
        columns = [self._values(key.ref, rows) for key in self.query.order]
        return tuple(
            Cursor(values, first + place) for place, values in enumerate(zip(*columns, strict=True))
        )

    @cached_property
    def _keys(self) -> list[_Key]:
        names = [dataset.name for dataset in self.query.known_datasets]
        return [_Key(key, self._arrays, names) for key in self.query.order]

    def _matches(self, session: Session) -> Mask:
        """Return which pairs match; a query of many conditions is stopped as a statement would be.

        Raises
        ------
        OutOfTimeError
            Where the time of the session's transaction is up between two conditions.
        """
        query = self.query
        matches = np.ones(len(self._arrays), bool)
        for item in query.filters:
            if item.ref.column.kind is not Kind.DATASET:  # the arrays are of those alone
                check_time(session)
                matches &= self._meets(item)
        check_time(session)
        if query.agree is not None:
            matches &= self._agreement(agree=query.agree)
        return matches

    def _meets(self, item: Filter) -> Mask:
        array = self._arrays[item.ref]
        if isinstance(array, Text):
            return _text_meets(array.names, item)[array.places]
        return _number_meets(to_numbers(array), item)

    def _agreement(self, *, agree: bool) -> Mask:
        genuine = np.full(len(self._arrays), bool(self.query.models))
        impostor = genuine.copy()
        there = genuine.copy()
        for ref in _predictions(self.query):
            prediction = self._arrays.flags(ref)
            genuine &= prediction == 1
            impostor &= prediction == 0
            there &= prediction >= 0
        same: Mask = genuine | impostor
        return same if agree else there & ~same

    def _values(self, ref: ColumnRef, rows: Rows) -> list[CursorValue]:
        """Return values as cursors hold them."""
        array, kind = self._arrays[ref], ref.column.kind
        if isinstance(array, Text):
            return [name.decode() for name in array.names[array.places[rows]].tolist()]
        read: Any = {Kind.INTEGER: int, Kind.NUMBER: float}.get(kind, bool)
        if kind is Kind.DATASET:
            names = [dataset.name for dataset in self.query.known_datasets]
            return [names[int(rank)] for rank in array[rows]]
        return [None if np.isnan(value) else read(value) for value in to_numbers(array[rows])]


class _Key:
    """A sort key: numbers that sort, upwards, as the list does; missing values are infinite."""

    def __init__(self, key: SortKey, arrays: Arrays, datasets: Sequence[str]) -> None:
        array, kind = arrays[key.ref], key.ref.column.kind
        # "genuine" comes before "impostor", but true after false.
        self._sign = -1 if key.descending != (kind is Kind.LABEL) else 1
        self._datasets = datasets if kind is Kind.DATASET else None
        self._names: NDArray[np.bytes_] | None = None
        if isinstance(array, Text):
            self._names, ranks = _ranks(array.names)
            array = ranks[array.places].astype(np.float64)
        self.values: Numbers = np.nan_to_num(to_numbers(array) * self._sign, nan=np.inf)

    def bound(self, value: CursorValue) -> float:
        """Return where a cursor's value stands among ``values``, be it among them or not."""
        if value is None:
            return float("inf")
        place: float
        if self._names is not None:
            text = str(value).encode()
            place = float(np.searchsorted(self._names, np.bytes_(text)))
            if place == len(self._names) or self._names[int(place)] != text:
                place -= 0.5
        elif self._datasets is not None:
            known = value in self._datasets
            place = self._datasets.index(str(value)) if known else len(self._datasets)
        else:
            place = float(value)
        return place * self._sign


def _predictions(query: ExplorerQuery) -> list[ColumnRef]:
    return [ColumnRef(MODEL_COLUMNS["prediction"], model) for model in query.models]


def _ranks(names: NDArray[np.bytes_]) -> tuple[NDArray[np.bytes_], NDArray[np.intp]]:
    """Return the distinct names in order, and the rank of each name among them."""
    # Each dataset's names are in order already, which a stable sort makes use of.
    order = np.argsort(names, kind="stable")
    ordered = names[order]
    is_new = np.ones(len(names), bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    ranks = np.empty(len(names), np.intp)
    ranks[order] = np.cumsum(is_new) - 1
    return ordered[is_new], ranks


def _number_meets(numbers: Numbers, item: Filter) -> Mask:
    value: Any = item.value
    if item.operator.name == "isnull":
        return np.isnan(numbers) if value else ~np.isnan(numbers)
    if item.operator.many:
        return _is_in(numbers, np.array(value, np.float64))
    met: Mask = np.asarray(item.operator.test(numbers, value))
    # A missing number differs from every value, but does not meet the condition.
    return met & ~np.isnan(numbers) if item.operator.name == "not" else met


def _text_meets(names: NDArray[np.bytes_], item: Filter) -> Mask:
    value: Any = item.value
    if item.operator.name == "isnull":
        return np.full(len(names), not value)
    if item.operator.many:
        return _is_in(names, np.array([text.encode() for text in value], np.bytes_))
    text = value.encode()
    if item.operator.name in ("contains", "startswith"):
        # On bytes, lower() changes A to Z alone.
        folded = np.frombuffer(names.tobytes().lower(), names.dtype)
        if item.operator.name == "contains":
            return np.asarray(np.strings.find(folded, text.lower()) >= 0)
        return np.strings.startswith(folded, text.lower())
    return np.asarray(item.operator.test(names, np.bytes_(text)))


def _is_in(values: NDArray[Any], options: NDArray[Any]) -> Mask:
    options = np.unique(options)
    found = np.searchsorted(options, values).clip(max=len(options) - 1)
    return np.asarray(options[found] == values)


def _window(keys: Sequence[Numbers], rows: Rows, start: int, stop: int) -> Rows:
    """Return the rows at the places from ``start`` up to ``stop`` when sorted by ``keys``.

    The values at both ends of the window by the first key are found without sorting; between them
    stand few rows. Where many are tied with an end, the same goes on among those by the next key.
    """
    if start >= stop or not keys:
        return rows[start:stop]  # where no key is left to tell rows apart, there is one row
    if len(rows) <= FEW or stop - start == len(rows):
        return rows[np.lexsort([key[rows] for key in reversed(keys)])[start:stop]]
    key = keys[0][rows]
    low, high = np.partition(key, (start, stop - 1))[[start, stop - 1]]

    def among(value: float, rows: Rows) -> Rows:
        before = int(np.count_nonzero(key < value))
        tied = rows[key == value]
        return _window(keys[1:], tied, max(start - before, 0), min(stop - before, len(tied)))

    if low == high:
        return among(low, rows)
    between = rows[(key > low) & (key < high)]
    middle = _window(keys, between, 0, len(between))
    return np.concatenate([among(low, rows), middle, among(high, rows)])
