"""The URLs of releases: the list, one release, its files, and the list for programs."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Final

from flask import Blueprint, Response, current_app, render_template, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from app.api.contract import INTEGER, TEXT, URL, by_name, listing, operation, record, words
from app.api.replies import no_parameters, reply
from app.caching import IMMUTABLE
from app.data.context import (
    CHECKSUMS,
    CROISSANT,
    DETAILS,
    data_page,
    file_url,
    page_url,
    release_page,
)
from app.data.names import release_key
from app.data.shelf import Release, ShelfError, shelf
from app.errors import NotFound, answer

blueprint = Blueprint("data", __name__)

RELEASE: Final = record(
    {
        **dict.fromkeys(
            ("dataset", "model", "version", "dataset_title", "model_title", "finished"), TEXT
        ),
        "pairs": INTEGER,
        "scores": INTEGER,
        "explained": words(by_name(INTEGER), "Explained pairs by explanation set"),
        "size": words(INTEGER, "Bytes of all files together"),
        "sha256": words(TEXT, "Of the file SHA256SUMS"),
        "files": words(by_name(URL), "Address of each file by its name"),
        "url": URL,
    },
    title="Release",
)
_PIECE: Final = 2**20
_TYPES: Final = {
    "parquet": "application/vnd.apache.parquet",
    "npy": "application/octet-stream",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
}


@blueprint.errorhandler(ShelfError)
def tell_damaged(error: ShelfError) -> Response:
    """Say that the shelf needs its keeper; what is wrong goes to the log."""
    current_app.logger.error("%s", error)
    return answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "releases_unreadable",
        "The list of releases cannot be read. Whoever runs this site: `flask export` writes it "
        "anew.",
    )


@blueprint.get("/data")
def data() -> str:
    """List the releases of every dataset and model."""
    no_parameters()
    return render_template("data/index.html", page=data_page(shelf().releases()))


@blueprint.get("/data/<dataset>/<model>/<version>")
def release(dataset: str, model: str, version: str) -> str:
    """Show one release: its files, their columns, where it comes from and how to read it."""
    no_parameters()
    found, versions = _find(dataset, model, version)
    content, croissant = (shelf().read_json(found.key, name) for name in (DETAILS, CROISSANT))
    page = release_page(found, content, croissant, versions)
    return render_template("data/release.html", page=page)


@blueprint.get("/data/<dataset>/<model>/<version>/<name>")
def file(dataset: str, model: str, version: str, name: str) -> Response:
    """Send a file of a release, whole or in ranges; it never changes."""
    no_parameters()
    found, _versions = _find(dataset, model, version)
    if name not in found.files:
        raise NotFound(f"Release {version} has no file {name!r}; it has {', '.join(found.files)}.")
    sent = _file(found, name)
    etag = sent.sha256[:32]
    if request.if_none_match.contains(etag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = _stream(sent, etag)
    response.set_etag(etag)
    response.headers["Cache-Control"] = IMMUTABLE
    return response


@blueprint.get("/api/v1/releases")
@operation("Releases", record({"rows": listing(RELEASE)}))
def releases() -> Response:
    """Return every release with its sizes, its checksum and the addresses of its files."""
    no_parameters()
    rows = [
        {
            **each.to_dict(),
            "url": page_url(each, external=True),
            "files": {name: file_url(each, name, external=True) for name in each.files},
        }
        for each in shelf().releases()
    ]
    return reply({"rows": rows})


def _find(dataset: str, model: str, version: str) -> tuple[Release, list[Release]]:
    """Return a release and all versions beside it; ``NotFound`` lists those there are."""
    key = release_key(dataset, model, version)
    versions = [
        each
        for each in shelf().releases()
        if (each.key.dataset, each.key.model) == (dataset, model)
    ]
    for each in versions:
        if each.key == key:
            return each, versions
    listed = ", ".join(each.key.version for each in versions) or "none"
    raise NotFound(
        f"There is no release {version!r:.50} of {model!r:.100} on {dataset!r:.100}; there are: "
        f"{listed}. The page /data lists all."
    )


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    sha256: str
    content: bytes | None
    release: Release

    def open(self) -> BinaryIO:
        if self.content is not None:
            return io.BytesIO(self.content)
        return shelf().open(self.release.key, self.name)


def _file(found: Release, name: str) -> _File:
    """Return size and hash of a file: as ``release.json`` states them, of itself as it is."""
    try:
        if name in (DETAILS, CHECKSUMS):
            content = shelf().read(found.key, name)
            return _File(name, len(content), hashlib.sha256(content).hexdigest(), content, found)
        stated = shelf().read_json(found.key, DETAILS)["files"]
    except FileNotFoundError:
        raise _lost(name) from None
    for facts in stated:
        if facts["name"] == name:
            return _File(name, facts["bytes"], facts["sha256"], None, found)
    raise NotFound(f"Release {found.key.version} has no file {name!r}.")


def _lost(name: str) -> NotFound:
    return NotFound(f"{name} is not in the media store any more. Whoever runs this site: export.")


def _stream(sent: _File, etag: str) -> Response:
    """Return a response that reads the file piece by piece, from where a range starts."""
    try:
        handle = sent.open()
    except FileNotFoundError:
        raise _lost(sent.name) from None
    kind = _TYPES.get(sent.name.rpartition(".")[2], "text/plain; charset=utf-8")
    if sent.name == CROISSANT:
        kind = "application/ld+json"
    response = Response(FileWrapper(handle, _PIECE), content_type=kind, direct_passthrough=True)
    response.call_on_close(handle.close)
    response.content_length = sent.size
    response.headers.set("Content-Disposition", "attachment", filename=sent.name)
    response.set_etag(etag)
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=sent.size)
    except RequestedRangeNotSatisfiable:
        handle.close()
        raise
    return response
