"""The C-Score of one fold, drawn as in the paper's Fig. 2."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.charts import Bar, Plot, make_plot
from app.models import Evaluation, FoldScore, Pair, Result

BINS: Final = 400
BARS: Final = 80


@dataclass(frozen=True)
class ScoreFigure:
    """Distances of the training folds, the ratio of every bin, and the fitted sigmoid.

    Attributes
    ----------
    histogram, ratio
        Two plots over the same distances.
    genuine, impostor
        The bars, 80 of the 400 bins' range each.
    dots
        SVG path: a dot per filled bin at its share of genuine pairs.
    sigmoid, confidence
        SVG paths of c(d) and of C(d).
    """

    fold: FoldScore
    histogram: Plot
    ratio: Plot
    genuine: tuple[Bar, ...]
    impostor: tuple[Bar, ...]
    dots: str
    sigmoid: str
    confidence: str


def draw_score(session: Session, evaluation: Evaluation) -> ScoreFigure | None:
    """Draw the first fold of an evaluation, in two statements; None where it has no fold."""
    fold = session.scalars(
        select(FoldScore)
        .where(FoldScore.evaluation_id == evaluation.id)
        .order_by(FoldScore.fold)
        .limit(1)
    ).one_or_none()
    if fold is None:
        return None
    rows = session.execute(
        select(Result.distance, Pair.genuine)
        .join(Pair, Pair.id == Result.pair_id)
        .where(
            Result.model_id == evaluation.model_id,
            Result.dataset_id == evaluation.dataset_id,
            Pair.fold != fold.fold,
        )
    ).all()
    table = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 2)
    distances, labels = table[:, 0], table[:, 1] == 1
    counts = {g: np.histogram(distances[labels == g], BINS, (0, 2))[0] for g in (True, False)}
    coarse = {g: count.reshape(BARS, -1).sum(axis=1).tolist() for g, count in counts.items()}
    edges = np.linspace(0, 2, BARS + 1).tolist()
    most = max(1, *coarse[True], *coarse[False])
    histogram = make_plot((0, 2, "distance d"), (0, most, "training pairs"), height=190)
    ratio = make_plot((0, 2, "distance d"), (0, 1, "share of genuine pairs, and confidence"))
    filled = (counts[True] + counts[False]) > 0
    centres = ((np.arange(BINS) + 0.5) * 2 / BINS)[filled]
    shares = (counts[True] / np.maximum(counts[True] + counts[False], 1))[filled]
    steps = np.linspace(0, 2, 401).tolist()
    return ScoreFigure(
        fold=fold,
        histogram=histogram,
        ratio=ratio,
        genuine=histogram.bars(edges, coarse[True]),
        impostor=histogram.bars(edges, coarse[False]),
        dots="".join(
            f"M{ratio.x.place(d):.1f},{ratio.y.place(r):.1f}h0"
            for d, r in zip(centres.tolist(), shares.tolist(), strict=True)
        ),
        sigmoid=ratio.path(steps, [share_genuine(fold, d) for d in steps]),
        confidence=ratio.path(steps, [confidence(fold, d) for d in steps]),
    )


def share_genuine(fold: FoldScore, distance: float) -> float:
    """Return c(d) of eq. (2), clipped to [0, 1]."""
    exponent = min(500.0, max(-500.0, -fold.k * (distance - fold.d0)))
    return min(1.0, max(0.0, fold.L / (1 + exp(exponent)) + fold.b))


def confidence(fold: FoldScore, distance: float) -> float:
    """Return C(d) of eq. (3), clipped to [0.5, 1]."""
    c = share_genuine(fold, distance)
    return min(1.0, max(0.5, c if distance <= fold.threshold else 1 - c))
