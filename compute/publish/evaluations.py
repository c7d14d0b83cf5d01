"""Models and evaluations into the database: metrics, folds, one result per pair."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from app.extensions import db
from app.models import Dataset, Evaluation, FaceModel, FoldScore, Result
from compute.datasets.store import PairRecord
from compute.errors import RunError
from compute.publish.derived import write_result_columns
from compute.registry import ModelEntry
from compute.runs import Conditions
from compute.verification import Verification


def publish_model(entry: ModelEntry) -> None:
    """Publish a model of the registry; one that is there already is left as it is."""
    known = db.session.scalar(select(FaceModel).filter_by(name=entry.name))
    if known is None:
        db.session.add(
            FaceModel(
                name=entry.name,
                title=entry.title,
                licence=entry.licence,
                source=entry.source,
                sha256=entry.sha256,
                dimension=entry.io.dimension,
                preprocessing=entry.fed,
            )
        )
    elif (known.sha256, known.preprocessing) != (entry.sha256, entry.fed):
        raise RunError(
            f"The database holds another model {entry.name!r} (SHA-256 "
            f"{known.sha256[:12]}..., fed {known.preprocessing}; in the registry "
            f"{entry.sha256[:12]}..., {entry.fed}). Add the model under another name, or remove "
            f"that with its results: flask models remove {entry.name}"
        )
    # Also where nothing was added: no transaction may stay open while images are embedded.
    db.session.commit()


def find_evaluation(dataset: str, model: str) -> Evaluation | None:
    """Return the evaluation of a model on a dataset, or None."""
    return db.session.scalar(
        select(Evaluation)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .where(Dataset.name == dataset, FaceModel.name == model)
    )


def publish_evaluation(
    dataset: str,
    model: str,
    pairs: Sequence[PairRecord],
    verification: Verification,
    conditions: Conditions,
    *,
    skipped: int,
) -> None:
    """Publish metrics, folds and one result per pair, in one transaction."""
    dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=dataset)).one()
    model_id = db.session.scalars(select(FaceModel.id).filter_by(name=model)).one()
    row = Evaluation(
        dataset_id=dataset_id,
        model_id=model_id,
        pair_count=len(pairs),
        skipped_count=skipped,
        **asdict(verification.metrics),
        confidence_mean=float(verification.validation.confidence.mean()),
        **_provenance(conditions),
        host=platform.node(),
        finished=datetime.now(UTC),
        folds=[
            FoldScore(fold=fold, **asdict(score), accuracy=verification.fold_accuracy[fold])
            for fold, score in verification.validation.folds.items()
        ],
    )
    db.session.add(row)
    columns = (
        [pair.id for pair in pairs],
        verification.distances.tolist(),
        verification.validation.threshold.tolist(),
        verification.validation.confidence.tolist(),
        verification.validation.prediction.tolist(),
        verification.correct.tolist(),
    )
    names = ("pair_id", "distance", "threshold", "confidence", "prediction", "correct")
    fixed = {"model_id": model_id, "dataset_id": dataset_id, "explained": False}
    db.session.execute(
        insert(Result),
        [dict(zip(names, values, strict=True)) | fixed for values in zip(*columns, strict=True)],
    )
    write_result_columns(dataset_id, model_id)
    db.session.commit()


def _provenance(conditions: Conditions) -> dict[str, Any]:
    """Return the columns of an evaluation; how the model is fed stands with the model."""
    return {key: value for key, value in asdict(conditions).items() if key != "fed"}
