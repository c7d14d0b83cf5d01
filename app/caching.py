"""Answers that are named by their content: whoever has one already is sent no second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flask import Response, request

from app import compression

IMMUTABLE: Final = "public, max-age=31536000, immutable"


def content_reply(body: bytes, mimetype: str, *, name: str | None = None) -> Response:
    """Answer with a body that may be kept for ten minutes; ``name`` makes it a file to keep."""
    response = Response(body, mimetype=mimetype)
    if name:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    # Weak for what may go out compressed: the tag is of what it says, in whatever bytes.
    weak = mimetype in compression.TYPES
    response.set_etag(hashlib.sha256(body).hexdigest()[:32], weak=weak)
    response.headers["Cache-Control"] = "public, max-age=600"
    response.make_conditional(request)
    return response


@dataclass(frozen=True)
class HeldFile:
    """A file whose address names its content: held in memory, compressed when first asked for."""

    data: bytes
    content_type: str

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its content, in hex."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def _compressed(self) -> bytes | None:
        return compression.compress_file(self.data)

    def reply(self, *, current: bool) -> Response:
        """Send it to be kept for ever, or not at all where the address names another content.

        A page from before a deployment asks for an older version: it gets today's file, but must
        not keep it under the wrong name.
        """
        packed = self._compressed if compression.is_accepted() else None
        response = Response(packed or self.data, content_type=self.content_type)
        response.set_etag(self.sha256[:32])
        if packed:
            compression.mark(response)
        response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = IMMUTABLE if current else "no-cache"
        response.make_conditional(request)
        return response
