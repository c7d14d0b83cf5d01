"""Which columns the table and the CSV hold: those that the query names, or the usual ones."""

from __future__ import annotations

from typing import Final

from app.explorer.catalogue import Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef
from app.explorer.filters import ExplorerQuery

USUAL_PAIR: Final = ("id", "dataset", "genuine", "fold", "identity1", "identity2", "quality_min")
USUAL_MODEL: Final = ("distance", "confidence", "prediction", "correct", "explained")
NARROW_MODEL: Final = ("confidence", "prediction", "correct")
NARROWEST_MODEL: Final = ("confidence", "correct")
MOST_WIDE: Final = 3
MOST_NARROW: Final = 5
"""Up to `MOST_WIDE` models show all usual columns, up to this many `NARROW_MODEL`, more of them
`NARROWEST_MODEL`; a query that names columns shows those."""
STACKS: Final = (("identity1", "identity2"), ("image1", "image2"), ("quality1", "quality2"))
"""Columns of the two images, which share one column of the table, one above the other."""


def pair_columns(query: ExplorerQuery) -> tuple[str, ...]:
    """Return the pair columns of the table; the id, which leads to the pair, is always one."""
    if not query.columns:
        return USUAL_PAIR
    chosen = [ref.name for ref in query.columns if ref.name in PAIR_COLUMNS]
    return tuple(dict.fromkeys(["id", *chosen]))


def model_columns(query: ExplorerQuery, model: Named) -> tuple[str, ...]:
    """Return the columns that the table shows of ``model``, without its name."""
    if not query.columns:
        count = len(query.models)
        if count > MOST_NARROW:
            return NARROWEST_MODEL
        return USUAL_MODEL if count <= MOST_WIDE else NARROW_MODEL
    chosen = [ref for ref in query.columns if ref.column.name in MODEL_COLUMNS]
    return tuple(dict.fromkeys(ref.column.name for ref in chosen if ref.model in (None, model)))


def stacked(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the pair columns as they stand side by side in the table."""
    found: dict[tuple[str, ...], None] = {}
    for name in names:
        stack = next((stack for stack in STACKS if name in stack), (name,))
        found[tuple(each for each in stack if each in names)] = None
    return tuple(found)


def table_columns(query: ExplorerQuery) -> tuple[ColumnRef, ...]:
    """Return the columns of the CSV; without a choice all there are, models in their order."""
    if query.columns:
        refs = [
            each
            for ref in query.columns
            for each in (
                [ColumnRef(ref.column, model) for model in query.models]
                if ref.name in MODEL_COLUMNS
                else [ref]
            )
        ]
    else:
        refs = [ColumnRef(column) for column in PAIR_COLUMNS.values()]
        refs += [ColumnRef(c, model) for model in query.models for c in MODEL_COLUMNS.values()]
    return tuple(dict.fromkeys(refs))
