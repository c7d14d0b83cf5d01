"""The place of a pair among the training distances of its fold, drawn (the paper's Fig. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.charts import Bar, Plot, make_plot
from app.cscore import sigmoid_at
from app.models import FoldScore, Pair, Result
from app.viewer.distribution import EDGES, TrainingDistances, fetch_fold, fetch_training

WIDTH: Final = 400.0
BARS: Final = 80
TABLE_ROWS: Final = 20
STATUS: Final = {
    "ok": "sigmoid fitted to the bins",
    "few_pairs": "fewer than 20 training pairs of a label: logistic regression instead",
    "few_bins": "fewer than 5 filled bins: logistic regression instead",
    "no_convergence": "the fit did not converge: logistic regression instead",
    "not_decreasing": "the fit did not fall with distance: logistic regression instead",
}


@dataclass(frozen=True)
class Row:
    """A line of the table: a range of distances and the training pairs in it."""

    low: float
    high: float
    genuine: int
    impostor: int

    @property
    def share(self) -> float | None:
        """Share of genuine pairs; None where there are none at all."""
        total = self.genuine + self.impostor
        return self.genuine / total if total else None


@dataclass(frozen=True)
class Place:
    """A pair against the training distances of its fold.

    Attributes
    ----------
    fold
        Threshold, parameters and status.
    result
        The model's verdict on the pair.
    share
        c(d): the share of genuine pairs that the curve gives at the pair's distance.
    training
        The counts.
    curve_plot, histogram
        The two drawings, one above the other over the same distances.
    dots, curve
        SVG paths: the ratio of every filled bin as a line without length, and c(d).
    genuine_bars, impostor_bars
        The histogram.
    table
        The same in figures, for those who do not see it.
    """

    fold: FoldScore
    result: Result
    share: float
    training: TrainingDistances
    curve_plot: Plot
    histogram: Plot
    dots: str
    curve: str
    genuine_bars: tuple[Bar, ...]
    impostor_bars: tuple[Bar, ...]
    table: tuple[Row, ...]

    @property
    def genuine_count(self) -> int:
        """Training pairs that are genuine."""
        return int(self.training.genuine.sum())

    @property
    def impostor_count(self) -> int:
        """Training pairs that are impostors."""
        return int(self.training.impostor.sum())

    @property
    def status_words(self) -> str:
        """What the status of the fit means."""
        return STATUS.get(self.fold.status, self.fold.status.replace("_", " "))

    @property
    def own_bin(self) -> Row:
        """The bin of the pair's distance."""
        at = self.training.bin_of(self.result.distance)
        genuine, impostor = int(self.training.genuine[at]), int(self.training.impostor[at])
        return Row(float(EDGES[at]), float(EDGES[at + 1]), genuine, impostor)

    @property
    def nearer_genuine(self) -> float:
        """Share of the genuine training pairs in bins below the pair's, in [0, 1]."""
        at = self.training.bin_of(self.result.distance)
        return float(self.training.genuine[:at].sum()) / max(self.genuine_count, 1)

    @property
    def nearer_impostor(self) -> float:
        """Share of the impostor training pairs in bins below the pair's, in [0, 1]."""
        at = self.training.bin_of(self.result.distance)
        return float(self.training.impostor[:at].sum()) / max(self.impostor_count, 1)


def place_of(session: Session, pair: Pair, result: Result) -> Place | None:
    """Return the place of a pair; None where its fold was not fitted.

    One statement for the fold; the distances of its evaluation are read once.
    """
    found = fetch_fold(session, pair, result.model_id)
    if found is None:
        return None
    evaluation, fold = found
    return draw_place(fold, result, fetch_training(session, evaluation, pair.fold))


def draw_place(fold: FoldScore, result: Result, training: TrainingDistances) -> Place:
    """Place bars, dots, curve and table of a fold's training distances."""
    edges, genuine, impostor = training.coarse(BARS)
    most = max(1, int(genuine.max()), int(impostor.max()))
    share = make_plot((0, 2, ""), (0, 1, "share genuine"), width=WIDTH, height=190, most_ticks=5)
    histogram = make_plot(
        (0, 2, "distance d"), (0, most, "training pairs"), width=WIDTH, height=190, most_ticks=5
    )
    table = zip(*(part.tolist() for part in training.coarse(TABLE_ROWS)[1:]), strict=True)
    steps = np.linspace(0, 2, TABLE_ROWS + 1).tolist()
    return Place(
        fold=fold,
        result=result,
        share=float(sigmoid_at(fold, result.distance)),
        training=training,
        curve_plot=share,
        histogram=histogram,
        dots="".join(
            f"M{x:.1f},{y:.1f}h0"
            for x, y in zip(
                share.x.place(training.centres).tolist(),
                share.y.place(training.ratio).tolist(),
                strict=True,
            )
        ),
        curve=share.path(EDGES, sigmoid_at(fold, EDGES)),
        genuine_bars=histogram.bars(edges.tolist(), genuine.tolist()),
        impostor_bars=histogram.bars(edges.tolist(), impostor.tolist()),
        table=tuple(
            Row(low, high, *counts)
            for low, high, counts in zip(steps[:-1], steps[1:], table, strict=True)
        ),
    )
