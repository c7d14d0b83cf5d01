"""plotly.js, served from Plotly's own wheel: only the file, the package is never imported.

Its URL names version and content, so it is cached for ever; it is compressed once per process.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request, url_for

from app.assets import IMMUTABLE
from app.errors import NotFound

INSIDE: Final = "plotly/package_data/plotly.min.js"

blueprint = Blueprint("plotly", __name__, url_prefix="/plotly")


@dataclass(frozen=True)
class Script:
    """The script and what names it."""

    version: str
    data: bytes

    @cached_property
    def name(self) -> str:
        """The version of the package and the start of the content's SHA-256."""
        return f"{self.version}-{hashlib.sha256(self.data).hexdigest()[:12]}"

    @cached_property
    def compressed(self) -> bytes:
        """The script through gzip: a third of its size."""
        return gzip.compress(self.data, compresslevel=6, mtime=0)


@cache
def find_script() -> Script | None:
    """Return the script of the installed package; None where there is none."""
    try:
        package = metadata.distribution("plotly")
        data = Path(str(package.locate_file(INSIDE))).read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        return None
    return Script(package.version, data)


def script_url() -> str | None:
    """Return the address of the script; None where Plotly is not installed."""
    script = find_script()
    return url_for("plotly.serve", name=script.name) if script else None


@blueprint.get("/<name>/plotly.min.js")
def serve(name: str) -> Response:
    """Return the script, compressed where the browser takes it."""
    script = find_script()
    if script is None:
        raise NotFound("Plotly is not installed here: charts are drawn without it.")
    packed = request.accept_encodings.quality("gzip") > 0
    response = Response(
        script.compressed if packed else script.data, content_type="text/javascript; charset=utf-8"
    )
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    # A page from before an upgrade gets today's script, but must not keep it under that name.
    response.headers["Cache-Control"] = IMMUTABLE if name == script.name else "no-cache"
    return response
