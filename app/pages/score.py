"""The C-Score of one fold, drawn as in the paper's Fig. 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.charts import Bar, Plot, make_plot
from app.cscore import confidence_at, sigmoid_at
from app.models import Evaluation, FoldScore
from app.viewer.distribution import fetch_training

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
    training = fetch_training(session, evaluation, fold.fold)
    edges, genuine, impostor = training.coarse(BARS)
    most = max(1, genuine.max(), impostor.max())
    histogram = make_plot((0, 2, "distance d"), (0, most, "training pairs"), height=190)
    ratio = make_plot((0, 2, "distance d"), (0, 1, "share of genuine pairs, and confidence"))
    steps = np.linspace(0, 2, 401).tolist()
    return ScoreFigure(
        fold=fold,
        histogram=histogram,
        ratio=ratio,
        genuine=histogram.bars(edges.tolist(), genuine.tolist()),
        impostor=histogram.bars(edges.tolist(), impostor.tolist()),
        dots="".join(
            f"M{ratio.x.place(d):.1f},{ratio.y.place(r):.1f}h0"
            for d, r in zip(training.centres.tolist(), training.ratio.tolist(), strict=True)
        ),
        sigmoid=ratio.path(steps, sigmoid_at(fold, steps)),
        confidence=ratio.path(steps, confidence_at(fold, steps)),
    )
