"""The training distances of a fold, counted: what its threshold and its C-Score were fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from app.explorer.arrays import fetch_results
from app.models import Evaluation, FoldScore, Pair

BINS: Final = 400
"""Bins of the C-Score on [0, 2] (the paper's number)."""
RANGE: Final = (0.0, 2.0)
EDGES: Final = np.linspace(*RANGE, BINS + 1)
MOST_KEPT: Final = 64
"""Evaluations whose counts are kept, 64 KB each for ten folds."""

Counts = NDArray[np.int64]
_Version = tuple[int, datetime]

# By engine, and as long as it lives: keys and times alone would be the same in another database.
_kept: WeakKeyDictionary[Engine | Connection, dict[_Version, dict[int, Counts]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class TrainingDistances:
    """How many pairs of all folds but one lie in each bin of [0, 2].

    Attributes
    ----------
    genuine, impostor
        (400,) int64. Bin ``i`` is [i/200, (i + 1)/200); the last one holds 2 itself.
    """

    genuine: Counts
    impostor: Counts

    @property
    def centres(self) -> NDArray[np.float64]:
        """(M,) middles of the bins that hold any pair."""
        centres: NDArray[np.float64] = ((EDGES[:-1] + EDGES[1:]) / 2)[self._filled]
        return centres

    @property
    def ratio(self) -> NDArray[np.float64]:
        """(M,) share of genuine pairs in those bins, in [0, 1]."""
        filled = self._filled
        total = self.genuine[filled] + self.impostor[filled]
        ratio: NDArray[np.float64] = self.genuine[filled] / total
        return ratio

    def coarse(self, bins: int) -> tuple[NDArray[np.float64], Counts, Counts]:
        """Return edges and counts (genuine, impostor) of fewer bins; ``bins`` divides 400."""
        step = BINS // bins
        if step * bins != BINS:
            raise ValueError(f"{bins} bins: expected a divisor of {BINS}.")
        return (
            EDGES[::step],
            self.genuine.reshape(bins, step).sum(axis=1),
            self.impostor.reshape(bins, step).sum(axis=1),
        )

    @staticmethod
    def bin_of(distance: float) -> int:
        """Return the bin that holds a distance."""
        place = int(np.searchsorted(EDGES, distance, side="right")) - 1
        return min(max(place, 0), BINS - 1)

    @property
    def _filled(self) -> NDArray[np.bool_]:
        filled: NDArray[np.bool_] = (self.genuine + self.impostor) > 0
        return filled


def fetch_fold(session: Session, pair: Pair, model_id: int) -> tuple[Evaluation, FoldScore] | None:
    """Return a model's evaluation on the pair's dataset and its fit for the pair's fold."""
    row = session.execute(
        select(Evaluation, FoldScore)
        .join(FoldScore, FoldScore.evaluation_id == Evaluation.id)
        .where(
            Evaluation.dataset_id == pair.dataset_id,
            Evaluation.model_id == model_id,
            FoldScore.fold == pair.fold,
        )
    ).first()
    return (row[0], row[1]) if row else None


def fetch_training(session: Session, evaluation: Evaluation, fold: int) -> TrainingDistances:
    """Return the counts of all folds but ``fold``.

    The evaluation's distances are read once, and their counts are kept until it is made again.
    """
    version = (evaluation.id, evaluation.finished)
    kept = _kept.setdefault(session.get_bind(), {})
    if version not in kept:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[version] = _count(session, evaluation)
    training = sum(
        (counts for other, counts in kept[version].items() if other != fold),
        start=np.zeros((2, BINS), dtype=np.int64),
    )
    return TrainingDistances(genuine=training[1], impostor=training[0])


def _count(session: Session, evaluation: Evaluation) -> dict[int, Counts]:
    """Return per fold the counts (impostor, genuine) x bins of an evaluation."""
    found = fetch_results(
        session,
        evaluation.dataset_id,
        evaluation.model_id,
        columns=("distance",),
        pair_columns=("fold", "genuine"),
    )
    fold, genuine, distance = found["fold"], found["genuine"], found["distance"]
    # numpy's own bins, to the last bit at their edges: the fit was made with them.
    return {
        int(each): np.stack(
            [
                np.histogram(distance[(fold == each) & (genuine == label)], BINS, RANGE)[0]
                for label in (0, 1)
            ]
        )
        for each in np.unique(fold)
    }
