"""What a page asks of its list: how many pairs match, and which stand in its window, in order.

A page has a place in the list. A number says it outright; a cursor holds the sort values of a row,
and the pairs that sort before them are counted. So a page in the depth of a list costs what the
first one costs, and no row is shown twice or left out where many are tied.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from app.explorer.cursor import Cursor
from app.explorer.filters import ExplorerQuery
from app.explorer.selection import Selection

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


def count_of(selection: Selection) -> Count:
    """Return the number of pairs as the site tells it."""
    number = len(selection)
    if number > COUNT_LIMIT and not selection.query.count_all:
        return Count(COUNT_LIMIT, exact=False)
    return Count(number, exact=True)


def fetch_keys(session: Session, query: ExplorerQuery) -> Keys:
    """Return the keys of the page that ``query`` asks for."""
    return keys_of(Selection(session, query))


def keys_of(selection: Selection) -> Keys:
    """Return the keys of the page that the selection's query asks for."""
    query = selection.query
    if query.before is not None:
        stop, _ = selection.count_before(query.before)
        start = max(stop - query.size, 0)
    else:
        if query.after is not None:
            _, start = selection.count_before(query.after)
        else:
            start = ((query.page or 1) - 1) * query.size
        stop = min(start + query.size, len(selection))
    rows = selection.window(start, stop)
    return Keys(
        selection.cursors(rows, start),
        tuple(selection.ids(rows)),
        start,
        more_before=start > 0,
        more_after=stop < len(selection),
    )


def fetch_all_ids(session: Session, query: ExplorerQuery) -> array[int]:
    """Return the ids of all matching pairs, in order: 8 bytes each."""
    selection = Selection(session, query)
    return array("q", selection.ids(selection.window(0, len(selection))))
