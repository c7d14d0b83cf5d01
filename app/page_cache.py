"""Pages that are asked for again and again, kept as they went out until the data changes.

The front of a site is a few links that everyone follows: drawing their tables and charts anew each
time would be most of what a server does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, Final, NamedTuple, ParamSpec

from flask import Flask, Response, current_app, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import compression
from app.data.shelf import linked_releases
from app.extensions import db
from app.models import Dataset, Evaluation, ExplanationSet

LIMIT: Final = 4 * 2**20
"""Bytes of compressed pages, some 200 of them."""
EXTENSION: Final = "page_cache"

P = ParamSpec("P")


class Page(NamedTuple):
    """A page as it goes out."""

    body: bytes
    headers: list[tuple[str, str]]


class PageCache:
    """Pages by what they depend on, at most ``limit`` bytes; the longest unused one goes first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pages: OrderedDict[Any, Page] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Any) -> Page | None:
        """Return the page under ``key``."""
        with self._lock:
            if key not in self._pages:
                return None
            self._pages.move_to_end(key)
            return self._pages[key]

    def keep(self, key: Any, page: Page) -> None:
        """Keep a page, unless it is larger than all that may be kept."""
        if len(page.body) > self._limit:
            return
        with self._lock:
            if key in self._pages:  # another thread drew it meanwhile, perhaps at another length
                self._bytes -= len(self._pages.pop(key).body)
            self._pages[key] = page
            self._bytes += len(page.body)
            while self._bytes > self._limit:
                _, dropped = self._pages.popitem(last=False)
                self._bytes -= len(dropped.body)


def init_app(app: Flask) -> None:
    """Give the app a cache."""
    app.extensions[EXTENSION] = PageCache()


def kept(view: Callable[P, ResponseReturnValue]) -> Callable[P, Response]:
    """Answer with the page as it went out before, while neither data nor releases have changed.

    For views whose answer depends on nothing else but the URL. One that is not to be kept (a page
    that ran out of time) says so by ``Cache-Control: no-store``; errors are never kept.
    """

    @wraps(view)
    def answer(*args: P.args, **values: P.kwargs) -> Response:
        if current_app.debug:  # templates change, too
            return make_response(view(*args, **values))
        cache: PageCache = current_app.extensions[EXTENSION]
        releases = tuple(release.key for release in linked_releases())
        asked = request.host_url, request.path, request.query_string, compression.is_accepted()
        key = (*asked, data_version(db.session()), releases)
        page = cache.get(key)
        if page is not None:
            return Response(page.body, headers=page.headers)
        response = compression.compress(make_response(view(*args, **values)))
        if response.status_code == 200 and not response.cache_control.no_store:
            cache.keep(key, Page(response.get_data(), list(response.headers.items())))
        return response

    return answer


def data_version(session: Session) -> tuple[Any, ...]:
    """Return what changes whenever the pipeline publishes: one statement on small tables."""
    counts = [
        # One that was removed and imported anew, its labels mended, may have the same key and size.
        select(func.aggregate_strings(Dataset.sha256, " ")),
        select(func.count()).select_from(Evaluation),
        select(func.max(Evaluation.id)),
        select(func.max(Evaluation.finished)),
        select(func.sum(ExplanationSet.explained_count)),
    ]
    row = session.execute(select(*(each.scalar_subquery() for each in counts))).one()
    return tuple(row)
