"""What the API tells of evaluations: metrics, folds, curves, provenance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.api.curves import distance_histogram, reliability_bins, roc_points
from app.errors import NotFound
from app.explorer.catalogue import Catalogue, Named
from app.models import Evaluation, Result

METRICS: Final = (
    "pair_count",
    "skipped_count",
    "accuracy",
    "accuracy_std",
    "threshold_mean",
    "eer",
    "auc",
    "confidence_right",
    "confidence_wrong",
    "tar_at_far_1e2",
    "tar_at_far_1e3",
    "ece",
)
PROVENANCE: Final = (
    "dataset_sha256",
    "model_sha256",
    "code_version",
    "engine",
    "batch",
    "threads",
    "host",
)
FOLD: Final = ("fold", "threshold", "L", "d0", "k", "b", "status", "accuracy")


def list_evaluations(
    session: Session, *, models: tuple[Named, ...], datasets: tuple[Named, ...]
) -> list[dict[str, Any]]:
    """Return model, dataset and metrics of every evaluation, by model and then dataset."""
    statement = select(Evaluation).options(
        joinedload(Evaluation.model), joinedload(Evaluation.dataset)
    )
    if models:
        statement = statement.where(Evaluation.model_id.in_([model.id for model in models]))
    if datasets:
        statement = statement.where(Evaluation.dataset_id.in_([d.id for d in datasets]))
    found = session.scalars(statement).all()
    rows = [_named(evaluation) | _metrics(evaluation) for evaluation in found]
    return sorted(rows, key=lambda row: (row["model"], row["dataset"]))


def describe_evaluation(
    session: Session, catalogue: Catalogue, model_name: str, dataset_name: str
) -> dict[str, Any]:
    """Return everything about one evaluation; `NotFound` says what there is."""
    model = _known(model_name, catalogue.models, "model")
    dataset = _known(dataset_name, catalogue.datasets, "dataset")
    evaluation = session.scalars(
        select(Evaluation)
        .where(Evaluation.model_id == model.id, Evaluation.dataset_id == dataset.id)
        .options(
            joinedload(Evaluation.model),
            joinedload(Evaluation.dataset),
            selectinload(Evaluation.folds),
        )
    ).one_or_none()
    if evaluation is None:
        raise NotFound(
            f"Model {model.name} was not evaluated on {dataset.name} yet. Whoever runs this site: "
            f"`flask compute --dataset {dataset.name} --model {model.name}`."
        )
    return {
        **_named(evaluation),
        "metrics": _metrics(evaluation),
        "folds": [{name: getattr(fold, name) for name in FOLD} for fold in evaluation.folds],
        "curves": _curves(session, evaluation),
        "provenance": {name: getattr(evaluation, name) for name in PROVENANCE}
        | {"finished": _moment(evaluation.finished)},
    }


def _known(name: str, items: tuple[Named, ...], what: str) -> Named:
    for item in items:
        if item.name == name:
            return item
    known = ", ".join(item.name for item in items) or "none"
    raise NotFound(f"Unknown {what} {name!r}. There are: {known}.")


def _named(evaluation: Evaluation) -> dict[str, Any]:
    return {"model": evaluation.model.name, "dataset": evaluation.dataset.name}


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {name: getattr(evaluation, name) for name in METRICS}


def _curves(session: Session, evaluation: Evaluation) -> dict[str, Any]:
    rows = session.execute(
        select(Result.distance, Result.confidence, Result.prediction, Result.correct).where(
            Result.model_id == evaluation.model_id, Result.dataset_id == evaluation.dataset_id
        )
    ).all()
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    distances, confidence = table[:, 0], table[:, 1]
    correct = table[:, 3] == 1
    genuine = (table[:, 2] == 1) == correct  # a right prediction is the label
    return {
        "distance_histogram": distance_histogram(distances, genuine),
        "roc": roc_points(distances, genuine),
        "reliability": reliability_bins(confidence, correct),
    }


def _moment(moment: datetime) -> str:
    """Return a time with its zone: SQLite keeps none, and all are stored in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
