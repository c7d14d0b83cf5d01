"""Where the rows of a query come from: tables, joins and conditions of its statements.

Each model that a condition or a sort key names is joined once. Where every matching pair must have
a result of a model, the join is an inner one and the result may lead: a page sorted by confidence
is then read off an index of the results, and the pairs' table is not even opened.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    false,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from app.explorer.columns import ColumnRef, Kind
from app.explorer.filters import ExplorerQuery, Filter
from app.models import Pair, Result


class Segment(Enum):
    """A part of a sorted list: rows where the first sort key is missing come after the others."""

    ALL = "all"
    PRESENT = "present"
    MISSING = "missing"


class Source:
    """The joined tables of one statement and the conditions on them.

    Parameters
    ----------
    query
        What was asked.
    sort
        Whether the statement sorts; a count does not, and needs fewer tables.
    segment
        Which part of the list the statement reads.
    """

    def __init__(
        self, query: ExplorerQuery, *, sort: bool = True, segment: Segment = Segment.ALL
    ) -> None:
        self._query = query
        self._segment = segment
        self._keys = query.order if sort else ()
        self.first = query.order[0].ref
        refs = [item.ref for item in query.filters if item.ref.column.kind is not Kind.DATASET]
        refs += [key.ref for key in self._keys]
        if segment is not Segment.ALL:
            refs.append(self.first)
        models = {ref.model.id for ref in refs if ref.model}
        if query.agree is not None:
            models |= {model.id for model in query.models}
        self._results: dict[int, type[Result]] = {
            model: aliased(Result, name=f"result_{model}") for model in sorted(models)
        }
        self._present = self._models_present()
        self._leader = self._choose_leader()
        pair_columns = any(ref.model is None and ref.column.name != "id" for ref in refs)
        self._with_pair = self._leader is None or pair_columns

    @property
    def id(self) -> ColumnElement[int]:
        """The pair id, of the table that leads."""
        column: Any = Pair.id if self._leader is None else self._results[self._leader].pair_id
        return column  # type: ignore[no-any-return]

    def column(self, ref: ColumnRef) -> ColumnElement[Any]:
        """Return the column that ``ref`` names; a dataset is its rank among all names."""
        if ref.column.name == "id":
            return self.id
        if ref.column.kind is Kind.DATASET:
            ranks = {d.id: rank for rank, d in enumerate(self._query.known_datasets)}
            return case(ranks, value=Pair.dataset_id, else_=len(ranks))
        owner: Any = self._results[ref.model.id] if ref.model else Pair
        return getattr(owner, ref.column.name)  # type: ignore[no-any-return]

    def is_nullable(self, ref: ColumnRef) -> bool:
        """Return whether ``ref`` may be missing in a row of this source."""
        if not ref.column.nullable:
            return False
        if ref.model:
            return ref.model.id not in self._present
        if self._segment is Segment.PRESENT and ref == self.first:
            return False
        return not any(item.ref == ref and not item.wants_missing for item in self._query.filters)

    def is_always_missing(self, ref: ColumnRef) -> bool:
        """Return whether ``ref`` is missing in every row: the rest behind a list's last value."""
        if self._segment is not Segment.MISSING:
            return False
        return ref == self.first or (ref.model is not None and ref.model == self.first.model)

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Return a statement over this source: joined and filtered, neither sorted nor limited."""
        leader = self._leader
        if leader is None:
            statement = select(*columns).select_from(Pair)
        else:
            statement = select(*columns).select_from(self._results[leader])
            if self._with_pair:
                statement = statement.join(Pair, Pair.id == self.id)
        for model, result in self._results.items():
            if model != leader:
                on = and_(result.pair_id == self.id, result.model_id == model)
                statement = statement.join(result, on, isouter=model not in self._present)
        return statement.where(*self._conditions())

    def _models_present(self) -> frozenset[int]:
        """Return the models of which every matching pair has a result."""
        query = self._query
        present = {
            item.ref.model.id for item in query.filters if item.ref.model and not item.wants_missing
        }
        if query.agree is not None:
            present |= {model.id for model in query.models}
        if self._segment is Segment.PRESENT and self.first.model:
            present.add(self.first.model.id)
        return frozenset(present)

    def _choose_leader(self) -> int | None:
        """Return the model whose results lead: that of the first sort key, else any present."""
        first = self.first.model
        if first and first.id in self._present and first.id in self._results:
            return first.id
        return min(self._present, default=None)

    def _conditions(self) -> list[ColumnElement[bool]]:
        query = self._query
        conditions = [
            self._condition(item)
            for item in query.filters
            if item.ref.column.kind is not Kind.DATASET
        ]
        conditions += self._scope()
        if self._leader is not None:
            conditions.append(self._results[self._leader].model_id == self._leader)
        if query.agree is not None:
            conditions.append(self._agreement(agree=query.agree))
        if self._segment is Segment.MISSING:
            conditions.append(self.column(self.first).is_(None))
        elif self._segment is Segment.PRESENT and self.first.model is None:
            conditions.append(self.column(self.first).is_not(None))
        return conditions

    def _condition(self, item: Filter) -> ColumnElement[bool]:
        return item.operator.sql(self.column(item.ref), bound(item, self.column(item.ref)))

    def _scope(self) -> list[ColumnElement[bool]]:
        """Return the choice of datasets, on the leading results too: their indexes hold it."""
        if self._query.scope is None:
            return []
        keys = [dataset.id for dataset in self._query.scope]
        owners: list[Any] = [Pair] if self._with_pair else []
        if self._leader is not None:
            owners.append(self._results[self._leader])
        if not keys:
            return [false()]
        if len(keys) == 1:
            return [owner.dataset_id == keys[0] for owner in owners]
        return [owner.dataset_id.in_(keys) for owner in owners]

    def _agreement(self, *, agree: bool) -> ColumnElement[bool]:
        predictions = [self._results[model.id].prediction for model in self._query.models]
        if not predictions:
            return false()
        head, rest = predictions[0], predictions[1:]
        if agree:
            return and_(true(), *(head == other for other in rest))
        return or_(false(), *(head != other for other in rest))


def bound(item: Filter, column: ColumnElement[Any]) -> Any:
    """Return the value of a filter as the operators take it: bound, never part of the SQL."""
    if item.operator.many or item.operator.reads is not None:
        return item.value
    return literal(item.value, column.type)
