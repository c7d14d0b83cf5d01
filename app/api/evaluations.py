"""What the API tells of evaluations: metrics, folds, curves, provenance."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.api.contract import (
    INTEGER,
    NUMBER,
    TEXT,
    TYPES,
    URL,
    Schema,
    columns_of,
    listing,
    maybe,
    record,
    words,
)
from app.api.table import cell, lines
from app.errors import NotFound
from app.evaluations.leaderboard import fetch_scores
from app.evaluations.results import fetch_curves
from app.explorer.catalogue import Catalogue, Named
from app.models import Evaluation, FoldScore
from app.moments import utc_text

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
        "tar_at_far_1e2": "True accept rate at a false accept rate of 1e-2",
        "tar_at_far_1e3": "True accept rate at a false accept rate of 1e-3",
        "ece": "Expected calibration error over ten bins of [0.5, 1]",
        "confidence_right": "Mean confidence of right predictions",
        "confidence_wrong": "Mean confidence of wrong predictions",
    },
)
_DESCRIBED: Final = {
    "fold_count": INTEGER,
    "model_licence": TEXT,
    "dataset_licence": TEXT,
    "finished": words(TYPES[datetime], "When, with its zone"),
}
_RATES: Final = dict.fromkeys(("false_match_rate", "true_match_rate"), maybe(NUMBER))


def _numbers(*names: str) -> Schema:
    return record(dict.fromkeys(names, NUMBER))


EVALUATION_ROW: Final = record(
    {**_NAMED, **_METRICS, **_DESCRIBED, "url": URL}, title="EvaluationRow"
)
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
                "roc": listing(_numbers("threshold", "false_match_rate", "true_match_rate")),
                "det": listing(_numbers("threshold", "false_match_rate", "false_non_match_rate")),
                "operating_points": listing(
                    record({"far": NUMBER, "threshold": maybe(NUMBER), **_RATES})
                ),
                "fold_points": listing(record({"fold": INTEGER, "threshold": NUMBER, **_RATES})),
                "confidence": record(
                    {
                        "distance": listing(NUMBER),
                        "folds": listing(
                            record(
                                {
                                    "fold": INTEGER,
                                    "c": words(listing(NUMBER), "Equation (2), in [0, 1]"),
                                    "confidence": words(listing(NUMBER), "Equation (3)"),
                                }
                            )
                        ),
                    }
                ),
                "accuracy_above": listing(
                    record(
                        {
                            "confidence": NUMBER,
                            "count": INTEGER,
                            "share": NUMBER,
                            "accuracy": maybe(NUMBER),
                        }
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
    """Return every evaluation with its metrics, licences and date, by model and then dataset."""
    return [
        _named(score.evaluation)
        | _metrics(score.evaluation)
        | {
            "fold_count": score.fold_count,
            "model_licence": score.model.licence,
            "dataset_licence": score.dataset.licence,
            "finished": utc_text(score.evaluation.finished),
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
        | {"finished": utc_text(evaluation.finished)},
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
