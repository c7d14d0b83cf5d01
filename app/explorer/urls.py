"""Addresses of the explorer and of what it leads to: the one place that writes them."""

from __future__ import annotations

from flask import url_for

from app.explorer.filters import ExplorerQuery, Filter, narrowed
from app.explorer.query_string import Params, query_text


def explorer_url(query: ExplorerQuery) -> str:
    """Return the explorer's URL for a query."""
    return pairs_url(query.params())


class Links:
    """Addresses of what further conditions leave of a query.

    A page has hundreds of them, which differ in a condition or two: the rest is written once.
    """

    def __init__(self, query: ExplorerQuery) -> None:
        start = query.place()
        self.query = query
        self._path = url_for("explorer.index")
        self._before = query_text(start.params_before_filters())
        self._after = query_text(start.params_after_filters())

    def narrowed(self, *more: Filter) -> str:
        """Return the explorer's URL for the query with further conditions, at its start."""
        conditions = (item.encoded for item in narrowed(self.query.filters, more))
        parts = (self._before, *conditions, self._after)
        text = "&".join(part for part in parts if part)
        return f"{self._path}?{text}" if text else self._path


def pairs_url(params: Params) -> str:
    """Return the explorer's URL for parameters of the query grammar."""
    return url_with("explorer.index", params)


def summary_url(query: ExplorerQuery) -> str:
    """Return the URL of the counts, histograms and confusion of a query."""
    return url_with("explorer.summary", query.place().sorted_by().params(count=False))


def viewer_url(pair_id: int, back: str, model: str | None = None) -> str:
    """Return the viewer's URL for a pair, with the way back to the list."""
    choice = [("model", model or ""), ("results", back)]
    return url_with("viewer.pair", [pair for pair in choice if pair[1]], pair_id=pair_id)


def url_with(endpoint: str, params: Params, **parts: object) -> str:
    """Return the URL of an endpoint with query parameters, which may repeat."""
    url = url_for(endpoint, **parts)  # type: ignore[arg-type]
    return f"{url}?{query_text(params)}" if params else url
