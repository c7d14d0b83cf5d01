"""What the pairs of a query look like together: counts by every facet, histograms, confusion.

The pairs are those of the list, its columns the same arrays. They are counted once for each model,
in an array with an axis for all that the page shows of it, so that its numbers cannot disagree; and
once for two models against each other. What is not counted within `SECONDS` is named in
`Summary.unfinished`, never guessed.

Bins are told apart by comparing with the very edges that the links filter by. So the count beside a
link is the count behind it, whatever floating point makes of a division.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import OutOfTimeError, is_late, limit_statements
from app.explorer.arrays import DATASET, Arrays
from app.explorer.catalogue import Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef
from app.explorer.filters import ExplorerQuery
from app.explorer.packing import Numbers
from app.explorer.selection import Selection

SECONDS: Final = 1.0
"""Time of a summary; one statement alone is stopped after it too."""
GENUINE: Final = ColumnRef(PAIR_COLUMNS["genuine"])
FOLD: Final = ColumnRef(PAIR_COLUMNS["fold"])
QUALITY: Final = ColumnRef(PAIR_COLUMNS["quality_min"])
DISTANCE_EDGES: Final = tuple(round(n * 0.05, 2) for n in range(41))
CONFIDENCE_EDGES: Final = tuple(round(0.5 + n * 0.025, 3) for n in range(21))


Counts = NDArray[np.int64]


def _axes(*flags: bool | None) -> tuple[int | slice, ...]:
    """Return where in an array of counts these flags stand; all along an axis for None."""
    return tuple(slice(None) if flag is None else int(flag) for flag in flags)


@dataclass(frozen=True)
class ModelSummary:
    """What one model says of the matching pairs.

    Attributes
    ----------
    counts
        (2, 2, 2, 40, 20): pairs by prediction (1: genuine), correctness, whether it is explained,
        and the gaps of `DISTANCE_EDGES` and `CONFIDENCE_EDGES` that hold distance and confidence.
    threshold
        The mean threshold over the pairs; None where there are none.
    """

    model: Named
    counts: Counts
    threshold: float | None

    @cached_property
    def total(self) -> int:
        """How many of the pairs the model was evaluated on."""
        return int(self.counts.sum())

    def count(
        self,
        *,
        prediction: bool | None = None,
        correct: bool | None = None,
        explained: bool | None = None,
    ) -> int:
        """Return how many pairs have these values; None for either."""
        return int(self.counts[_axes(prediction, correct, explained)].sum())

    def histogram(self, column: str, *, genuine: bool) -> list[int]:
        """Return counts per bin of ``distance`` or ``confidence`` over pairs of one label."""
        # A right prediction is the label.
        of_label = self.counts[1, int(genuine)] + self.counts[0, int(not genuine)]
        per_bin: list[int] = of_label.sum(axis=(0, 2 if column == "distance" else 1)).tolist()
        return per_bin

    def sure(self, low: int, high: int) -> int:
        """Return how many pairs' confidence lies in the gaps from ``low`` up to ``high``."""
        return int(self.counts[..., low:high].sum())


@dataclass(frozen=True)
class JointSummary:
    """Two models on the same pairs.

    Attributes
    ----------
    counts
        (2, 2, 2, 2): pairs by prediction (1: genuine) and correctness of the first model, and of
        the second.
    """

    first: Named
    second: Named
    counts: Counts

    @cached_property
    def total(self) -> int:
        """How many pairs both models were evaluated on."""
        return int(self.counts.sum())

    def count(
        self,
        *,
        first: bool | None = None,
        first_correct: bool | None = None,
        second: bool | None = None,
        second_correct: bool | None = None,
    ) -> int:
        """Return how many pairs have these values; None for either."""
        return int(self.counts[_axes(first, first_correct, second, second_correct)].sum())


@dataclass(frozen=True)
class PairSummary:
    """The matching pairs themselves.

    Attributes
    ----------
    total
        How many match.
    by
        Counts by ``dataset_id``, ``genuine``, ``fold`` and ``band``: the index of the quality band,
        None where the quality is missing.
    """

    total: int
    by: Mapping[str, Counter[Any]]


@dataclass(frozen=True)
class Summary:
    """Counts over all pairs of a query, wherever its page stands."""

    query: ExplorerQuery
    pairs: PairSummary | None
    """None where they were not counted in time."""
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

    @property
    def total(self) -> int | None:
        """How many pairs match."""
        return self.pairs.total if self.pairs else None

    def by(self, name: str) -> Counter[Any]:
        """Return counts of the pairs by dataset_id, genuine, fold or band."""
        return self.pairs.by[name] if self.pairs else Counter()


def summarise(session: Session, query: ExplorerQuery, *, seconds: float = SECONDS) -> Summary:
    """Count the pairs of ``query`` by everything that the summary shows.

    The session's transaction ends with it, and the time limit of its statements too.
    """
    query = query.place()
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise OutOfTimeError

    pairs: PairSummary | None = None
    edges: tuple[float, ...] = ()
    models: dict[str, ModelSummary] = {}
    joint = None
    agreeing = disagreeing = None
    waiting = ["datasets, labels, folds and quality", *(model.name for model in query.models)]
    if len(query.models) > 1:
        waiting += [f"{query.models[0].name} against {query.models[1].name}", "agreement"]
    try:
        limit_statements(session, seconds)
        edges = _quality_edges(session, query)
        selection = Selection(session, query.sorted_by(), also=_columns(query))
        check()
        pairs = _of_pairs(selection, edges)
        waiting.pop(0)
        for model in query.models:
            check()
            models[model.name] = _of_model(selection, model)
            waiting.pop(0)
        if len(query.models) > 1:
            check()
            first, second = query.models[:2]
            joint = _of_two(selection, first, second)
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


def _quality_edges(session: Session, query: ExplorerQuery) -> tuple[float, ...]:
    """Return edges of the bands of quality, the same for whatever part of the site is asked for."""
    every = ExplorerQuery(known_datasets=query.known_datasets)
    quality = Arrays(session, every, [QUALITY]).numbers(QUALITY)
    quality = quality[~np.isnan(quality)]
    if not len(quality) or quality.min() == quality.max():
        return ()
    return round_edges(float(quality.min()), float(quality.max()))


def _of_pairs(selection: Selection, edges: Sequence[float]) -> PairSummary:
    ids = [dataset.id for dataset in selection.query.known_datasets]
    labels, folds = selection.flags(GENUINE), selection.numbers(FOLD)
    by = {
        "dataset_id": _occurring(selection.numbers(DATASET), ids),
        "genuine": _occurring(labels, (False, True)),
        "fold": _occurring(folds, range(int(folds.max(initial=-1)) + 1)),
        "band": Counter[Any](),
    }
    quality = selection.numbers(QUALITY)
    there = quality[~np.isnan(quality)]
    if edges:
        by["band"] = _occurring(_bins(there, edges), range(len(edges) - 1))
    if missing := len(quality) - sum(by["band"].values()):
        by["band"][None] = missing
    return PairSummary(len(selection), by)


def _occurring(places: NDArray[Any], values: Sequence[Any]) -> Counter[Any]:
    """Return how often each of ``values`` occurs, of which ``places`` are the indices."""
    counts = np.bincount(places.astype(np.intp), minlength=len(values)).tolist()
    return Counter({value: count for value, count in zip(values, counts, strict=True) if count})


def _of_model(selection: Selection, model: Named) -> ModelSummary:
    of = {name: ColumnRef(column, model) for name, column in MODEL_COLUMNS.items()}
    distance = selection.numbers(of["distance"])
    seen = ~np.isnan(distance)
    counts = _counted(
        [selection.flags(of[name])[seen] for name in ("prediction", "correct", "explained")]
        + [
            _bins(distance[seen], DISTANCE_EDGES),
            _bins(selection.numbers(of["confidence"])[seen], CONFIDENCE_EDGES),
        ],
        (2, 2, 2, len(DISTANCE_EDGES) - 1, len(CONFIDENCE_EDGES) - 1),
    )
    thresholds = selection.numbers(of["threshold"])[seen]
    return ModelSummary(model, counts, float(thresholds.mean()) if len(thresholds) else None)


def _of_two(selection: Selection, first: Named, second: Named) -> JointSummary:
    flags = [
        selection.flags(ColumnRef(MODEL_COLUMNS[name], model))
        for model in (first, second)
        for name in ("prediction", "correct")
    ]
    seen = np.minimum.reduce(flags) >= 0
    return JointSummary(first, second, _counted([flag[seen] for flag in flags], (2, 2, 2, 2)))


def _agreement(selection: Selection, query: ExplorerQuery) -> tuple[int, int]:
    """Return how many pairs all shown models have seen and agree on, and how many not."""
    said = [selection.flags(ColumnRef(MODEL_COLUMNS["prediction"], m)) for m in query.models]
    low, high = np.minimum.reduce(said), np.maximum.reduce(said)
    agreeing = int(np.count_nonzero((low == high) & (low >= 0)))
    return agreeing, int(np.count_nonzero(low >= 0)) - agreeing


def _counted(columns: Sequence[NDArray[Any]], shape: tuple[int, ...]) -> Counts:
    """Return how often each row of whole numbers occurs, as an array of ``shape``."""
    keys = np.zeros(len(columns[0]), np.intp)
    for column, size in zip(columns, shape, strict=True):
        keys *= size
        keys += column
    counts: Counts = np.bincount(keys, minlength=math.prod(shape)).reshape(shape)
    return counts


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
