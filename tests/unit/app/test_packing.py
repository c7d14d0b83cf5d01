"""Packed columns hold what the rows hold, and where they do not, the rows are read."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.explorer.arrays import Arrays
from app.explorer.catalogue import load_catalogue
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef, Kind
from app.explorer.packing import (
    Text,
    UnfitError,
    joined,
    pack,
    to_array,
    to_numbers,
    unpack,
)
from app.explorer.parsing import parse_query
from app.models import Pair, PairColumn, Result, ResultColumn
from tests import factories

# Any text that both databases hold; empty names too.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
VALUES = {
    Kind.INTEGER: st.integers(-(2**31), 2**31 - 1),
    Kind.NUMBER: st.none() | st.floats(allow_nan=False, allow_infinity=False),
    Kind.FLAG: st.none() | st.booleans(),
    Kind.LABEL: st.none() | st.booleans(),
    Kind.TEXT: NAMES,
}


def values_of(array: object) -> list[object]:
    if isinstance(array, Text):
        return [array.names[place].decode() for place in array.places]
    assert isinstance(array, np.ndarray)
    return [None if np.isnan(value) else value for value in to_numbers(array).tolist()]


@pytest.mark.parametrize("kind", VALUES)
@settings(deadline=None)
@given(data=st.data())
def test_a_column_comes_back_as_it_was(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=30))
    array = unpack(kind, pack(kind, to_array(kind, values)))
    assert values_of(array) == values


@settings(deadline=None)
@given(st.lists(st.lists(NAMES, max_size=8), min_size=1, max_size=4))
def test_texts_of_several_datasets_keep_their_order(lists: list[list[str]]) -> None:
    array = joined([to_array(Kind.TEXT, values) for values in lists])
    assert values_of(array) == [value for values in lists for value in values]


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=20))
def test_names_are_distinct_and_in_the_order_of_code_points(values: list[str]) -> None:
    array = to_array(Kind.TEXT, values)
    assert isinstance(array, Text)
    assert [name.decode() for name in array.names] == sorted(set(values))


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER, Kind.TEXT])
def test_bytes_that_are_cut_off_are_refused(kind: Kind) -> None:
    data = pack(kind, to_array(kind, ["a", "b"] if kind is Kind.TEXT else [0, 1]))
    with pytest.raises(UnfitError):
        unpack(kind, data[:-1])


def columns(session: Session) -> dict[str, list[object]]:
    """Return every column that the explorer can look at, pair by pair."""
    catalogue = load_catalogue(session)
    refs = [ColumnRef(column) for column in PAIR_COLUMNS.values()]
    refs += [ColumnRef(c, model) for model in catalogue.models for c in MODEL_COLUMNS.values()]
    arrays = Arrays(session, parse_query([], catalogue), refs)
    return {ref.name: values_of(arrays[ref]) for ref in refs}


def test_packed_columns_are_the_rows(demo: Flask, session: Session) -> None:
    from_rows = columns(session)
    assert None in from_rows["quality1"] and None in from_rows["third.distance"]
    factories.pack_columns(session)
    # Proof that the rows are not read now: they say something else.
    session.execute(update(Result).values(distance=2.0))
    session.execute(update(Pair).values(fold=99))
    assert columns(session) == from_rows


def test_rows_are_read_where_a_packed_column_is_missing_or_does_not_fit(
    demo: Flask, session: Session
) -> None:
    from_rows = columns(session)
    factories.pack_columns(session)
    first, second = session.scalars(
        select(PairColumn.dataset_id).filter_by(name="id").order_by(PairColumn.dataset_id)
    )
    session.execute(delete(PairColumn).filter_by(dataset_id=first, name="fold"))
    session.execute(update(PairColumn).filter_by(dataset_id=second, name="image1").values(data=b""))
    session.execute(delete(ResultColumn).filter_by(dataset_id=second, name="correct"))
    session.execute(update(ResultColumn).filter_by(name="distance").values(data=b"12345678"))
    session.execute(update(ResultColumn).filter_by(name="threshold").values(data=b"1234567"))
    assert columns(session) == from_rows
