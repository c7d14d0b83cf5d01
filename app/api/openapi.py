"""The OpenAPI 3.1 document of the site, generated from its routes and the query grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from sqlalchemy.orm import Session

from app.api.contract import (
    INTEGER,
    PARTS,
    TEXT,
    Operation,
    Part,
    Schema,
    listing,
    record,
    words,
)
from app.api.grammar import grammar_parameters
from app.explorer.catalogue import Catalogue
from app.version import VERSION
from app.viewer.queries import fetch_example

PREFIX: Final = "/api/"
PAGE: Final = "/api/docs"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

ERROR: Final = record(
    {
        "error": record(
            {
                "status": INTEGER,
                "code": words(TEXT, "A short name, such as `bad_query`"),
                "message": words(TEXT, "What was wrong, what was expected, what to do"),
                "parameter": words(TEXT, "The parameter at fault"),
                "value": words(TEXT, "Its value, where that is at fault"),
                "allowed": words(listing(TEXT), "What could have stood there"),
            },
            optional=("parameter", "value", "allowed"),
        )
    },
    title="Error",
)
ERRORS: Final = {
    400: ("BadQuery", "Something in the request is unknown or not allowed; the message names it."),
    404: ("NotFound", "There is no such pair, model, dataset or evaluation."),
    503: ("Unavailable", "The query took too long, or the database cannot be read right now."),
}


@dataclass(frozen=True)
class Sample:
    """What the examples name: things that the site holds, or those of the demo."""

    pair: int = 30001
    model: str = "demo"
    dataset: str = "demo"

    def fill(self, text: str) -> str:
        """Put the names into an example."""
        return text.format(pair=self.pair, model=self.model, dataset=self.dataset)


@dataclass(frozen=True)
class Route:
    """An address of the API, how it is asked, and what its view declares."""

    path: str
    method: str
    endpoint: str
    summary: str
    about: str
    operation: Operation
    parts: dict[str, Part]

    @property
    def template(self) -> str:
        """The path with ``{name}`` for its parts."""
        return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", self.path)

    def example_path(self, sample: Sample) -> str:
        """Return the path with the parts of the example filled in."""
        return self.template.format(
            **{name: sample.fill(part.example) for name, part in self.parts.items()}
        )

    def example(self, sample: Sample) -> str:
        """Return path and query of a request that works on a site which holds the sample."""
        query = sample.fill(self.operation.example)
        return f"{self.example_path(sample)}?{query}" if query else self.example_path(sample)


class UndeclaredError(LookupError):
    """A view of the API that does not say what it takes or answers."""


def fetch_sample(session: Session, catalogue: Catalogue) -> Sample:
    """Return an explained pair with its model and dataset, or what comes first."""
    found = fetch_example(session)
    if found is not None:
        pair, model = found
        return Sample(pair.id, model, pair.dataset.name)
    defaults = Sample()
    models = catalogue.models_of(catalogue.datasets[:1]) or catalogue.models
    return Sample(
        model=models[0].name if models else defaults.model,
        dataset=catalogue.datasets[0].name if catalogue.datasets else defaults.dataset,
    )


def routes_of(app: Flask) -> list[Route]:
    """Return every address of the API; ``UndeclaredError`` names a view that declares nothing."""
    return sorted(_routes(app), key=lambda route: (route.path, METHODS.index(route.method)))


def _routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(PREFIX) or rule.rule == PAGE:
            continue
        view = app.view_functions[rule.endpoint]
        declared: Operation | None = getattr(view, "operation", None)
        if declared is None:
            raise UndeclaredError(
                f"{rule.rule} ({rule.endpoint}) does not say what it answers: put @operation(...) "
                "of app/api/contract.py below its route."
            )
        known = {**PARTS, **declared.parts}
        unknown = sorted(rule.arguments - set(known))
        if unknown:
            raise UndeclaredError(f"{rule.rule}: describe {unknown[0]!r} with parts={{...}}.")
        summary, _, about = (view.__doc__ or "").replace("``", "`").partition("\n")
        for method in sorted((rule.methods or set()) & set(METHODS)):
            yield Route(
                path=rule.rule,
                method=method,
                endpoint=rule.endpoint,
                summary=summary.strip(),
                about=" ".join(about.split()),
                operation=declared,
                parts={
                    name: known[name] for name in re.findall(r"<(?:[^<>:]+:)?([^<>]+)>", rule.rule)
                },
            )


def describe_api(app: Flask, catalogue: Catalogue, sample: Sample) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; its examples name what ``sample`` names."""
    schemas: dict[str, Schema] = {}
    routes = routes_of(app)
    paths: dict[str, Any] = {}
    for route in routes:
        described = _operation(route, sample, schemas)
        paths.setdefault(route.template, {})[route.method.lower()] = described
    error = _hoist(ERROR, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "XFV, eXplainable Face Verification",
            "version": VERSION,
            "summary": "Distances, confidences and explanation maps of face verification models.",
            "description": "The explorer, its JSON and its CSV answer the same query string.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(r.operation.group for r in routes)],
        "paths": paths,
        "components": {
            "parameters": grammar_parameters(catalogue),
            "responses": {
                name: {
                    "description": text,
                    "content": {"application/json": {"schema": error}},
                    **({"headers": RETRY_AFTER} if status == 503 else {}),
                }
                for status, (name, text) in ERRORS.items()
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait before asking again", "schema": INTEGER}
}


def _operation(route: Route, sample: Sample, schemas: dict[str, Schema]) -> dict[str, Any]:
    declared = route.operation
    parameters: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": part.words,
            "schema": part.schema,
            "example": _typed(sample.fill(part.example), part.schema),
        }
        for name, part in route.parts.items()
    ]
    parameters += [
        {"name": name, "in": "query", "description": part.words, "schema": part.schema}
        for name, part in declared.query.items()
    ]
    if declared.grammar:
        names = grammar_parameters(Catalogue((), (), frozenset()))
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in names]
    described: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{route.endpoint.replace('.', '_')}",
        "tags": [declared.group],
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            str(declared.status): {
                "description": route.summary,
                "content": {declared.media_type: {"schema": _hoist(declared.answers, schemas)}},
            },
            **{
                str(status): {"$ref": f"#/components/responses/{name}"}
                for status, (name, _) in ERRORS.items()
                if status != 404 or route.parts
            },
        },
        "x-example": route.example(sample),
    }
    if route.about:
        described["description"] = route.about
    if declared.takes is not None and route.method != "GET":
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _hoist(declared.takes, schemas)}},
        }
    return described


def _typed(text: str, schema: Schema) -> str | int:
    return int(text) if schema.get("type") == "integer" and text.isdigit() else text


def _hoist(schema: Any, schemas: dict[str, Schema]) -> Any:
    """Move every schema with a title to the components; the same title must mean the same."""
    if isinstance(schema, list):
        return [_hoist(each, schemas) for each in schema]
    if not isinstance(schema, dict):
        return schema
    hoisted = {name: _hoist(each, schemas) for name, each in schema.items()}
    title = hoisted.get("title")
    if not isinstance(title, str):  # a field may be called title
        return hoisted
    if schemas.setdefault(title, hoisted) != hoisted:
        raise ValueError(f"Two different schemas are called {title!r}.")
    return {"$ref": f"#/components/schemas/{title}"}
