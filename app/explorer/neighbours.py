"""A pair within the list that a query asks for: its place, and what stands before and after it.

In a list short enough to be counted, the pair is looked up among all ids; its page is numbered, or
follows a cursor where no number reaches. In a longer one, the query names a page (by number or by
cursor), as the link that led to the pair did: there the pair is looked for first, and its place is
known. Otherwise it is found by its id: the query with that one more condition gives its sort
values, the cursor from which one row is read on each side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.explorer.cursor import Cursor
from app.explorer.filters import ID, PAGES, ExplorerQuery, Filter
from app.explorer.operators import OPERATORS
from app.explorer.queries import COUNT_LIMIT, Count, Keys, count_of, fetch_keys, keys_of
from app.explorer.selection import Selection


@dataclass(frozen=True)
class Neighbour:
    """A pair beside another, and the query of the page of the list that holds it."""

    id: int
    page: ExplorerQuery


@dataclass(frozen=True)
class Neighbours:
    """Where a pair stands in a list.

    Attributes
    ----------
    page
        The query of the page that holds the pair; that of the list's start where it is not known.
    count
        How many pairs the list holds.
    found
        Whether the pair is one of them.
    place
        Its place from 0; None where it is not in the list, or in one too long to count in.
    previous, next
        What stands beside it; None at an end of the list.
    """

    page: ExplorerQuery
    count: Count
    found: bool
    place: int | None = None
    previous: Neighbour | None = None
    next: Neighbour | None = None


def find_neighbours(session: Session, query: ExplorerQuery, pair_id: int) -> Neighbours:
    """Return what stands beside a pair in the list of ``query``: a fixed number of readings."""
    selection = Selection(session, query)
    count = count_of(selection)
    if count.exact and count.number <= COUNT_LIMIT:
        return _in_short_list(selection, pair_id, count)
    keys = keys_of(selection)
    if pair_id in keys.ids:
        return _on_page(session, query, keys, keys.ids.index(pair_id), count)
    start = query.place()
    alone = Filter(ID, OPERATORS["exact"], str(pair_id), pair_id)
    itself = fetch_keys(session, replace(start, filters=(*start.filters, alone)))
    if not itself.rows:
        return Neighbours(start, count, found=False)
    here = Cursor(itself.rows[0].values, 0)
    return Neighbours(
        start,
        count,
        found=True,
        previous=_beside(session, start.place(before=here), page=start),
        next=_beside(session, start.place(after=here), page=start),
    )


def _in_short_list(selection: Selection, pair_id: int, count: Count) -> Neighbours:
    """Look a pair up among all ids of a list: one reading tells place and both neighbours."""
    query = selection.query
    rows = selection.window(0, len(selection))
    ids = selection.ids(rows)

    def page_of(place: int) -> ExplorerQuery:
        first = place - place % query.size
        number = first // query.size + 1
        if number <= PAGES[-1]:
            return query.place(page=number if number > 1 else None)
        before = selection.cursors(rows[first - 1 : first], first - 1)
        return query.place(after=before[0])

    def at(place: int) -> Neighbour | None:
        return Neighbour(ids[place], page_of(place)) if 0 <= place < len(ids) else None

    if pair_id not in ids:
        return Neighbours(query.place(), count, found=False)
    place = ids.index(pair_id)
    return Neighbours(
        page_of(place), count, found=True, place=place, previous=at(place - 1), next=at(place + 1)
    )


def _on_page(
    session: Session, query: ExplorerQuery, keys: Keys, at: int, count: Count
) -> Neighbours:
    """Look beside a row of a page; where the page ends there, on the page beside it."""
    previous = following = None
    if at > 0:
        previous = Neighbour(keys.ids[at - 1], query)
    elif keys.more_before:
        earlier = query.place(before=keys.rows[0])
        previous = _beside(session, earlier, page=earlier)
    if at + 1 < len(keys.ids):
        following = Neighbour(keys.ids[at + 1], query)
    elif keys.more_after:
        later = query.place(after=keys.rows[-1])
        following = _beside(session, later, page=later)
    return Neighbours(
        query,
        count,
        found=True,
        place=keys.rows[at].place,
        previous=previous,
        next=following,
    )


def _beside(session: Session, query: ExplorerQuery, *, page: ExplorerQuery) -> Neighbour | None:
    ids = fetch_keys(session, query.with_size(1)).ids
    return Neighbour(ids[0], page) if ids else None
