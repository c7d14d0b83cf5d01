"""Answers that are named by their content: whoever has one already is sent no second."""

from __future__ import annotations

import hashlib

from flask import Response, request


def content_reply(body: bytes, mimetype: str, *, name: str | None = None) -> Response:
    """Answer with a body that may be kept for ten minutes; ``name`` makes it a file to keep."""
    response = Response(body, mimetype=mimetype)
    if name:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.headers["Cache-Control"] = "public, max-age=600"
    response.make_conditional(request)
    return response
