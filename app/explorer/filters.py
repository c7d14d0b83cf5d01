"""The query grammar: from a URL to an `ExplorerQuery`, and back.

The same query string asks the explorer, the JSON and the CSV. Nothing is guessed: whatever the
grammar does not know is a `BadQuery` which names it and lists what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import (
    MODEL_COLUMNS,
    PAIR_COLUMNS,
    READERS,
    ColumnRef,
    Kind,
    Value,
    find,
    parse_column,
    parse_value,
    shown,
)
from app.explorer.cursor import Cursor, CursorError, decode_cursor, encode_cursor
from app.explorer.operators import OPERATORS, Operator

DEFAULT_SIZE: Final = 50
SIZES: Final = range(10, 201)
PAGES: Final = range(1, 201)
MOST_SORT_KEYS: Final = 3
MOST_PARAMETERS: Final = 100
MOST_VALUES: Final = 500
MOST_JOINED: Final = 16
MOST_COLUMNS: Final = 100
LONGEST_QUERY: Final = 8000
LONGEST_VALUE: Final = 4096

SINGLE: Final = ("agree", "sort", "columns", "size", "after", "before", "page", "count")
REPEATED: Final = ("dataset", "model")
ID: Final = ColumnRef(PAIR_COLUMNS["id"])
TYPES: Final[dict[Kind, type]] = {
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.FLAG: bool,
    Kind.TEXT: str,
    Kind.LABEL: bool,
    Kind.DATASET: str,
}

# Of several bounds of one operator, the one that implies the others.
TIGHTER: Final[dict[str, Callable[..., Any]]] = {"gt": max, "gte": max, "lt": min, "lte": min}

Params = list[tuple[str, str]]
T = TypeVar("T")


@dataclass(frozen=True)
class Filter:
    """One condition: a column, an operator, and the value as written and as read."""

    ref: ColumnRef
    operator: Operator
    text: str
    value: Value | tuple[Value, ...]

    @property
    def parameter(self) -> str:
        """The name of the URL parameter."""
        # A plain `dataset=` chooses datasets and may repeat; as a filter it keeps its operator.
        if self.operator.name == "exact" and self.ref.column.kind is not Kind.DATASET:
            return self.ref.name
        return f"{self.ref.name}__{self.operator.name}"


@dataclass(frozen=True)
class SortKey:
    """A column to sort by, missing values last in both directions."""

    ref: ColumnRef
    descending: bool = False

    @property
    def text(self) -> str:
        """The key as in the URL."""
        return f"-{self.ref.name}" if self.descending else self.ref.name


@dataclass(frozen=True)
class ExplorerQuery:
    """What a URL asks for: which pairs, which models beside them, in which order, from where."""

    datasets: tuple[Named, ...] = ()
    """Those named by ``dataset=``; none means all."""
    chosen_models: tuple[Named, ...] = ()
    """Those named by ``model=``."""
    models: tuple[Named, ...] = ()
    """Column groups: those chosen, or all evaluated on the datasets."""
    filters: tuple[Filter, ...] = ()
    agree: bool | None = None
    sort: tuple[SortKey, ...] = ()
    columns: tuple[ColumnRef, ...] = ()
    """What the table and the CSV hold, in this order; none means the usual. A column of models
    without a model (``distance``) stands for that column of every shown model."""
    size: int = DEFAULT_SIZE
    count_all: bool = False
    page: int | None = None
    after: Cursor | None = None
    before: Cursor | None = None
    known_datasets: tuple[Named, ...] = field(default=(), repr=False, compare=False)
    """All datasets of the site, in the order of their names."""

    @cached_property
    def order(self) -> tuple[SortKey, ...]:
        """The sort keys with the id as the last: no two rows are equal under it."""
        if any(key.ref == ID for key in self.sort):
            return self.sort
        return (*self.sort, SortKey(ID, bool(self.sort) and self.sort[-1].descending))

    @cached_property
    def scope(self) -> tuple[Named, ...] | None:
        """The datasets that can hold matching pairs; None where the query does not say.

        Datasets are few and known by name, so conditions on them are met here, and the database
        sees keys only.
        """
        conditions = [item for item in self.filters if item.ref.column.kind is Kind.DATASET]
        if not self.datasets and not conditions:
            return None
        return tuple(
            dataset
            for dataset in self.datasets or self.known_datasets
            if all(item.operator.test(dataset.name, item.value) for item in conditions)
        )

    @cached_property
    def joined(self) -> frozenset[Named]:
        """The models whose results decide which rows come, and in which order."""
        refs = [item.ref for item in self.filters] + [key.ref for key in self.sort]
        models = {ref.model for ref in refs if ref.model}
        return frozenset(models.union(self.models if self.agree is not None else ()))

    @cached_property
    def binding(self) -> str:
        """The canonical text of everything that decides which rows come in which order."""
        bare = replace(self.place(), size=DEFAULT_SIZE, columns=())
        return urlencode(bare.params(count=False))

    def params(self, *, count: bool = True) -> Params:
        """Return the URL parameters of this query, in a canonical order."""
        params: Params = [("dataset", dataset.name) for dataset in self.datasets]
        params += [("model", model.name) for model in self.chosen_models]
        params += [(item.parameter, item.text) for item in self.filters]
        if self.agree is not None:
            params.append(("agree", str(int(self.agree))))
        if self.sort:
            params.append(("sort", ",".join(key.text for key in self.sort)))
        if self.columns:
            params.append(("columns", ",".join(ref.name for ref in self.columns)))
        if self.size != DEFAULT_SIZE:
            params.append(("size", str(self.size)))
        if self.count_all and count:
            params.append(("count", "all"))
        if self.page is not None:
            params.append(("page", str(self.page)))
        for name, cursor in (("after", self.after), ("before", self.before)):
            if cursor is not None:
                params.append((name, encode_cursor(cursor, self.binding)))
        return params

    def place(
        self,
        *,
        after: Cursor | None = None,
        before: Cursor | None = None,
        page: int | None = None,
    ) -> ExplorerQuery:
        """Return the same query at another place of its list (at the start by default)."""
        return replace(self, after=after, before=before, page=page)

    def with_size(self, size: int) -> ExplorerQuery:
        """Return the same query with ``size`` rows a page."""
        return replace(self, size=size)

    def with_models(self, *models: Named) -> ExplorerQuery:
        """Return the query beside other models, at its start; conditions stay."""
        return replace(self.place(), chosen_models=models, models=models, columns=())

    def without_filter(self, gone: Filter) -> ExplorerQuery:
        """Return the query without one filter, at its start."""
        return replace(self.place(), filters=tuple(f for f in self.filters if f != gone))

    def with_filters(self, *more: Filter) -> ExplorerQuery:
        """Return the query with further conditions, at its start.

        A bound replaces a looser one of the same operator, so that links do not pile them up: the
        matching pairs are those of both in any case.
        """
        filters = list(self.filters)
        for new in more:
            rivals = [f for f in filters if (f.ref, f.operator) == (new.ref, new.operator)]
            tighter = TIGHTER.get(new.operator.name)
            if tighter is not None and rivals:
                kept = tighter([*rivals, new], key=lambda item: item.value)
                filters = [kept if f is rivals[0] else f for f in filters if f not in rivals[1:]]
            elif new not in filters:
                filters.append(new)
        return replace(self.place(), filters=tuple(filters))

    def with_agreement(self, agree: bool) -> ExplorerQuery:  # noqa: FBT001
        """Return the pairs on which the shown models agree, or do not, at their start."""
        return replace(self.place(), agree=agree)

    def without_agreement(self) -> ExplorerQuery:
        """Return the query without ``agree``, at its start."""
        return replace(self.place(), agree=None)

    def sorted_by(self, *keys: SortKey) -> ExplorerQuery:
        """Return the query under another order, at its start."""
        return replace(self.place(), sort=keys)


def read_query_string(raw: bytes) -> Params:
    """Split a query string; bytes that are not UTF-8 and NUL are refused, never replaced."""
    if len(raw) > LONGEST_QUERY:
        raise BadQuery(f"The query has {len(raw)} bytes; at most {LONGEST_QUERY} are read.")
    try:
        params = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadQuery("The query is not text in UTF-8.") from None
    if len(params) > MOST_PARAMETERS:
        raise BadQuery(f"The query has {len(params)} parameters; at most {MOST_PARAMETERS}.")
    for name, value in params:
        if "\0" in name or "\0" in value:
            raise BadQuery(f"Parameter {shown(name)} holds a NUL byte.", parameter=name)
        if len(value) > LONGEST_VALUE:
            raise BadQuery(
                f"The value of {shown(name)} has {len(value)} characters; at most {LONGEST_VALUE}.",
                parameter=name,
            )
    return params


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


def _parse_filter(name: str, text: str, catalogue: Catalogue) -> Filter:
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

    def read(part: str) -> Value:
        return parse_value(op.reads or kind, part, catalogue, parameter=name)

    if not op.many:
        return Filter(ref, op, text, read(text))
    parts = text.split(",")
    if len(parts) > MOST_VALUES:
        raise BadQuery(f"{name} lists {len(parts)} values; at most {MOST_VALUES}.", parameter=name)
    return Filter(ref, op, text, tuple(dict.fromkeys(read(part) for part in parts)))


def make_filter(ref: ColumnRef, operator: str, text: str) -> Filter:
    """Return the condition that the parameter ``ref__operator=text`` means; for links of pages.

    Raises
    ------
    ValueError
        Where ``text`` is no value of the column.
    """
    op = OPERATORS[operator]
    kind = op.reads or ref.column.kind
    values = [READERS[kind](part) for part in (text.split(",") if op.many else [text])]
    if any(value is None for value in values):
        raise ValueError(f"{ref.name}__{operator}={text}: expected {kind.value}")
    known = tuple(value for value in values if value is not None)
    return Filter(ref, op, text, known if op.many else known[0])


def query_text(params: Params) -> str:
    """Write URL parameters; what reads well unescaped stays readable."""
    return urlencode(params, safe=",:")
