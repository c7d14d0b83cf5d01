"""What the pairs of a query look like together: counts by every facet, histograms, confusion.

The pairs are those of the list, its columns the same arrays. They are counted in cells that hold
everything the page shows, so that its numbers cannot disagree: one sort of cells for the pairs, one
per model, one for two models against each other. What is not counted within `SECONDS` is named in
`Summary.unfinished`, never guessed.

Bins are told apart by comparing with the very edges that the links filter by. So the count beside a
link is the count behind it, whatever floating point makes of a division.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import OutOfTimeError, is_late, limit_statements
from app.explorer.arrays import DATASET
from app.explorer.catalogue import Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef
from app.explorer.filters import ExplorerQuery
from app.explorer.packing import Numbers
from app.explorer.selection import Selection
from app.models import Pair

SECONDS: Final = 1.0
"""Time of a summary; one statement alone is stopped after it too."""
GENUINE: Final = ColumnRef(PAIR_COLUMNS["genuine"])
FOLD: Final = ColumnRef(PAIR_COLUMNS["fold"])
QUALITY: Final = ColumnRef(PAIR_COLUMNS["quality_min"])
# Two statements in one: each end is read off the index, not off all rows.
QUALITY_ENDS: Final = select(
    select(func.min(Pair.quality_min)).scalar_subquery(),
    select(func.max(Pair.quality_min)).scalar_subquery(),
)
DISTANCE_EDGES: Final = tuple(round(n * 0.05, 2) for n in range(41))
CONFIDENCE_EDGES: Final = tuple(round(0.5 + n * 0.025, 3) for n in range(21))


class PairCell(NamedTuple):
    """Pairs that share dataset, label, fold and quality band."""

    dataset_id: int
    genuine: bool
    fold: int
    band: int | None
    """Index of the quality band, None where the quality is missing."""
    pairs: int


class ModelCell(NamedTuple):
    """Pairs that share what one model says of them; the bins are indices of the edges' gaps."""

    prediction: bool
    correct: bool
    explained: bool
    distance: int
    confidence: int
    thresholds: float
    """Sum of the thresholds."""
    pairs: int

    @property
    def genuine(self) -> bool:
        """The label: a right prediction is the label."""
        return self.prediction == self.correct


class JointCell(NamedTuple):
    """Pairs that share what two models say of them."""

    first: bool
    """Prediction of the first model: genuine."""
    first_correct: bool
    second: bool
    second_correct: bool
    pairs: int


def _count(cells: Iterable[ModelCell | JointCell], wanted: Mapping[str, bool]) -> int:
    """Return how many pairs stand in the cells that have all these values."""
    return sum(
        cell.pairs
        for cell in cells
        if all(getattr(cell, name) == value for name, value in wanted.items())
    )


@dataclass(frozen=True)
class ModelSummary:
    """What one model says of the matching pairs."""

    model: Named
    cells: tuple[ModelCell, ...]

    @cached_property
    def total(self) -> int:
        """How many of the pairs the model was evaluated on."""
        return sum(cell.pairs for cell in self.cells)

    def count(self, **wanted: bool) -> int:
        """Return how many pairs have these values, such as ``prediction=True, genuine=False``."""
        return _count(self.cells, wanted)

    def histogram(self, column: str, *, genuine: bool) -> list[int]:
        """Return counts per bin of ``distance`` or ``confidence`` over pairs of one label."""
        edges = DISTANCE_EDGES if column == "distance" else CONFIDENCE_EDGES
        counts = [0] * (len(edges) - 1)
        for cell in self.cells:
            if cell.genuine == genuine:
                counts[getattr(cell, column)] += cell.pairs
        return counts

    @property
    def threshold(self) -> float | None:
        """The mean threshold over the pairs."""
        return sum(cell.thresholds for cell in self.cells) / self.total if self.total else None


@dataclass(frozen=True)
class JointSummary:
    """Two models on the same pairs."""

    first: Named
    second: Named
    cells: tuple[JointCell, ...]

    @cached_property
    def total(self) -> int:
        """How many pairs both models were evaluated on."""
        return sum(cell.pairs for cell in self.cells)

    def count(self, **wanted: bool) -> int:
        """Return how many pairs have these values, such as ``first_correct=True``."""
        return _count(self.cells, wanted)


@dataclass(frozen=True)
class Summary:
    """Counts over all pairs of a query, wherever its page stands."""

    query: ExplorerQuery
    pairs: tuple[PairCell, ...] | None
    models: dict[str, ModelSummary]
    """By name, of those models that were counted in time."""
    joint: JointSummary | None
    agreeing: int | None
    """Pairs on which all shown models agree; None where one model is shown, or it is not known."""
    disagreeing: int | None
    quality_edges: tuple[float, ...] = ()
    """Edges of the quality bands; the last one belongs to the last band."""
    unfinished: tuple[str, ...] = field(default=())
    """What was not counted within `SECONDS`, in words."""

    @cached_property
    def total(self) -> int | None:
        """How many pairs match."""
        return None if self.pairs is None else sum(cell.pairs for cell in self.pairs)

    def by(self, name: str) -> Counter[Any]:
        """Return counts of the pairs by dataset_id, genuine, fold or band."""
        counts: Counter[Any] = Counter()
        for cell in self.pairs or ():
            counts[getattr(cell, name)] += cell.pairs
        return counts


def summarise(session: Session, query: ExplorerQuery, *, seconds: float = SECONDS) -> Summary:
    """Count the pairs of ``query`` by everything that the summary shows.

    The session's transaction ends with it, and the time limit of its statements too.
    """
    query = query.place()
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise OutOfTimeError

    pairs: tuple[PairCell, ...] | None = None
    edges: tuple[float, ...] = ()
    models: dict[str, ModelSummary] = {}
    joint = None
    agreeing = disagreeing = None
    waiting = ["datasets, labels, folds and quality", *(model.name for model in query.models)]
    if len(query.models) > 1:
        waiting += [f"{query.models[0].name} against {query.models[1].name}", "agreement"]
    try:
        limit_statements(session, seconds)
        low, high = session.execute(QUALITY_ENDS).one()
        edges = () if low is None or low == high else round_edges(low, high)
        selection = Selection(session, query, also=_columns(query))
        check()
        pairs = _pair_cells(selection, edges)
        waiting.pop(0)
        for model in query.models:
            check()
            models[model.name] = ModelSummary(model, _model_cells(selection, model))
            waiting.pop(0)
        if len(query.models) > 1:
            check()
            first, second = query.models[:2]
            joint = JointSummary(first, second, _joint_cells(selection, first, second))
            waiting.pop(0)
            agreeing, disagreeing = _agreement(selection, query)
            waiting.pop(0)
    except OutOfTimeError:
        pass
    except DBAPIError as error:
        if not is_late(error):
            raise
    finally:
        session.rollback()
    return Summary(query, pairs, models, joint, agreeing, disagreeing, edges, tuple(waiting))


def _columns(query: ExplorerQuery) -> list[ColumnRef]:
    """Return all columns that a summary looks at."""
    of_models = [ColumnRef(MODEL_COLUMNS[name], m) for m in query.models for name in MODEL_COLUMNS]
    return [GENUINE, FOLD, QUALITY, *of_models]


def _pair_cells(selection: Selection, edges: Sequence[float]) -> tuple[PairCell, ...]:
    datasets = selection.query.known_datasets
    quality = selection.numbers(QUALITY)
    bands = np.where(np.isnan(quality), -1, _bins(quality, edges)) if edges else -1
    cells = _cells(
        selection.numbers(DATASET), selection.numbers(GENUINE), selection.numbers(FOLD), bands
    )
    return tuple(
        PairCell(datasets[rank].id, bool(genuine), fold, None if band < 0 else band, count)
        for (rank, genuine, fold, band), count in cells
    )


def _model_cells(selection: Selection, model: Named) -> tuple[ModelCell, ...]:
    columns = {
        name: selection.numbers(ColumnRef(column, model)) for name, column in MODEL_COLUMNS.items()
    }
    seen = ~np.isnan(columns["distance"])
    of = {name: values[seen] for name, values in columns.items()}
    cells = _cells(
        of["prediction"],
        of["correct"],
        of["explained"],
        _bins(of["distance"], DISTANCE_EDGES),
        _bins(of["confidence"], CONFIDENCE_EDGES),
        total=of["threshold"],
    )
    return tuple(
        ModelCell(bool(said), bool(right), bool(explained), distance, confidence, *numbers)
        for (said, right, explained, distance, confidence), *numbers in cells
    )


def _joint_cells(selection: Selection, first: Named, second: Named) -> tuple[JointCell, ...]:
    columns = np.stack(
        [
            selection.numbers(ColumnRef(MODEL_COLUMNS[name], model))
            for model in (first, second)
            for name in ("prediction", "correct")
        ]
    )
    columns = columns[:, ~np.isnan(columns).any(axis=0)]
    return tuple(
        JointCell(bool(one), bool(one_right), bool(two), bool(two_right), count)
        for (one, one_right, two, two_right), count in _cells(*columns)
    )


def _agreement(selection: Selection, query: ExplorerQuery) -> tuple[int, int]:
    """Return how many pairs all shown models have seen and agree on, and how many not."""
    said = np.stack(
        [selection.numbers(ColumnRef(MODEL_COLUMNS["prediction"], m)) for m in query.models]
    )
    said = said[:, ~np.isnan(said).any(axis=0)]
    agreeing = int((said == said[0]).all(axis=0).sum())
    return agreeing, said.shape[1] - agreeing


def _cells(*columns: Any, total: Numbers | None = None) -> list[Any]:
    """Return each distinct row of whole numbers with its count, and the sum of ``total`` before it.

    All of a row's numbers make one number: telling those apart is much quicker.
    """
    whole = np.stack(np.broadcast_arrays(*columns)).astype(np.int64)
    if not whole.shape[1]:
        return []
    low = whole.min(axis=1)
    sizes = tuple(whole.max(axis=1) - low + 1)
    keys = np.ravel_multi_index(tuple(whole - low[:, None]), sizes)
    found, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    rows = (np.stack(np.unravel_index(found, sizes)) + low[:, None]).T.tolist()
    if total is None:
        return list(zip(rows, counts.tolist(), strict=True))
    sums = np.bincount(places, weights=total)
    return list(zip(rows, sums.tolist(), counts.tolist(), strict=True))


def _bins(values: Numbers, edges: Sequence[float]) -> NDArray[np.intp]:
    """Return for each value the index of the gap of ``edges`` that holds it; the ends belong in."""
    places = np.searchsorted(np.array(edges), values, side="right") - 1
    return places.clip(0, len(edges) - 2)


def round_edges(low: float, high: float, *, bands: int = 5) -> tuple[float, ...]:
    """Return edges of ``bands`` bands of equal, round width that hold [low, high].

    They are rounded outwards, each to the number that its shortest text means.
    """
    digits = 0
    while (high - low) / bands * 10**digits < 2 and digits < 12:
        digits += 1
    step = 10.0**-digits
    wide = -(-((high - low) / bands) // step) * step
    start = low // step * step
    while round(start + bands * wide, digits) < high:
        wide += step
    return tuple(round(start + n * wide, digits) for n in range(bands + 1))
