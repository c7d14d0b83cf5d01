"""The operators of the grammar: for each one its condition in SQL and its words, side by side.

A missing value (a pair without a result of the model, an image of unknown quality) meets no
condition but ``isnull=1``. Text is compared by code point; ``contains`` and ``startswith`` take
``%`` and ``_`` as themselves and do not tell A to Z from a to z.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement

from app.explorer.columns import Kind

Condition: TypeAlias = Callable[[ColumnElement[Any], Any], ColumnElement[bool]]
Test: TypeAlias = Callable[[Any, Any], bool]

EVERY: Final = frozenset(Kind)
SORTABLE: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.TEXT, Kind.DATASET})
WRITTEN: Final = frozenset({Kind.TEXT, Kind.DATASET})


@dataclass(frozen=True)
class Operator:
    """One operator.

    ``sql`` makes the condition on a column, ``test`` the same one on a value at hand (datasets are
    few and known: they are chosen before the database is asked). ``words`` go between the column
    and the value. ``many`` takes several values, ``reads`` overrides what kind of value is read.
    """

    name: str
    words: str
    kinds: frozenset[Kind]
    sql: Condition
    test: Test
    many: bool = False
    reads: Kind | None = None


def _is_null(column: ColumnElement[Any], missing: bool) -> ColumnElement[bool]:  # noqa: FBT001
    return column.is_(None) if missing else column.is_not(None)


def _fold(text: str) -> str:
    """Lower-case A to Z and nothing else, as both databases do."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def _is_in(value: Any, options: Sequence[Any]) -> bool:
    return value in options


OPERATORS: Final = {
    op.name: op
    for op in (
        Operator("exact", "is", EVERY, operator.eq, operator.eq),
        Operator("not", "is not", EVERY, operator.ne, operator.ne),
        Operator(
            "contains",
            "contains",
            WRITTEN,
            lambda column, text: column.icontains(text, autoescape=True),
            lambda value, text: _fold(text) in _fold(value),
            reads=Kind.TEXT,
        ),
        Operator(
            "startswith",
            "starts with",
            WRITTEN,
            lambda column, text: column.istartswith(text, autoescape=True),
            lambda value, text: _fold(value).startswith(_fold(text)),
            reads=Kind.TEXT,
        ),
        Operator(
            "in", "is one of", EVERY, lambda column, values: column.in_(values), _is_in, many=True
        ),
        Operator("gt", "above", SORTABLE, operator.gt, operator.gt),
        Operator("gte", "at least", SORTABLE, operator.ge, operator.ge),
        Operator("lt", "below", SORTABLE, operator.lt, operator.lt),
        Operator("lte", "at most", SORTABLE, operator.le, operator.le),
        Operator(
            "isnull",
            "missing",
            EVERY,
            _is_null,
            lambda value, missing: (value is None) == missing,
            reads=Kind.FLAG,
        ),
    )
}
