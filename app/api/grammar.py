"""The query grammar as OpenAPI parameters: every column with every operator, typed."""

from __future__ import annotations

import re
from typing import Any, Final

from app.api.contract import INTEGER, NUMBER, TEXT, Schema
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import (
    LARGEST_INTEGER,
    LONGEST_TEXT,
    MODEL_COLUMNS,
    PAIR_COLUMNS,
    Column,
    Kind,
)
from app.explorer.filters import DEFAULT_SIZE, MOST_SORT_KEYS, MOST_VALUES, PAGES, SIZES
from app.explorer.operators import OPERATORS, Operator
from app.explorer.query_string import LONGEST_VALUE, MOST_PARAMETERS

FILTERS: Final = "filters"
SINGLE_SCHEMAS: Final[dict[str, tuple[Schema, str]]] = {
    "agree": ({**INTEGER, "enum": [0, 1]}, "Whether the chosen models agree on the prediction"),
    "size": (
        {**INTEGER, "minimum": SIZES[0], "maximum": SIZES[-1], "default": DEFAULT_SIZE},
        "Rows a page",
    ),
    "after": (TEXT, "Opaque place in the list, from the link to the next page"),
    "before": (TEXT, "Opaque place in the list, from the link to the previous page"),
    "page": (
        {**INTEGER, "minimum": PAGES[0], "maximum": PAGES[-1]},
        "Number of the page; beyond the last, follow the links",
    ),
    "count": ({**TEXT, "enum": ["all"]}, "Count beyond 10,000"),
    "columns": (TEXT, "Columns of the table and the CSV, separated by comma"),
}
"""Parameters that may stand once (``sort`` apart, which depends on the models)."""
ITEMS: Final = {
    Kind.INTEGER: "-?[0-9]{1,9}",
    Kind.NUMBER: r"-?[0-9]{1,9}(\.[0-9]{1,9})?",
    Kind.FLAG: "[01]",
    Kind.LABEL: "(genuine|impostor)",
    Kind.TEXT: f"[^,\\x00]{{1,{LONGEST_TEXT}}}",
}
"""Patterns of one of the values that ``in`` separates by commas."""


def grammar_parameters(catalogue: Catalogue) -> dict[str, Schema]:
    """Return the parameter objects of the grammar by name, with the site's own names in them."""
    columns = [*PAIR_COLUMNS, *(f"{m.name}.{c}" for m in catalogue.models for c in MODEL_COLUMNS)]
    found = {
        "dataset": _repeated("dataset", catalogue.datasets, "Datasets; all by default"),
        "model": _repeated(
            "model", catalogue.models, "Models, in the order of the columns; all by default"
        ),
        FILTERS: {
            "name": FILTERS,
            "in": "query",
            "style": "form",
            "explode": True,
            "description": "Filters, each a parameter of its own: `column__operator=value`; "
            "`column=value` means `exact`. All must hold. `in` separates values by commas.",
            "schema": {
                "type": "object",
                "properties": filter_schemas(catalogue),
                "additionalProperties": False,
                # dataset, model and the single ones stand beside them
                "maxProperties": MOST_PARAMETERS // 2,
            },
        },
        "sort": {
            "name": "sort",
            "in": "query",
            "style": "form",
            "explode": False,
            "description": "Up to three columns, a minus for descending; missing values come last",
            "schema": {
                "type": "array",
                "items": {"enum": [f"{sign}{name}" for name in columns for sign in ("", "-")]},
                "minItems": 1,
                "maxItems": MOST_SORT_KEYS,
                "uniqueItems": True,
            },
        },
    }
    for name, (schema, text) in SINGLE_SCHEMAS.items():
        found[name] = {"name": name, "in": "query", "description": text, "schema": schema}
    return found


def filter_schemas(catalogue: Catalogue) -> dict[str, Schema]:
    """Return what each ``column__operator`` takes, for the pairs and for every model."""
    found: dict[str, Schema] = {}
    for column in PAIR_COLUMNS.values():
        found |= _of_column(column, column.name, catalogue)
    for model in catalogue.models:
        for column in MODEL_COLUMNS.values():
            found |= _of_column(column, f"{model.name}.{column.name}", catalogue)
    return found


def _of_column(column: Column, name: str, catalogue: Catalogue) -> dict[str, Schema]:
    found = {}
    for operator in OPERATORS.values():
        if column.kind not in operator.kinds:
            continue
        schema = _value(column.kind, operator, catalogue)
        found[f"{name}__{operator.name}"] = schema
        # A plain `dataset=` chooses datasets: it is a parameter of its own.
        if operator.name == "exact" and column.kind is not Kind.DATASET:
            found[name] = schema
    return found


def _value(kind: Kind, operator: Operator, catalogue: Catalogue) -> Schema:
    kind = operator.reads or kind
    if operator.many:
        names = "|".join(re.escape(each.name) for each in catalogue.datasets)
        item = f"({names})" if kind is Kind.DATASET else ITEMS[kind]
        pattern = f"^{item}(,{item}){{0,{MOST_VALUES - 1}}}$"
        return {**TEXT, "pattern": pattern, "maxLength": LONGEST_VALUE}
    if kind is Kind.DATASET:
        return _names(catalogue.datasets)
    return VALUES[kind]


VALUES: Final[dict[Kind, Schema]] = {
    Kind.INTEGER: {**INTEGER, "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
    Kind.NUMBER: NUMBER,
    Kind.FLAG: {**INTEGER, "enum": [0, 1]},
    Kind.TEXT: {**TEXT, "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": "^[^\\x00]*$"},
    Kind.LABEL: {**TEXT, "enum": ["genuine", "impostor"]},
}


def _names(known: tuple[Named, ...]) -> Schema:
    names: list[Any] = [each.name for each in known]
    return {**TEXT, "enum": names} if names else TEXT


def _repeated(name: str, known: tuple[Named, ...], text: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "style": "form",
        "explode": True,
        "description": text,
        "schema": {"type": "array", "items": _names(known), "uniqueItems": True},
    }
