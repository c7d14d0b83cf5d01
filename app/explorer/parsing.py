"""The query grammar: from the parameters of a URL to an `ExplorerQuery`.

The same query string asks the explorer, the JSON and the CSV. Nothing is guessed: whatever the
grammar does not know is a `BadQuery` which names it and lists what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import (
    MODEL_COLUMNS,
    PAIR_COLUMNS,
    ColumnRef,
    Kind,
    Value,
    find,
    parse_column,
    parse_value,
    shown,
)
from app.explorer.cursor import Cursor, CursorError, decode_cursor
from app.explorer.filters import (
    DEFAULT_SIZE,
    MOST_COLUMNS,
    MOST_JOINED,
    MOST_SORT_KEYS,
    MOST_VALUES,
    PAGES,
    SIZES,
    ExplorerQuery,
    Filter,
    SortKey,
)
from app.explorer.operators import OPERATORS, Operator
from app.explorer.query_string import read_query_string

SINGLE: Final = ("agree", "sort", "columns", "size", "after", "before", "page", "count")
REPEATED: Final = ("dataset", "model")
TYPES: Final[dict[Kind, type]] = {
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.FLAG: bool,
    Kind.TEXT: str,
    Kind.LABEL: bool,
    Kind.DATASET: str,
}

T = TypeVar("T")


def parse_query(params: Iterable[tuple[str, str]], catalogue: Catalogue) -> ExplorerQuery:
    """Read a query; `BadQuery` where the grammar does not allow it."""
    chosen: dict[str, list[str]] = {name: [] for name in (*REPEATED, *SINGLE)}
    filters: dict[Filter, None] = {}
    for name, text in params:
        if name in chosen:
            chosen[name].append(text)
        else:
            filters[_parse_filter(name, text, catalogue)] = None
    datasets = _named(chosen["dataset"], catalogue.datasets, "dataset")
    models = _named(chosen["model"], catalogue.models, "model")

    def one(name: str, read: Callable[[str], T], otherwise: T) -> T:
        return _single(name, chosen[name], read, otherwise)

    query = ExplorerQuery(
        datasets=datasets,
        chosen_models=models,
        models=models or catalogue.models_of(datasets),
        filters=tuple(filters),
        agree=one("agree", _choice("agree", {"0": False, "1": True}), None),
        sort=one("sort", lambda text: _parse_sort(text, catalogue), ()),
        columns=one("columns", lambda text: _parse_columns(text, catalogue), ()),
        size=one("size", _whole("size", SIZES), DEFAULT_SIZE),
        count_all=one("count", _choice("count", {"all": True}), False),  # noqa: FBT003
        known_datasets=catalogue.datasets,
    )
    if len(query.joined) > MOST_JOINED:
        raise BadQuery(
            f"The query compares {len(query.joined)} models; at most {MOST_JOINED}. "
            "Choose them with model=."
        )
    for ref in query.columns:
        # Where no model is chosen, one that is not shown has no result on these datasets anyway.
        if models and ref.model and ref.model not in models:
            raise BadQuery(
                f"columns names {ref.name}, but model= does not choose {ref.model.name}.",
                parameter="columns",
                allowed=[model.name for model in models],
            )
    places = [name for name in ("after", "before", "page") if chosen[name]]
    if len(places) > 1:
        raise BadQuery(
            f"{' and '.join(places)} name two places in the list; choose one.",
            parameter=places[1],
        )
    return query.place(
        after=one("after", _cursor("after", query), None),
        before=one("before", _cursor("before", query), None),
        page=one("page", _whole("page", PAGES), None),
    )


def parse_results(text: str, catalogue: Catalogue, *, hint: str = "") -> ExplorerQuery:
    """Read the list that a parameter ``results`` carries along: the query string of its page."""
    try:
        return parse_query(read_query_string(text.encode()), catalogue)
    except BadQuery as error:
        raise BadQuery(
            f"The list that 'results' names cannot be read: {error.message}{hint}",
            parameter="results",
        ) from error


def _single(name: str, texts: Sequence[str], read: Callable[[str], T], otherwise: T) -> T:
    if len(texts) > 1:
        raise BadQuery(f"{name} stands {len(texts)} times; it may stand once.", parameter=name)
    return read(texts[0]) if texts else otherwise


def _named(texts: Sequence[str], known: tuple[Named, ...], what: str) -> tuple[Named, ...]:
    found = [find(text, known, what=what, parameter=what) for text in texts]
    return tuple(dict.fromkeys(found))


def _choice(name: str, values: dict[str, bool]) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text not in values:
            raise BadQuery(
                f"{name}={shown(text)} is not known.",
                parameter=name,
                value=text,
                allowed=list(values),
            )
        return values[text]

    return read


def _whole(name: str, allowed: range) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) not in allowed:
            beyond = " Beyond it, follow the links to the next page." if name == "page" else ""
            raise BadQuery(
                f"{name}={shown(text)} is not a whole number from {allowed[0]} to {allowed[-1]}."
                + beyond,
                parameter=name,
                value=text,
            )
        return int(text)

    return read


def _cursor(name: str, query: ExplorerQuery) -> Callable[[str], Cursor]:
    def read(text: str) -> Cursor:
        types = [(TYPES[key.ref.column.kind], key.ref.column.nullable) for key in query.order]
        try:
            return decode_cursor(text, query.binding, types)
        except CursorError as error:
            raise BadQuery(
                f"This {name} cursor cannot be used: {error}. Cursors come from the `next` and "
                "`previous` links of the same query.",
                parameter=name,
            ) from None

    return read


def _parse_sort(text: str, catalogue: Catalogue) -> tuple[SortKey, ...]:
    parts = text.split(",")
    if len(parts) > MOST_SORT_KEYS:
        raise BadQuery(
            f"sort has {len(parts)} keys; at most {MOST_SORT_KEYS}.", parameter="sort", value=text
        )
    keys = [
        SortKey(
            parse_column(part.removeprefix("-"), catalogue, parameter="sort"), part.startswith("-")
        )
        for part in parts
    ]
    for place, key in enumerate(keys):
        if any(key.ref == earlier.ref for earlier in keys[:place]):
            raise BadQuery(f"sort names {key.ref.name} twice.", parameter="sort", value=text)
    return tuple(keys)


def _parse_columns(text: str, catalogue: Catalogue) -> tuple[ColumnRef, ...]:
    names = text.split(",")
    if len(names) > MOST_COLUMNS:
        raise BadQuery(
            f"columns lists {len(names)} columns; at most {MOST_COLUMNS}.", parameter="columns"
        )
    refs = []
    for name in names:
        if name in MODEL_COLUMNS:
            refs.append(ColumnRef(MODEL_COLUMNS[name]))
        else:
            refs.append(parse_column(name, catalogue, parameter="columns"))
    for place, ref in enumerate(refs):
        if ref in refs[:place]:
            raise BadQuery(f"columns names {ref.name} twice.", parameter="columns", value=text)
    return tuple(refs)


def parse_condition(name: str, catalogue: Catalogue) -> tuple[ColumnRef, Operator]:
    """Return the column and the operator that the name of a parameter means."""
    column, separator, operator_name = name.rpartition("__")
    if not separator:
        column, operator_name = name, "exact"
    if operator_name not in OPERATORS:
        raise BadQuery(
            f"Unknown operator {shown(operator_name)} in {shown(name)}.",
            parameter=name,
            allowed=OPERATORS,
        )
    if not separator and "." not in name and name not in PAIR_COLUMNS:
        raise BadQuery(
            f"Unknown parameter {shown(name)}.",
            parameter=name,
            allowed=[*REPEATED, *SINGLE, *PAIR_COLUMNS, "MODEL.COLUMN", "COLUMN__OPERATOR"],
        )
    ref = parse_column(column, catalogue, parameter=name)
    op = OPERATORS[operator_name]
    kind = ref.column.kind
    if kind not in op.kinds:
        raise BadQuery(
            f"Operator {op.name} does not fit {ref.name}, which is {kind.value}.",
            parameter=name,
            allowed=[other.name for other in OPERATORS.values() if kind in other.kinds],
        )
    return ref, op


def _parse_filter(name: str, text: str, catalogue: Catalogue) -> Filter:
    ref, op = parse_condition(name, catalogue)

    def read(part: str) -> Value:
        return parse_value(op.reads or ref.column.kind, part, catalogue, parameter=name)

    if not op.many:
        return Filter(ref, op, text, read(text))
    parts = text.split(",")
    if len(parts) > MOST_VALUES:
        raise BadQuery(f"{name} lists {len(parts)} values; at most {MOST_VALUES}.", parameter=name)
    return Filter(ref, op, text, tuple(dict.fromkeys(read(part) for part in parts)))
