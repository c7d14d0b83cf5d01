"""Pictures of the media store under URLs that name their content."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, request

from app.caching import IMMUTABLE
from app.media import KEY, MediaKeyError, MediaStore

blueprint = Blueprint("media", __name__)


def media_store() -> MediaStore:
    """Return the media store of the running site."""
    store: MediaStore = current_app.extensions["media_store"]
    return store


@blueprint.get("/media/<path:key>")
def picture(key: str) -> Response:
    """Send one picture; its name is its hash, so it may be kept for ever."""
    if not KEY.fullmatch(key):
        abort(404)
    digest = key.rsplit("/", 1)[1].removesuffix(".png")
    if request.if_none_match.contains(digest):
        response = Response(status=304)
    else:
        try:
            response = Response(media_store().read(key), mimetype="image/png")
        except MediaKeyError:
            abort(404)
    response.set_etag(digest)
    response.headers["Cache-Control"] = IMMUTABLE
    return response
