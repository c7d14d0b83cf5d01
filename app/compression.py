"""Answers through gzip, for whoever takes them so: pages as they go out, other files once.

The length of a compressed page tells whether it holds twice what its address says. That is no leak
here: there are no accounts, cookies or tokens, so no page holds a secret of whoever asks for it.
"""

from __future__ import annotations

import gzip
from typing import Final

from flask import Flask, Response, request

TYPES: Final = frozenset(
    {
        *("text/html", "text/plain", "text/css", "text/csv", "text/javascript"),
        *("application/json", "application/javascript", "image/svg+xml"),
    }
)
LEAST: Final = 1000
"""Bytes; a shorter answer fits one packet anyway."""
LEVEL_OF_PAGES: Final = 3
"""A list of 139 kB becomes 15 kB in 0.3 ms; level 6 would make 12 kB in three times as long."""
LEVEL_OF_FILES: Final = 6


def init_app(app: Flask) -> None:
    """Compress every answer that is text, unless it is streamed."""
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Compress an answer where who asks takes it so, once."""
    if response.mimetype not in TYPES or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    ready = response.status_code != 200 or "Content-Encoding" in response.headers
    if ready or not is_accepted() or len(body := response.get_data()) < LEAST:
        return response
    response.set_data(gzip.compress(body, LEVEL_OF_PAGES, mtime=0))
    mark(response)
    return response


def compress_file(data: bytes) -> bytes | None:
    """Return a file through gzip; None where that gains next to nothing."""
    found = gzip.compress(data, LEVEL_OF_FILES, mtime=0)
    return found if len(found) < 0.9 * len(data) else None


def is_accepted() -> bool:
    """Return whether who asks takes answers through gzip."""
    return request.accept_encodings.quality("gzip") > 0


def mark(response: Response) -> None:
    """Say that a body is compressed; its tag is weak, for the bytes differ from those without."""
    response.headers["Content-Encoding"] = "gzip"
    etag, _weak = response.get_etag()
    if etag:
        response.set_etag(etag, weak=True)
