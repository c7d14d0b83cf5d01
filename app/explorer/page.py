"""One page of a query: its rows, how many there are in all, and the queries beside it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.explorer.filters import PAGES, ExplorerQuery
from app.explorer.queries import Count, Keys, count_of, keys_of
from app.explorer.rows import PairRow, load_rows
from app.explorer.selection import Selection
from app.explorer.sentence import describe


@dataclass(frozen=True)
class Page:
    """What the explorer shows and the JSON holds."""

    query: ExplorerQuery
    rows: list[PairRow]
    count: Count
    first: int
    """Place of the first row in the whole list, from 0."""
    next: ExplorerQuery | None
    previous: ExplorerQuery | None

    @property
    def description(self) -> str:
        """The query in words, with the count."""
        return describe(self.query, self.count)


def fetch_page(session: Session, query: ExplorerQuery) -> Page:
    """Read one page: at most six statements, whatever the query and the number of rows."""
    selection = Selection(session, query)
    keys, count = keys_of(selection), count_of(selection)
    rows = load_rows(session, keys.ids, datasets=query.known_datasets, models=query.models)
    return Page(
        query=query,
        rows=rows,
        count=count,
        first=keys.first,
        next=_next(query, keys),
        previous=_previous(query, keys, count),
    )


def _next(query: ExplorerQuery, keys: Keys) -> ExplorerQuery | None:
    if not keys.more_after:
        return None
    if keys.rows:
        return query.place(after=keys.rows[-1])
    return query.place()  # nothing stands before the place asked for: on to the start


def _previous(query: ExplorerQuery, keys: Keys, count: Count) -> ExplorerQuery | None:
    if not keys.more_before:
        return None
    if keys.rows:
        return query.place(before=keys.rows[0])
    # Beyond the end: back to the last page that a number reaches, or to the start.
    last = -(-count.number // query.size)
    return query.place(page=last) if count.exact and last in PAGES else query.place()
