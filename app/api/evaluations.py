"""What the API tells of evaluations: metrics, folds, curves, provenance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.api.contract import (
    INTEGER,
    NUMBER,
    TEXT,
    TYPES,
    URL,
    columns_of,
    listing,
    maybe,
    record,
    words,
)
from app.api.curves import distance_histogram, reliability_bins, roc_points
from app.errors import NotFound
from app.explorer.catalogue import Catalogue, Named
from app.models import Evaluation, FoldScore, Result

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

_NAMED: Final = {"model": TEXT, "dataset": TEXT}
_METRICS: Final = columns_of(
    Evaluation,
    METRICS,
    {
        "pair_count": "Pairs with a result",
        "skipped_count": "Pairs without a usable embedding",
        "accuracy": "Mean over the folds",
        "accuracy_std": "Population standard deviation over the folds",
        "eer": "Equal error rate",
        "auc": "Area under the ROC",
        "confidence_right": "Mean confidence of right predictions",
        "confidence_wrong": "Mean confidence of wrong predictions",
    },
)
EVALUATION_ROW: Final = record({**_NAMED, **_METRICS, "url": URL}, title="EvaluationRow")
EVALUATION: Final = record(
    {
        **_NAMED,
        "metrics": record(_METRICS, title="Metrics"),
        "folds": listing(
            record(
                columns_of(
                    FoldScore, FOLD, {"status": "ok, or why the documented fallback was used"}
                ),
                title="Fold",
            )
        ),
        "curves": record(
            {
                "distance_histogram": record(
                    {
                        "start": NUMBER,
                        "stop": NUMBER,
                        "bins": INTEGER,
                        "genuine": listing(INTEGER),
                        "impostor": listing(INTEGER),
                    }
                ),
                "roc": listing(
                    record(
                        dict.fromkeys(("threshold", "false_match_rate", "true_match_rate"), NUMBER)
                    )
                ),
                "reliability": listing(
                    record(
                        {
                            "start": NUMBER,
                            "stop": NUMBER,
                            "count": INTEGER,
                            "confidence": maybe(NUMBER),
                            "accuracy": maybe(NUMBER),
                        }
                    )
                ),
            },
            title="Curves",
        ),
        "provenance": record(
            {
                **columns_of(Evaluation, PROVENANCE),
                "finished": words(TYPES[datetime], "When, with its zone"),
            },
            title="Provenance",
        ),
        "links": record({"pairs": URL, "page": URL}),
    },
    title="Evaluation",
)


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
            f"`flask compute compute --dataset {dataset.name} --model {model.name}`."
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
