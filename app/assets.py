"""Static files under a URL that names their content, so that they may be cached for ever.

The version is a hash of the whole folder and stands in the path. Relative imports between ES
modules and ``url()`` in style sheets therefore carry it along, without a build step.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_from_directory

IMMUTABLE = "public, max-age=31536000, immutable"


def folder_version(folder: Path) -> str:
    """Return the first 12 hex digits of a hash of all names and contents under ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class Assets:
    """Serves one folder as the endpoint ``static``; ``url_for`` adds the version by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = folder_version(folder)
        self._stamp = self._newest()

    def init_app(self, app: Flask) -> None:
        """Register the endpoint ``static`` and let ``url_for("static", filename=...)`` find it."""
        app.add_url_rule("/static/<version>/<path:filename>", "static", self._serve)

        @app.url_defaults
        def add_version(endpoint: str, values: dict[str, Any]) -> None:
            if endpoint == "static":
                values.setdefault("version", self._current(debug=app.debug))

    def _newest(self) -> float:
        return max((path.stat().st_mtime for path in self._folder.rglob("*")), default=0.0)

    def _current(self, *, debug: bool) -> str:
        """Return the version; while debugging, an edited file makes a new one."""
        if debug and (newest := self._newest()) != self._stamp:
            self._stamp, self._version = newest, folder_version(self._folder)
        return self._version

    def _serve(self, version: str, filename: str) -> Response:
        response = send_from_directory(self._folder, filename)
        # A page from before a deployment asks for an older version: it gets today's file, but
        # must not keep it under the wrong name.
        current = version == self._version
        response.headers["Cache-Control"] = IMMUTABLE if current else "no-cache"
        return response
