"""How the API answers: JSON in the order it was built, links that work from anywhere."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request, url_for
from werkzeug.datastructures import MultiDict

from app.errors import BadQuery
from app.explorer.columns import shown
from app.explorer.query_string import Params, query_text, read_query_string


def reply(body: Any) -> Response:
    """Return ``body`` as JSON: keys in their own order (models stand as they were asked for)."""
    return Response(json_line(body), mimetype="application/json")


def json_line(body: Any) -> bytes:
    """Return ``body`` as JSON on one line, with its end, in UTF-8."""
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def absolute(endpoint: str, params: Params | None = None, **parts: Any) -> str:
    """Return the absolute URL of an endpoint with query parameters, which may repeat."""
    url = url_for(endpoint, _external=True, **parts)
    return f"{url}?{query_text(params)}" if params else url


def query_params() -> Params:
    """Return the parameters of the request's query string, read strictly."""
    return read_query_string(request.query_string)


def query_args() -> MultiDict[str, str]:
    """Return the same by name, for those who look single ones up."""
    return MultiDict(query_params())


def no_parameters() -> None:
    """Refuse every parameter, where an address takes none."""
    for name, _value in query_params():
        raise BadQuery(f"Unknown parameter {shown(name)}: there are none here.", parameter=name)
