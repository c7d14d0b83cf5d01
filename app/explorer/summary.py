"""What the pairs of a query look like together: counts by every facet, histograms, confusion.

One grouped statement for the pairs, one per model, one for two models against each other: the cells
of these groups hold everything that the page shows, so its numbers cannot disagree. All of them
share `SECONDS`; what is not counted by then is named in `Summary.unfinished`, never guessed.

Bins are told apart by comparing with the very edges that the links filter by. So the count beside a
link is the count behind it, whatever floating point makes of a division.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, func, literal, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from app.database import is_late, limit_statements
from app.explorer.catalogue import Named
from app.explorer.filters import ExplorerQuery
from app.explorer.source import Source
from app.models import Pair, Result

SECONDS: Final = 1.0
"""Time of all statements of a summary together."""
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
        return sum(
            cell.pairs
            for cell in self.cells
            if all(getattr(cell, name) == value for name, value in wanted.items())
        )

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
        return sum(
            cell.pairs
            for cell in self.cells
            if all(getattr(cell, name) == value for name, value in wanted.items())
        )


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


class _OutOfTimeError(Exception):
    """The statements of a summary took longer than they may."""


class _Clock:
    """Runs statements until their common time is up."""

    def __init__(self, session: Session, seconds: float) -> None:
        self._session = session
        self._end = time.monotonic() + seconds

    def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """Return all rows of a statement, or raise `_OutOfTimeError`."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise _OutOfTimeError
        limit_statements(self._session, left)
        try:
            return self._session.execute(statement).all()
        except DBAPIError as error:
            if not is_late(error):
                raise
            self._session.rollback()
            raise _OutOfTimeError from error


def summarise(session: Session, query: ExplorerQuery, *, seconds: float = SECONDS) -> Summary:
    """Count the pairs of ``query`` by everything that the summary shows."""
    query = query.place()
    clock = _Clock(session, seconds)
    ids = _ids(query)
    unfinished: list[str] = []
    pairs = None
    edges: tuple[float, ...] = ()
    models: dict[str, ModelSummary] = {}
    joint = None
    agreeing = disagreeing = None
    waiting = ["datasets, labels, folds and quality", *(model.name for model in query.models)]
    if len(query.models) > 1:
        waiting += [f"{query.models[0].name} against {query.models[1].name}", "agreement"]
    try:
        edges = _quality_edges(clock)
        pairs = tuple(PairCell(*row) for row in clock.rows(_pair_cells(ids, edges)))
        waiting.pop(0)
        for model in query.models:
            cells = tuple(ModelCell(*row) for row in clock.rows(_model_cells(ids, model)))
            models[model.name] = ModelSummary(model, cells)
            waiting.pop(0)
        if len(query.models) > 1:
            first, second = query.models[:2]
            found = tuple(JointCell(*row) for row in clock.rows(_joint_cells(ids, first, second)))
            joint = JointSummary(first, second, found)
            waiting.pop(0)
            agreeing, disagreeing = _agreement(clock, query, joint)
            waiting.pop(0)
    except _OutOfTimeError:
        unfinished = waiting
    return Summary(query, pairs, models, joint, agreeing, disagreeing, edges, tuple(unfinished))


def _ids(query: ExplorerQuery) -> Subquery:
    """Return the ids of all matching pairs, as the list and its count take them."""
    source = Source(query, sort=False)
    return source.select(source.id.label("id")).subquery("matching")


def _pair_cells(ids: Subquery, edges: Sequence[float]) -> Select[Any]:
    band = _bin(Pair.quality_min, edges) if edges else literal(None)
    cells = (
        select(Pair.dataset_id, Pair.genuine, Pair.fold, band.label("band"))
        .join(ids, ids.c.id == Pair.id)
        .subquery("cells")
    )
    return select(*cells.c, func.count()).group_by(*cells.c)


def _model_cells(ids: Subquery, model: Named) -> Select[Any]:
    cells = (
        select(
            Result.prediction,
            Result.correct,
            Result.explained,
            _bin(Result.distance, DISTANCE_EDGES).label("distance"),
            _bin(Result.confidence, CONFIDENCE_EDGES).label("confidence"),
            Result.threshold,
        )
        .join(ids, ids.c.id == Result.pair_id)
        .where(Result.model_id == model.id)
        .subquery("cells")
    )
    groups = [column for column in cells.c if column.name != "threshold"]
    return select(*groups, func.sum(cells.c.threshold), func.count()).group_by(*groups)


def _joint_cells(ids: Subquery, first: Named, second: Named) -> Select[Any]:
    one, two = aliased(Result), aliased(Result)
    groups: list[Any] = [one.prediction, one.correct, two.prediction, two.correct]
    return (
        select(*groups, func.count())
        .join(ids, ids.c.id == one.pair_id)
        .join(two, two.pair_id == one.pair_id)
        .where(one.model_id == first.id, two.model_id == second.id)
        .group_by(*groups)
    )


def _agreement(clock: _Clock, query: ExplorerQuery, joint: JointSummary) -> tuple[int, int]:
    """Return how many pairs the shown models agree on, and how many not."""
    if len(query.models) == 2:
        agreeing = sum(cell.pairs for cell in joint.cells if cell.first == cell.second)
        return agreeing, joint.total - agreeing
    counts = []
    for agree in (True, False):
        if query.agree not in (None, agree):
            counts.append(0)
            continue
        ids = _ids(query.with_agreement(agree))
        counts.append(clock.rows(select(func.count()).select_from(ids))[0][0])
    return counts[0], counts[1]


def _quality_edges(clock: _Clock) -> tuple[float, ...]:
    """Return round edges of five bands around all qualities; none where no pair has one."""
    # Two statements in one: each end is read off the index, not off all rows.
    least = select(func.min(Pair.quality_min)).scalar_subquery()
    most = select(func.max(Pair.quality_min)).scalar_subquery()
    low, high = clock.rows(select(least, most))[0]
    return () if low is None or low == high else round_edges(low, high)


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


def _bin(column: ColumnElement[Any] | Any, edges: Sequence[float]) -> ColumnElement[Any]:
    """Return the index of the gap of ``edges`` that holds a value, by halving; ends belong in.

    Null stays null.
    """

    def halve(low: int, high: int) -> ColumnElement[Any]:
        if high - low == 1:
            return literal(low)
        middle = (low + high) // 2
        below = column < literal(edges[middle], column.type)
        return case((below, halve(low, middle)), else_=halve(middle, high))

    return case((column.is_not(None), halve(0, len(edges) - 1)))
