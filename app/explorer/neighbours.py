"""A pair within the list that a query asks for: its place, and what stands before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.explorer.filters import PAGES, ExplorerQuery
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
    count
        How many pairs the list holds.
    place
        The pair's place from 0; None where it is not in the list.
    previous, next
        What stands beside it; None at an end of the list.
    """

    count: int
    place: int | None = None
    previous: Neighbour | None = None
    next: Neighbour | None = None


def find_neighbours(session: Session, query: ExplorerQuery, pair_id: int) -> Neighbours:
    """Return what stands beside a pair in the list of ``query``, in one reading."""
    selection = Selection(session, query)
    place = selection.place_of(pair_id)
    if place is None:
        return Neighbours(len(selection))

    def at(place: int) -> Neighbour | None:
        if not 0 <= place < len(selection):
            return None
        (found,) = selection.ids(selection.window(place, place + 1))
        return Neighbour(found, _page_of(selection, place))

    return Neighbours(len(selection), place, at(place - 1), at(place + 1))


def _page_of(selection: Selection, place: int) -> ExplorerQuery:
    """Return the query of the page that holds a place: numbered, or after a cursor beyond those."""
    query = selection.query
    first = place - place % query.size
    number = first // query.size + 1
    if number in PAGES:
        return query.place(page=number if number > 1 else None)
    (before,) = selection.cursors(selection.window(first - 1, first), first - 1)
    return query.place(after=before)
