"""Columns held between pages: never more than allowed, never what the database no longer has."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.explorer import arrays
from app.explorer.catalogue import load_catalogue
from app.explorer.held import HeldColumns
from app.explorer.packing import Text
from app.explorer.parsing import parse_query
from app.explorer.query_string import read_query_string
from app.explorer.selection import Selection
from app.models import Pair, PairColumn, ResultColumn
from tests import factories

BYTES = b"bytes"
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldColumns:
    """Return an empty cache that stands for the process's own."""
    empty = HeldColumns()
    monkeypatch.setattr(arrays, "HELD", empty)
    return empty


def found(session: Session, query: str) -> list[int]:
    parsed = parse_query(read_query_string(query.encode()), load_catalogue(session))
    selection = Selection(session, parsed)
    return selection.ids(selection.window(0, len(selection)))


def test_the_longest_unused_column_goes_first() -> None:
    held = HeldColumns(limit=130)
    for name in "abc":
        held.keep((1, None, name), SHA256, BYTES, np.zeros(8))
        held.find([(1, None, "a")])
    assert [name for name in "abc" if held.find([(1, None, name)])] == ["a", "c"]


def test_a_column_larger_than_all_that_may_be_held_is_not_held() -> None:
    held = HeldColumns(limit=63)
    held.keep((1, None, "a"), SHA256, BYTES, np.zeros(8))
    assert not held.find([(1, None, "a")])


def test_names_and_places_of_a_text_count() -> None:
    held = HeldColumns(limit=100)
    for name in "ab":
        held.keep((1, None, name), SHA256, BYTES, Text(np.zeros(5, "S10"), np.zeros(3, np.int32)))
    assert [name for name in "ab" if held.find([(1, None, name)])] == ["b"]


def test_nobody_can_change_what_all_threads_have() -> None:
    held = HeldColumns()
    text = Text(np.zeros(5, "S10"), np.zeros(3, np.int32))
    for name, array in (("a", np.zeros(8)), ("b", text)):
        held.keep((1, None, name), SHA256, BYTES, array)
    for changed in (held.find([(1, None, "a")])[SHA256], text.names, text.places):
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(changed)[0] = 1


def test_bytes_under_the_hash_of_others_are_not_held() -> None:
    held = HeldColumns()
    held.keep((1, None, "a"), SHA256, b"others", np.zeros(8))
    held.keep((1, None, "a"), None, BYTES, np.zeros(8))
    assert not held.find([(1, None, "a")])


def test_a_page_reads_each_column_once(demo: Flask, session: Session, held: HeldColumns) -> None:
    factories.pack_columns(session)
    query = "fold__lt=5&sort=-first.distance"
    first = found(session, query)
    # Proof that no bytes are read now: they are gone, and only their hash is as it was.
    session.execute(update(PairColumn).values(data=b"", sha256=PairColumn.sha256))
    session.execute(update(ResultColumn).values(data=b"", sha256=ResultColumn.sha256))
    session.execute(update(Pair).values(fold=99))
    assert found(session, query) == first


def test_a_column_that_was_written_anew_is_read_anew(
    demo: Flask, session: Session, held: HeldColumns
) -> None:
    factories.pack_columns(session)
    before = found(session, "first.explained=1")
    assert before
    columns = session.scalars(select(ResultColumn).filter_by(name="explained")).all()
    for each in columns:
        each.data = bytes(len(each.data))
    session.flush()
    assert found(session, "first.explained=1") == []
