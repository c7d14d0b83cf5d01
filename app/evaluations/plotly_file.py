"""plotly.js, served from Plotly's own wheel: only the file, the package is never imported.

Its URL names version and content, so it is cached for ever; it is compressed once per process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, url_for

from app.caching import HeldFile
from app.errors import NotFound

INSIDE: Final = "plotly/package_data/plotly.min.js"

blueprint = Blueprint("plotly", __name__, url_prefix="/plotly")


@dataclass(frozen=True)
class Script:
    """The script and what names it."""

    version: str
    file: HeldFile

    @cached_property
    def name(self) -> str:
        """The version of the package and the start of the content's SHA-256."""
        return f"{self.version}-{self.file.sha256[:12]}"


@cache
def find_script() -> Script | None:
    """Return the script of the installed package; None where there is none."""
    try:
        package = metadata.distribution("plotly")
        data = Path(str(package.locate_file(INSIDE))).read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        return None
    return Script(package.version, HeldFile(data, "text/javascript; charset=utf-8"))


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
    return script.file.reply(current=name == script.name)
