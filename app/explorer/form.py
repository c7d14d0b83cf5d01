"""The forms of the explorer: what stands in their fields, and what they carry along unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, Column
from app.explorer.filters import MOST_SORT_KEYS, ExplorerQuery
from app.explorer.layout import model_columns
from app.explorer.query_string import Params, query_text
from app.explorer.search import SORT_FIELDS

# The parameters that have a field of their own in the form; all others ride along hidden.
PAIR_FIELDS: Final = (
    "genuine",
    "fold",
    "identity1__contains",
    "identity2__contains",
    "quality_min__gte",
    "quality_min__lte",
)
MODEL_FIELDS: Final = (
    "prediction",
    "correct",
    "explained",
    "confidence__gte",
    "confidence__lte",
    "distance__gte",
    "distance__lte",
)
PAGE_SIZES: Final = (25, 50, 100, 200)


@dataclass(frozen=True)
class SortField:
    """One of the fields "sort by", "then by": its names in the form and what it says now."""

    by: str
    way: str
    label: str
    column: str
    descending: bool


@dataclass(frozen=True)
class Form:
    """The filter form."""

    values: dict[str, str]
    hidden: Params
    datasets: tuple[tuple[Named, bool], ...]
    models: tuple[tuple[Named, bool], ...]
    sorts: tuple[SortField, ...]
    sort_choices: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Groups of columns to sort by: a heading, and name and words of each column."""
    sizes: tuple[tuple[str, str], ...]
    of_pair: int
    """Conditions among the fields of the pair."""
    of_models: int
    """Conditions among those of the models: with one, they are shown from the start."""
    conditions: int
    """All that narrow the list, with or without a field."""


@dataclass(frozen=True)
class ColumnChooser:
    """The form that chooses columns."""

    query: str
    """The query string without columns: the form carries it along, and a link goes back to it."""
    pair: tuple[tuple[Column, bool], ...]
    model: tuple[tuple[Column, bool], ...]
    is_chosen: bool
    """Whether the query names columns; else the usual ones are ticked."""


def filter_form(query: ExplorerQuery, catalogue: Catalogue) -> Form:
    """Return the filter form as it stands for ``query``."""
    fields = set(PAIR_FIELDS)
    fields |= {f"{model.name}.{name}" for model in query.models for name in MODEL_FIELDS}
    values: dict[str, str] = {}
    hidden: Params = []
    for item in query.filters:
        if item.parameter in fields and item.parameter not in values:
            values[item.parameter] = item.text
        else:
            hidden.append((item.parameter, item.text))
    if query.columns:
        hidden.append(("columns", ",".join(ref.name for ref in query.columns)))
    if query.agree is not None:
        values["agree"] = str(int(query.agree))
    chosen = query.chosen_models
    others = [model for model in catalogue.models if model not in chosen]
    return Form(
        values=values,
        hidden=hidden,
        datasets=tuple((dataset, dataset in query.datasets) for dataset in catalogue.datasets),
        models=(*((m, True) for m in chosen), *((m, False) for m in others)),
        sorts=_sort_fields(query),
        sort_choices=_sort_choices(query),
        sizes=tuple((str(size), str(size)) for size in sorted({*PAGE_SIZES, query.size})),
        of_pair=sum(name in values for name in (*PAIR_FIELDS, "agree")),
        of_models=sum("." in name for name in values),
        conditions=len(query.filters) + (query.agree is not None) + bool(query.datasets),
    )


def column_chooser(query: ExplorerQuery, pair_names: tuple[str, ...]) -> ColumnChooser:
    """Return the form for the columns; ``pair_names`` are those of pairs that the table shows."""
    usual = replace(query.place(), columns=()).params()
    shown = {name for model in query.models for name in model_columns(query, model)}
    return ColumnChooser(
        query=query_text(usual),
        pair=tuple((c, c.name in pair_names) for c in PAIR_COLUMNS.values() if c.name != "id"),
        model=tuple((column, column.name in shown) for column in MODEL_COLUMNS.values()),
        is_chosen=bool(query.columns),
    )


def _sort_fields(query: ExplorerQuery) -> tuple[SortField, ...]:
    """Return the fields of the keys there are, and one more."""
    found = []
    for number, (by, way) in enumerate(SORT_FIELDS[: min(len(query.sort) + 1, MOST_SORT_KEYS)]):
        key = query.sort[number] if number < len(query.sort) else None
        found.append(
            SortField(
                by=by,
                way=way,
                label="then by" if number else "Sort by",
                column=key.ref.name if key else "",
                descending=bool(key and key.descending),
            )
        )
    return tuple(found)


def _sort_choices(query: ExplorerQuery) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return every column of the pairs and of the shown models, and those sorted by already."""
    groups = [("Pair", tuple((c.name, c.words) for c in PAIR_COLUMNS.values()))]
    sorted_by = [key.ref.model for key in query.sort if key.ref.model]
    for model in dict.fromkeys([*query.models, *sorted_by]):
        columns = MODEL_COLUMNS.values()
        groups.append((model.name, tuple((f"{model.name}.{c.name}", c.words) for c in columns)))
    return tuple(groups)
