"""What a query asks for: conditions, order and place in the list, and its parameters in a URL.

`app.explorer.parsing` reads it from a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from app.explorer.catalogue import Named
from app.explorer.columns import PAIR_COLUMNS, READERS, ColumnRef, Kind, Value
from app.explorer.cursor import Cursor, encode_cursor
from app.explorer.operators import OPERATORS, Operator
from app.explorer.query_string import Params, query_text

DEFAULT_SIZE: Final = 50
SIZES: Final = range(10, 201)
PAGES: Final = range(1, 201)
MOST_SORT_KEYS: Final = 3
MOST_VALUES: Final = 500
MOST_JOINED: Final = 16
MOST_COLUMNS: Final = 100

ID: Final = ColumnRef(PAIR_COLUMNS["id"])

# Of several bounds of one operator, the one that implies the others.
TIGHTER: Final[dict[str, Callable[..., Any]]] = {"gt": max, "gte": max, "lt": min, "lte": min}


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

    @cached_property
    def encoded(self) -> str:
        """The condition as it stands in a URL."""
        return query_text([(self.parameter, self.text)])


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
        filters = [(item.parameter, item.text) for item in self.filters]
        return [*self.params_before_filters(), *filters, *self.params_after_filters(count=count)]

    def params_before_filters(self) -> Params:
        """Return datasets and models."""
        params: Params = [("dataset", dataset.name) for dataset in self.datasets]
        return params + [("model", model.name) for model in self.chosen_models]

    def params_after_filters(self, *, count: bool = True) -> Params:
        """Return agreement, order, columns and place."""
        params: Params = []
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
        """Return the query with further conditions, at its start."""
        return replace(self.place(), filters=narrowed(self.filters, more))

    def with_agreement(self, agree: bool) -> ExplorerQuery:  # noqa: FBT001
        """Return the pairs on which the shown models agree, or do not, at their start."""
        return replace(self.place(), agree=agree)

    def without_agreement(self) -> ExplorerQuery:
        """Return the query without ``agree``, at its start."""
        return replace(self.place(), agree=None)

    def sorted_by(self, *keys: SortKey) -> ExplorerQuery:
        """Return the query under another order, at its start."""
        return replace(self.place(), sort=keys)


def narrowed(filters: Sequence[Filter], more: Sequence[Filter]) -> tuple[Filter, ...]:
    """Return ``filters`` and ``more``.

    A bound replaces a looser one of the same operator, so that links do not pile them up: the
    matching pairs are those of both in any case.
    """
    found = list(filters)
    for new in more:
        rivals = [f for f in found if (f.ref, f.operator) == (new.ref, new.operator)]
        tighter = TIGHTER.get(new.operator.name)
        if tighter is not None and rivals:
            kept = tighter([*rivals, new], key=lambda item: item.value)
            found = [kept if f is rivals[0] else f for f in found if f not in rivals[1:]]
        elif new not in found:
            found.append(new)
    return tuple(found)


@lru_cache(maxsize=2048)  # the bars of a page's histograms are those of the next page's
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
