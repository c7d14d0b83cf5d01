"""The operators of the grammar: for each one its condition and its words, side by side.

A missing value (a pair without a result of the model, an image of unknown quality) meets no
condition but ``isnull=1``. Text is compared by code point; ``contains`` and ``startswith`` take
``%`` and ``_`` as themselves and do not tell A to Z from a to z.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.explorer.columns import Kind

Test: TypeAlias = Callable[[Any, Any], bool]

EVERY: Final = frozenset(Kind)
SORTABLE: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.TEXT, Kind.DATASET})
WRITTEN: Final = frozenset({Kind.TEXT, Kind.DATASET})


@dataclass(frozen=True)
class Operator:
    """One operator.

    ``test`` is the condition on one value; ``selection`` holds the same for whole columns.
    ``words`` go between the column and the value. ``many`` takes several values, ``reads``
    overrides what kind of value is read.
    """

    name: str
    words: str
    kinds: frozenset[Kind]
    test: Test
    many: bool = False
    reads: Kind | None = None


def _fold(text: str) -> str:
    """Lower-case A to Z and nothing else, as both databases do."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def _is_in(value: Any, options: Sequence[Any]) -> bool:
    return value in options


OPERATORS: Final = {
    op.name: op
    for op in (
        Operator("exact", "is", EVERY, operator.eq),
        Operator("not", "is not", EVERY, operator.ne),
        Operator(
            "contains",
            "contains",
            WRITTEN,
            lambda value, text: _fold(text) in _fold(value),
            reads=Kind.TEXT,
        ),
        Operator(
            "startswith",
            "starts with",
            WRITTEN,
            lambda value, text: _fold(value).startswith(_fold(text)),
            reads=Kind.TEXT,
        ),
        Operator("in", "is one of", EVERY, _is_in, many=True),
        Operator("gt", "above", SORTABLE, operator.gt),
        Operator("gte", "at least", SORTABLE, operator.ge),
        Operator("lt", "below", SORTABLE, operator.lt),
        Operator("lte", "at most", SORTABLE, operator.le),
        Operator(
            "isnull",
            "missing",
            EVERY,
            lambda value, missing: (value is None) == missing,
            reads=Kind.FLAG,
        ),
    )
}
