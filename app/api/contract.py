"""What an address of the API takes and answers, declared beside the view that answers it.

A view says so with ``@operation(...)``; ``app/api/openapi.py`` reads it off the routes. A record
lists exactly its fields: one that is forgotten, or declared and never sent, fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import NoneType
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

from sqlalchemy import inspect

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema (draft 2020-12, as OpenAPI 3.1 takes it)."""
View = TypeVar("View", bound=Callable[..., Any])

INTEGER: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
URL: Final[Schema] = {"type": "string", "format": "uri"}
OBJECT: Final[Schema] = {"type": "object"}
TYPES: Final[dict[type, Schema]] = {
    int: INTEGER,
    float: NUMBER,
    str: TEXT,
    bool: FLAG,
    object: OBJECT,  # what SQLAlchemy calls a column of JSON
    datetime: {"type": "string", "format": "date-time"},
}


def words(schema: Schema, description: str) -> Schema:
    """Return a schema with a description."""
    return {**schema, "description": description}


def maybe(schema: Schema) -> Schema:
    """Return a schema that takes null as well."""
    if set(schema) <= {"type", "description", "format"}:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def listing(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    """Return the schema of an object with any names, such as those of models."""
    return {"type": "object", "additionalProperties": values}


def record(
    properties: Mapping[str, Schema], *, title: str = "", optional: Iterable[str] = ()
) -> Schema:
    """Return the schema of an object with exactly these fields.

    One with a ``title`` becomes a component of the document and is referred to by it.
    """
    left_out = set(optional)
    schema: Schema = {"title": title} if title else {}
    return {
        **schema,
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


def fields_of(
    source: type, names: Iterable[str], described: Mapping[str, str] | None = None
) -> dict[str, Schema]:
    """Return the schemas of some fields of a dataclass, from their annotations."""
    hints = get_type_hints(source)
    return {name: _described(name, _of_type(hints[name]), described) for name in names}


def columns_of(
    table: type, names: Iterable[str], described: Mapping[str, str] | None = None
) -> dict[str, Schema]:
    """Return the schemas of some columns of a table, from the table itself."""
    columns: Any = inspect(table).columns
    found = {}
    for name in names:
        schema = TYPES[columns[name].type.python_type]
        found[name] = _described(
            name, maybe(schema) if columns[name].nullable else schema, described
        )
    return found


def _of_type(hint: Any) -> Schema:
    options = [option for option in get_args(hint) if option is not NoneType]
    return maybe(TYPES[options[0]]) if options else TYPES[hint]


def _described(name: str, schema: Schema, described: Mapping[str, str] | None) -> Schema:
    text = (described or {}).get(name)
    return words(schema, text) if text else schema


@dataclass(frozen=True)
class Part:
    """A part of the path, or a parameter of the query.

    ``example`` may name what the site holds: ``{pair}``, ``{model}``, ``{dataset}``.
    """

    schema: Schema
    words: str
    example: str = ""


PARTS: Final = {
    "pair_id": Part({**INTEGER, "minimum": 1, "maximum": 2**31 - 1}, "Id of the pair", "{pair}"),
    "model": Part(TEXT, "Name of the model", "{model}"),
    "dataset": Part(TEXT, "Name of the dataset", "{dataset}"),
}
"""Parts of paths that mean the same in every route."""


@dataclass(frozen=True)
class Operation:
    """What one view of the API takes and answers.

    Attributes
    ----------
    group
        Heading under which the page lists it.
    answers
        Schema of the JSON body; of another media type, what it is.
    media_type
        Of the body of a good answer.
    query
        Parameters by name.
    grammar
        Whether it takes the query grammar of the explorer besides.
    parts
        Parts of the path that are not in ``PARTS``, by name.
    takes
        Schema of the JSON body of the request; None where there is none.
    status
        Of a good answer.
    example
        Query string of the example; may name ``{pair}``, ``{model}``, ``{dataset}``.
    """

    group: str
    answers: Schema
    media_type: str = "application/json"
    query: Mapping[str, Part] = field(default_factory=dict)
    grammar: bool = False
    parts: Mapping[str, Part] = field(default_factory=dict)
    takes: Schema | None = None
    status: int = 200
    example: str = ""


def operation(group: str, answers: Schema, **more: Any) -> Callable[[View], View]:
    """Declare what a view takes and answers (the fields of ``Operation``); the view stays as it is.

    >>> @blueprint.get("/models")
    ... @operation("Models", record({"rows": listing(MODEL_ROW)}))
    ... def models() -> Response: ...
    """

    def declare(view: View) -> View:
        view.operation = Operation(group, answers, **more)  # type: ignore[attr-defined]
        return view

    return declare
