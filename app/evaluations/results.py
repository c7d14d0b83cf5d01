"""The results of an evaluation as curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.evaluations import curves
from app.explorer.arrays import fetch_results
from app.models import Evaluation


@dataclass(frozen=True)
class Curves:
    """What the results of one evaluation draw; each field as its function in ``curves`` says.

    ``fold_points`` are the rates that each fold's threshold has on all pairs, with its ``fold`` and
    ``threshold``.
    """

    distance_histogram: dict[str, Any]
    roc: list[dict[str, float]]
    det: list[dict[str, float]]
    operating_points: list[dict[str, float | None]]
    fold_points: list[dict[str, Any]]
    confidence: dict[str, Any]
    reliability: list[dict[str, Any]]
    accuracy_above: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return all curves as the API tells them."""
        return dict(self.__dict__)


def fetch_curves(session: Session, evaluation: Evaluation) -> Curves:
    """Return the curves of an evaluation, computed from the packed columns of its results."""
    found = fetch_results(
        session,
        evaluation.dataset_id,
        evaluation.model_id,
        columns=("distance", "confidence", "correct"),
        pair_columns=("genuine",),
    )
    distances, confidence = found["distance"], found["confidence"]
    correct, genuine = found["correct"] == 1, found["genuine"] == 1
    return Curves(
        distance_histogram=curves.distance_histogram(distances, genuine),
        roc=curves.roc_points(distances, genuine),
        det=curves.det_points(distances, genuine),
        operating_points=curves.operating_points(distances, genuine),
        fold_points=[
            {
                "fold": fold.fold,
                "threshold": fold.threshold,
                **curves.rates_at(distances, genuine, fold.threshold),
            }
            for fold in evaluation.folds
        ],
        confidence=curves.confidence_samples(evaluation.folds),
        reliability=curves.reliability_bins(confidence, correct),
        accuracy_above=curves.accuracy_above(confidence, correct),
    )
