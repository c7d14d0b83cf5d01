"""The results of an evaluation as curves, computed once per process and evaluation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import current_app
from sqlalchemy.orm import Session

from app.evaluations import curves
from app.explorer.arrays import fetch_results
from app.models import Evaluation

KEPT: Final = 64
"""Evaluations whose curves a process remembers: some 100 KB each."""
EXTENSION: Final = "evaluation_curves"

Version = tuple[int, datetime]


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


class CurveStore:
    """Remembers curves by evaluation and the moment it was finished: a new run has a new moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Version, Curves] = OrderedDict()

    def get(self, version: Version) -> Curves | None:
        """Return the curves of a version, if they are remembered."""
        with self._lock:
            if version in self._kept:
                self._kept.move_to_end(version)
            return self._kept.get(version)

    def put(self, version: Version, found: Curves) -> None:
        """Remember curves; the ones asked for least recently are forgotten."""
        with self._lock:
            self._kept[version] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def fetch_curves(session: Session, evaluation: Evaluation) -> Curves:
    """Return the curves of an evaluation, from memory or from the packed columns of its results."""
    store: CurveStore = current_app.extensions[EXTENSION]
    version = (evaluation.id, evaluation.finished)
    found = store.get(version)
    if found is None:
        found = _compute(session, evaluation)
        store.put(version, found)
    return found


def _compute(session: Session, evaluation: Evaluation) -> Curves:
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
