"""What the API tells of evaluations: metrics, folds, curves, provenance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.api.table import cell, lines
from app.errors import NotFound
from app.evaluations.leaderboard import fetch_scores
from app.evaluations.results import fetch_curves
from app.explorer.catalogue import Catalogue, Named
from app.models import Evaluation

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
DESCRIBED: Final = ("fold_count", "model_licence", "dataset_licence", "finished")
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
    """Return every evaluation with its metrics, licences and date, by model and then dataset."""
    return [
        _named(score.evaluation)
        | _metrics(score.evaluation)
        | {
            "fold_count": score.fold_count,
            "model_licence": score.model.licence,
            "dataset_licence": score.dataset.licence,
            "finished": _moment(score.evaluation.finished),
        }
        for score in fetch_scores(session, datasets=datasets, models=models)
    ]


def evaluations_csv(rows: list[dict[str, Any]]) -> str:
    """Return the list as CSV (RFC 4180), in the columns of the JSON."""
    names = ("model", "dataset", *METRICS, *DESCRIBED)
    return lines([[*names], *([cell(row[name]) for name in names] for row in rows)])


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
        "curves": fetch_curves(session, evaluation).to_dict(),
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


def _moment(moment: datetime) -> str:
    """Return a time with its zone: SQLite keeps none, and all are stored in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
