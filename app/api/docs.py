"""The API explains itself: its OpenAPI document, and a page to read and try it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import Blueprint, Response, current_app, render_template, request

from app.api.contract import OBJECT, Part, operation
from app.api.grammar import SINGLE_SCHEMAS
from app.api.openapi import ERRORS, PREFIX, Route, Sample, describe_api, fetch_sample, routes_of
from app.api.replies import no_parameters, reply
from app.explorer.catalogue import load_catalogue
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS
from app.explorer.operators import OPERATORS
from app.extensions import db

blueprint = Blueprint("docs", __name__, url_prefix="/api")


@dataclass(frozen=True)
class Field:
    """An input of the form that tries an address; ``name`` is empty for a part of the path."""

    label: str
    name: str
    value: str
    part: str = ""


@dataclass(frozen=True)
class Shown:
    """One address as the page shows it.

    Attributes
    ----------
    example
        Path and query of a request that works on this site.
    curl, python
        The same request as programs make it.
    fields
        Inputs of the form, filled with the example.
    answer_lines
        The fields of a good answer, in words: name, type, meaning.
    """

    route: Route
    anchor: str
    path: str
    example: str
    curl: str
    python: str
    fields: tuple[Field, ...]
    answer_lines: tuple[tuple[str, str, str], ...]

    @property
    def can_be_tried(self) -> bool:
        """Whether a plain link asks it."""
        return self.route.method == "GET"

    @property
    def query(self) -> dict[str, Part]:
        """Parameters of the query besides the grammar."""
        return dict(self.route.operation.query)


@blueprint.get("/openapi.json")
@operation("About", {**OBJECT, "description": "An OpenAPI 3.1 document"})
def document() -> Response:
    """Return this description, for programs: OpenAPI 3.1, generated from the code."""
    no_parameters()
    session = db.session()
    catalogue = load_catalogue(session)
    return reply(describe_api(current_app, catalogue, fetch_sample(session, catalogue)))


@blueprint.get("/docs")
def page() -> str:
    """Describe the query grammar and every address of the API, to read and to try."""
    no_parameters()
    session = db.session()
    sample = fetch_sample(session, load_catalogue(session))
    shown = [_shown(route, sample) for route in routes_of(current_app)]
    groups: dict[str, list[Shown]] = {}
    for each in shown:
        groups.setdefault(each.route.operation.group, []).append(each)
    return render_template(
        "pages/api.html",
        groups=groups,
        sample=sample,
        errors=ERRORS,
        single={name: (_type(schema), text) for name, (schema, text) in SINGLE_SCHEMAS.items()},
        pair_columns=PAIR_COLUMNS.values(),
        model_columns=MODEL_COLUMNS.values(),
        operators=OPERATORS.values(),
    )


@blueprint.after_app_request
def add_service_link(response: Response) -> Response:
    """Let every answer of the API say where it is described (RFC 8631)."""
    if request.path.startswith(PREFIX):
        response.headers.add("Link", '</api/openapi.json>; rel="service-desc"')
    return response


def _shown(route: Route, sample: Sample) -> Shown:
    example = route.example(sample)
    address = request.url_root.rstrip("/") + example
    query = parse_qsl(sample.fill(route.operation.example))
    fields = [
        Field(name, "", sample.fill(part.example), part=name) for name, part in route.parts.items()
    ]
    fields += [Field(name, name, value) for name, value in query]
    return Shown(
        route=route,
        anchor=f"{route.method}-{route.endpoint}".lower().replace(".", "-"),
        path=route.example_path(sample),
        example=example,
        curl=_curl(route, address),
        python=_python(route, address),
        fields=tuple(fields),
        answer_lines=tuple(_lines(route.operation.answers)),
    )


def _curl(route: Route, address: str) -> str:
    if route.method != "GET":
        return f"curl -X {route.method} -H 'Content-Type: application/json' -d '{{}}' '{address}'"
    keep = "" if route.operation.media_type == "application/json" else " -OJ"
    return f"curl{keep} '{address}'"


def _python(route: Route, address: str) -> str:
    if route.method != "GET":
        return ""
    reader = READERS.get(route.operation.media_type, READERS["application/json"])
    return reader.format(address=address)


READERS: Final = {
    "application/json": (
        "import json, urllib.request\n\n"
        'with urllib.request.urlopen("{address}") as answer:\n    found = json.load(answer)'
    ),
    "application/x-ndjson": (
        "import json, urllib.request\n\n"
        'with urllib.request.urlopen("{address}") as answer:\n'
        "    found = [json.loads(line) for line in answer]"
    ),
    "text/csv": 'import pandas\n\nfound = pandas.read_csv("{address}")',
    "application/octet-stream": (
        "import urllib.request\nimport numpy\n\n"
        'with urllib.request.urlopen("{address}") as answer:\n'
        '    found = numpy.frombuffer(answer.read(), "<i2").reshape(5, -1)'
    ),
}
"""How Python reads an answer, by media type."""


def _lines(schema: dict[str, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, str, str]]:
    """Return the fields of a schema one by one, nested ones with their path."""
    lines = []
    for name, each in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        lines.append((path, _type(each), each.get("description", "")))
        inner, mark = _inner(each)
        if inner and depth < 3:
            lines += _lines(inner, f"{path}{mark}.", depth + 1)
    return lines


def _inner(schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    if "properties" in schema:
        return schema, ""
    if isinstance(schema.get("items"), dict):
        inner, mark = _inner(schema["items"])
        return inner, f"[]{mark}"
    if isinstance(schema.get("additionalProperties"), dict):
        inner, mark = _inner(schema["additionalProperties"])
        return inner, f".NAME{mark}"
    for option in schema.get("anyOf", ()):
        inner, mark = _inner(option)
        if inner:
            return inner, mark
    return None, ""


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']:,} to {schema['maximum']:,}"
    return str(kind)
