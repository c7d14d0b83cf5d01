"""The columns that a query looks at, as arrays over all pairs of its datasets.

One statement for the pairs' packed columns, one for the results'; where some are not packed, one
each for their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlalchemy.orm import Session

from app.database import BINARY
from app.explorer.columns import PAIR_COLUMNS, ColumnRef, Kind
from app.explorer.filters import ExplorerQuery
from app.explorer.held import HELD, Place
from app.explorer.packing import (
    KINDS,
    Array,
    Flags,
    Numbers,
    Text,
    UnfitError,
    joined,
    result_arrays,
    to_array,
    to_numbers,
    unpack,
)
from app.models import Pair, PairColumn, Result, ResultColumn

DATASET: Final = ColumnRef(PAIR_COLUMNS["dataset"])
ID: Final = ColumnRef(PAIR_COLUMNS["id"])


class Arrays:
    """Some columns of all pairs of a query's datasets, in one order.

    Parameters
    ----------
    refs
        The columns to read; the id and the dataset are always there.
    once
        More columns, each of which is looked at once: they are put together of their datasets'
        parts for that moment, as those of all models at once would be fifty megabytes.
    """

    def __init__(
        self,
        session: Session,
        query: ExplorerQuery,
        refs: Iterable[ColumnRef] = (),
        once: Iterable[ColumnRef] = (),
    ) -> None:
        kept = {ID, *refs}
        wanted = {*kept, *once}
        scope = query.known_datasets if query.scope is None else query.scope
        datasets = [dataset.id for dataset in scope]
        names = sorted({ref.column.name for ref in wanted - {DATASET} if ref.model is None})
        pairs = _load_pairs(session, datasets, names)
        ids = {dataset: to_numbers(columns["id"]) for dataset, columns in pairs.items()}
        models = {(ref.model.id, ref.column.name) for ref in wanted if ref.model}
        results = _load_results(session, ids, models)

        self._kept = kept
        self._parts: dict[tuple[int | None, str], list[Array]] = {
            (None, name): [pairs[dataset][name] for dataset in datasets] for name in names
        }
        for key in models:
            self._parts[key] = [results[dataset, *key] for dataset in datasets]
        ranks = {dataset.id: rank for rank, dataset in enumerate(query.known_datasets)}
        self._parts[None, "dataset"] = [
            np.full(len(ids[dataset]), ranks[dataset], np.float64) for dataset in datasets
        ]

    def __getitem__(self, ref: ColumnRef) -> Array:
        """Return a column; that of datasets holds ranks among the names of all datasets."""
        name = ref.column.name
        parts = self._parts[ref.model.id if ref.model else None, name]
        if not parts:
            return to_array(KINDS.get(name, Kind.INTEGER), [])
        array = joined(parts)
        if ref in self._kept:
            parts[:] = [array]
        return array

    def numbers(self, ref: ColumnRef) -> Numbers:
        """Return a column of numbers, flags or datasets."""
        return to_numbers(self[ref])

    def flags(self, ref: ColumnRef) -> Flags:
        """Return a column of flags."""
        array = self[ref]
        if isinstance(array, Text) or array.dtype != np.int8:
            raise TypeError(f"{ref.name} is no column of flags")
        flags: Flags = array.astype(np.int8, copy=False)
        return flags

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts[None, "id"])


def fetch_results(
    session: Session,
    dataset: int,
    model: int,
    *,
    columns: Iterable[str],
    pair_columns: Iterable[str] = (),
) -> dict[str, NDArray[np.float64]]:
    """Return columns of all results of an evaluation, and of their pairs, by name.

    Parameters
    ----------
    dataset, model
        Their keys.
    columns, pair_columns
        Names of numbers and flags.

    Returns
    -------
    (results,) float64 each, in the order of the pairs' ids; flags are 0 and 1.
    """
    pairs = _load_pairs(session, [dataset], sorted({"id", *pair_columns}))[dataset]
    wanted = {(model, name) for name in (*columns, "distance")}
    results = _load_results(session, {dataset: to_numbers(pairs["id"])}, wanted)
    found = {name: to_numbers(pairs[name]) for name in pair_columns}
    found |= {name: to_numbers(results[dataset, model, name]) for name in columns}
    there = ~np.isnan(to_numbers(results[dataset, model, "distance"]))
    return {name: numbers[there].astype(np.float64) for name, numbers in found.items()}


def _load_pairs(
    session: Session, datasets: Sequence[int], names: Sequence[str]
) -> dict[int, dict[str, Array]]:
    if not datasets:
        return {}
    held = HELD.find((dataset, None, name) for dataset in datasets for name in names)
    statement = (
        select(PairColumn.dataset_id, PairColumn.name, *_unless(held, PairColumn))
        .where(PairColumn.dataset_id.in_(datasets), PairColumn.name.in_(names))
        .execution_options(**BINARY)
    )
    packed: dict[int, dict[str, Array]] = {dataset: {} for dataset in datasets}
    for dataset, name, sha256, data in session.execute(statement):
        with suppress(UnfitError):
            packed[dataset][name] = _unpacked((dataset, None, name), sha256, data, held)
    loaded = {
        dataset: columns
        for dataset, columns in packed.items()
        if set(columns) == set(names) and len({len(column) for column in columns.values()}) == 1
    }
    missing = [dataset for dataset in datasets if dataset not in loaded]
    return loaded | _read_pairs(session, missing, names)


def _read_pairs(
    session: Session, datasets: Sequence[int], names: Sequence[str]
) -> dict[int, dict[str, Array]]:
    if not datasets:
        return {}
    rows = session.execute(
        select(Pair.dataset_id, *(getattr(Pair, name) for name in names))
        .where(Pair.dataset_id.in_(datasets))
        .order_by(Pair.dataset_id, Pair.id)
    )
    values: dict[int, list[Any]] = {dataset: [()] * len(names) for dataset in datasets}
    for dataset, group in groupby(rows, key=lambda row: row[0]):
        _, *values[dataset] = zip(*group, strict=True)
    return {
        dataset: {
            name: to_array(KINDS[name], column) for name, column in zip(names, columns, strict=True)
        }
        for dataset, columns in values.items()
    }


def _load_results(
    session: Session, ids: dict[int, Numbers], models: set[tuple[int, str]]
) -> dict[tuple[int, int, str], Array]:
    """Return by dataset, model and name; NaN all over where a model never saw a dataset."""
    if not ids or not models:
        return {}
    of_models = [
        and_(
            ResultColumn.model_id == model,
            ResultColumn.name.in_(sorted(name for other, name in models if other == model)),
        )
        for model in sorted({model for model, _ in models})
    ]
    held = HELD.find((dataset, model, name) for dataset in ids for model, name in models)
    statement = (
        select(
            ResultColumn.dataset_id,
            ResultColumn.model_id,
            ResultColumn.name,
            *_unless(held, ResultColumn),
        )
        .where(ResultColumn.dataset_id.in_(ids), or_(*of_models))
        .execution_options(**BINARY)
    )
    loaded: dict[tuple[int, int, str], Array] = {}
    for dataset, model, name, sha256, data in session.execute(statement):
        place = dataset, model, name
        with suppress(UnfitError):
            array = _unpacked(place, sha256, data, held)
            if len(array) == len(ids[dataset]):
                loaded[place] = array
    missing = {
        (dataset, model)
        for dataset in ids
        for model, name in models
        if (dataset, model, name) not in loaded
    }
    names = sorted({name for _, name in models})
    return loaded | _read_results(session, ids, missing, names)


def _read_results(
    session: Session,
    ids: dict[int, Numbers],
    evaluations: set[tuple[int, int]],
    names: Sequence[str],
) -> dict[tuple[int, int, str], Array]:
    if not evaluations:
        return {}
    chosen = [
        and_(Result.dataset_id == dataset, Result.model_id == model)
        for dataset, model in sorted(evaluations)
    ]
    columns = [getattr(Result, name) for name in names]
    rows = session.execute(
        select(Result.dataset_id, Result.model_id, Result.pair_id, *columns)
        .where(or_(*chosen))
        .order_by(Result.dataset_id, Result.model_id)
    )
    found: dict[tuple[int, int], list[Any]] = {
        evaluation: [()] * (1 + len(names)) for evaluation in evaluations
    }
    for evaluation, group in groupby(rows, key=lambda row: (row[0], row[1])):
        _, _, *found[evaluation] = zip(*group, strict=True)
    return {
        (dataset, model, name): array
        for (dataset, model), (pair_ids, *values) in found.items()
        for name, array in result_arrays(
            ids[dataset], pair_ids, dict(zip(names, values, strict=True))
        ).items()
    }


def _unless(
    held: dict[str, Array], table: type[PairColumn] | type[ResultColumn]
) -> tuple[ColumnElement[str | None], ColumnElement[bytes | None]]:
    """Return what to select of a packed column: its hash, and its bytes unless they are held."""
    data = case((table.sha256.in_(list(held)), None), else_=table.data)
    return table.sha256.expression, data


def _unpacked(
    place: Place, sha256: str | None, data: bytes | None, held: dict[str, Array]
) -> Array:
    """Return a packed column from its bytes, or as it is held where none were sent."""
    if data is None:
        return held[str(sha256)]
    array = unpack(KINDS[place[2]], data)
    HELD.keep(place, sha256, data, array)
    return array
