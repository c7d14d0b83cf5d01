"""The statements behind a page: a fixed, small number of them, however many rows there are.

First the ids of the page with their sort values, then the rows of just those ids. Pages follow each
other by key, not by offset: page 4,000 costs what page 1 costs. Missing values come last in both
directions. To read such a list off an index, it is taken in two parts: the rows whose first sort
value is there, and, only where these do not fill the page, the rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from app.explorer.columns import Kind
from app.explorer.cursor import Cursor, CursorValue
from app.explorer.filters import ExplorerQuery, SortKey
from app.explorer.source import Segment, Source

COUNT_LIMIT: Final = 10_000
"""Pairs are counted so far; beyond, a visitor asks for ``count=all``."""


@dataclass(frozen=True)
class Count:
    """How many pairs match: exactly, or at least."""

    number: int
    exact: bool


@dataclass(frozen=True)
class Keys:
    """The sort values of a page's rows and the place of the first of them in the list, from 0."""

    rows: tuple[Cursor, ...]
    ids: tuple[int, ...]
    first: int
    more_before: bool
    more_after: bool


@dataclass(frozen=True)
class _Key:
    """A sort key of one statement."""

    expression: ColumnElement[Any]
    descending: bool
    nullable: bool


def count_pairs(session: Session, query: ExplorerQuery) -> Count:
    """Count the matching pairs, up to `COUNT_LIMIT` unless the query asks for all."""
    return _count(session, Source(query, sort=False), limited=not query.count_all)


def _count(session: Session, source: Source, *, limited: bool) -> Count:
    inner = source.select(literal_column("1").label("one"))
    if limited:
        inner = inner.limit(COUNT_LIMIT + 1)
    number = session.scalar(select(func.count()).select_from(inner.subquery())) or 0
    if limited and number > COUNT_LIMIT:
        return Count(COUNT_LIMIT, exact=False)
    return Count(number, exact=True)


def fetch_keys(session: Session, query: ExplorerQuery) -> Keys:
    """Return the keys of the page that ``query`` asks for."""
    size = query.size
    if query.before is not None:
        found = _walk(session, query, cursor=query.before, backwards=True, limit=size + 1)
        page = found[:size][::-1]
        more_before = len(found) > size
        first = max(query.before.place - len(page), 0) if more_before else 0
        return _keys(query, page, first, more_before=more_before, more_after=True)
    if query.after is not None:
        found = _walk(session, query, cursor=query.after, backwards=False, limit=size + 1)
        first = query.after.place + 1
    else:
        first = ((query.page or 1) - 1) * size
        found = _skip(session, query, offset=first, limit=size + 1)
    return _keys(query, found[:size], first, more_before=first > 0, more_after=len(found) > size)


def fetch_all_ids(session: Session, query: ExplorerQuery) -> array[int]:
    """Return the ids of all matching pairs, in order: 8 bytes each, read in one go."""
    ids = array("q")
    for segment in _segments(query):
        source = Source(query, segment=segment)
        statement = _ordered(source, query.order, backwards=False)
        ids.extend(session.execute(statement.with_only_columns(source.id)).scalars())
    return ids


def _keys(
    query: ExplorerQuery,
    page: Sequence[tuple[CursorValue, ...]],
    first: int,
    *,
    more_before: bool,
    more_after: bool,
) -> Keys:
    place_of_id = [key.ref.name for key in query.order].index("id")
    rows = tuple(Cursor(values, first + place) for place, values in enumerate(page))
    ids = tuple(int(values[place_of_id] or 0) for values in page)
    return Keys(rows, ids, first, more_before, more_after)


def _segments(query: ExplorerQuery) -> tuple[Segment, ...]:
    """Return the parts of the list, in order."""
    if Source(query).is_nullable(query.order[0].ref):
        return (Segment.PRESENT, Segment.MISSING)
    return (Segment.ALL,)


def _walk(
    session: Session, query: ExplorerQuery, *, cursor: Cursor, backwards: bool, limit: int
) -> list[tuple[CursorValue, ...]]:
    """Return up to ``limit`` rows beyond ``cursor``, in walking order."""
    segments = _segments(query)
    start = segments[-1] if cursor.values[0] is None else segments[0]
    if backwards:
        ahead = segments[: segments.index(start) + 1][::-1]
    else:
        ahead = segments[segments.index(start) :]
    found: list[tuple[CursorValue, ...]] = []
    for segment in ahead:
        if len(found) < limit:
            source = Source(query, segment=segment)
            statement = _ordered(source, query.order, backwards=backwards)
            if segment is start:
                keys = _statement_keys(source, query.order)
                beyond = _beyond(keys, _values(source, query, cursor), backwards=backwards)
                statement = statement.where(beyond)
            found += _read(session, query, source, statement.limit(limit - len(found)))
    return found


def _skip(
    session: Session, query: ExplorerQuery, *, offset: int, limit: int
) -> list[tuple[CursorValue, ...]]:
    """Return up to ``limit`` rows from place ``offset`` on."""
    found: list[tuple[CursorValue, ...]] = []
    for segment in _segments(query):
        if len(found) < limit:
            source = Source(query, segment=segment)
            statement = _ordered(source, query.order, backwards=False)
            part = statement.offset(offset).limit(limit - len(found))
            found += _read(session, query, source, part)
            if segment is Segment.PRESENT and offset:
                # The rest of the list begins where this part ends.
                before = Source(query, sort=False, segment=segment)
                passed = 0 if found else _count(session, before, limited=False).number
                offset = max(offset - passed, 0) if not found else 0
    return found


def _statement_keys(source: Source, order: Sequence[SortKey]) -> list[_Key]:
    keys = []
    for key in order:
        if not source.is_always_missing(key.ref):
            # "genuine" comes before "impostor", but true after false.
            flipped = key.ref.column.kind is Kind.LABEL
            keys.append(
                _Key(
                    source.column(key.ref),
                    key.descending != flipped,
                    source.is_nullable(key.ref),
                )
            )
    return keys


def _ordered(source: Source, order: Sequence[SortKey], *, backwards: bool) -> Select[Any]:
    """Return the statement of all rows of ``source`` with their keys, sorted."""
    keys = _statement_keys(source, order)
    terms: list[ColumnElement[Any]] = []
    for key in keys:
        if key.nullable:
            missing = key.expression.is_(None)
            terms.append(missing.desc() if backwards else missing.asc())
        down = key.descending != backwards
        terms.append(key.expression.desc() if down else key.expression.asc())
    return source.select(*(key.expression for key in keys)).order_by(*terms)


def _read(
    session: Session, query: ExplorerQuery, source: Source, statement: Select[Any]
) -> list[tuple[CursorValue, ...]]:
    """Run a statement of `_ordered` and return its sort values, as cursors hold them."""
    names = [dataset.name for dataset in query.known_datasets]
    present = [not source.is_always_missing(key.ref) for key in query.order]
    ranked = [key.ref.column.kind is Kind.DATASET for key in query.order]
    rows = []
    for row in session.execute(statement):
        values = iter(row)
        rows.append(
            tuple(
                (names[next(values)] if is_rank else next(values)) if there else None
                for there, is_rank in zip(present, ranked, strict=True)
            )
        )
    return rows


def _values(source: Source, query: ExplorerQuery, cursor: Cursor) -> list[CursorValue]:
    """Return the values of ``cursor`` as the statement compares them."""
    names = [dataset.name for dataset in query.known_datasets]
    values: list[CursorValue] = []
    for key, value in zip(query.order, cursor.values, strict=True):
        if source.is_always_missing(key.ref):
            continue
        if key.ref.column.kind is Kind.DATASET:
            values.append(names.index(str(value)) if value in names else len(names))
        else:
            values.append(value)
    return values


def _beyond(
    keys: Sequence[_Key], values: Sequence[CursorValue], *, backwards: bool
) -> ColumnElement[bool]:
    """Return the condition "comes after these values": lexicographic, missing values last."""
    downs = [key.descending != backwards for key in keys]
    bounds = [literal(value, key.expression.type) for key, value in zip(keys, values, strict=True)]
    if len(set(downs)) == 1 and not any(key.nullable for key in keys) and None not in values:
        # One comparison of whole rows: both databases answer it from an index.
        left, right = tuple_(*(key.expression for key in keys)), tuple_(*bounds)
        return left < right if downs[0] else left > right
    condition: ColumnElement[bool] = false()
    for key, value, limit, down in reversed(list(zip(keys, values, bounds, downs, strict=True))):
        column = key.expression
        if value is None:
            later: ColumnElement[bool] = column.is_not(None) if backwards else false()
            equal: ColumnElement[bool] = column.is_(None)
        else:
            later = column < limit if down else column > limit
            if key.nullable and not backwards:
                later = or_(later, column.is_(None))
            equal = column == limit
        condition = or_(later, and_(equal, condition))
    head, value = keys[0], values[0]
    if value is not None and not head.nullable:
        # Implied by the rest, but this is the part that an index can look up.
        reached = head.expression <= bounds[0] if downs[0] else head.expression >= bounds[0]
        condition = and_(reached, condition)
    return condition
