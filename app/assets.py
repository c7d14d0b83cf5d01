"""Static files under a URL that names their content, so that they may be cached for ever.

The version is a hash of the whole folder and stands in the path. Relative imports between ES
modules and ``url()`` in style sheets therefore carry it along, without a build step. The files are
held in memory: they are few and small.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort

from app.caching import HeldFile


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of all files under ``folder``, by path below it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def version_of(contents: Mapping[str, bytes]) -> str:
    """Return the first 12 hex digits of a hash of all names and contents."""
    digest = hashlib.sha256()
    for name, data in sorted(contents.items()):
        digest.update(name.encode() + b"\0")
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()[:12]


class Assets:
    """Serves one folder as the endpoint ``static``; ``url_for`` adds the version by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read()

    def init_app(self, app: Flask) -> None:
        """Register the endpoint ``static`` and let ``url_for("static", filename=...)`` find it."""
        app.add_url_rule("/static/<version>/<path:filename>", "static", self._serve)

        @app.url_defaults
        def add_version(endpoint: str, values: dict[str, Any]) -> None:
            if endpoint == "static":
                values.setdefault("version", self._current(debug=app.debug))

    def _read(self) -> None:
        self._stamp = self._newest()
        contents = read_folder(self._folder)
        self._version = version_of(contents)
        self._files = {name: HeldFile(data, _content_type(name)) for name, data in contents.items()}

    def _newest(self) -> float:
        return max((path.stat().st_mtime for path in self._folder.rglob("*")), default=0.0)

    def _current(self, *, debug: bool) -> str:
        """Return the version; while debugging, an edited file makes a new one."""
        if debug and self._newest() != self._stamp:
            self._read()
        return self._version

    def _serve(self, version: str, filename: str) -> Response:
        file = self._files.get(filename)
        if file is None:
            abort(404)
        return file.reply(current=version == self._version)


def _content_type(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
