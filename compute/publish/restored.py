"""What a release holds into the database that lacks it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select

from app.extensions import db
from app.models import (
    Dataset,
    Evaluation,
    ExplanationSet,
    FaceModel,
    FoldScore,
    Result,
    ResultColumn,
)
from compute.publish.derived import refresh_explained, write_result_columns
from compute.publish.explanations import insert_explanations
from compute.releases.manifest import Manifest, SetFacts
from compute.releases.rows import row_values


@dataclass(frozen=True)
class RestoredSet:
    """An explanation set of a release, and the rows of it that the database lacks."""

    facts: SetFacts
    explanations: Iterable[dict[str, Any]]


@dataclass(frozen=True)
class RestoredRows:
    """What a release holds and the database lacks; columns of scores and folds by name, or None."""

    manifest: Manifest
    scores: dict[str, list[Any]] | None
    folds: dict[str, list[Any]] | None
    sets: Sequence[RestoredSet]


def restore_rows(restored: RestoredRows) -> None:
    """Publish what a release holds and the database lacks, in one transaction."""
    try:
        _restore(restored)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def _restore(restored: RestoredRows) -> None:
    manifest = restored.manifest
    dataset, name = manifest.dataset["name"], manifest.model["name"]
    host = {"host": f"release {manifest.version}"}
    dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=dataset)).one()
    model_id = db.session.scalar(select(FaceModel.id).filter_by(name=name))
    if model_id is None:
        model = FaceModel(**row_values(FaceModel, manifest.model))
        db.session.add(model)
        db.session.flush()
        model_id = model.id
    keys = {"dataset_id": dataset_id, "model_id": model_id}
    if restored.scores is not None and restored.folds is not None:
        confidence = restored.scores["confidence"]
        row = Evaluation(
            **row_values(Evaluation, manifest.evaluation),
            confidence_mean=float(np.mean(confidence)) if confidence else None,
            **keys,
            **host,
        )
        row.folds = [FoldScore(**fold) for fold in _records(restored.folds)]
        db.session.add(row)
        fixed = {**keys, "explained": False}
        scores = [score | fixed for score in _records(restored.scores)]
        if scores:
            db.session.execute(insert(Result), scores)
        db.session.flush()
    evaluation_id = db.session.scalars(select(Evaluation.id).filter_by(**keys)).one()
    for each in restored.sets:
        values = row_values(ExplanationSet, each.facts.facts)
        found = db.session.scalar(
            select(ExplanationSet).filter_by(evaluation_id=evaluation_id, name=each.facts.name)
        )
        if found is None:
            found = ExplanationSet(evaluation_id=evaluation_id, **values, **host)
            db.session.add(found)
        found.wanted_count = max(found.wanted_count, values["wanted_count"])
        db.session.flush()
        insert_explanations(found.id, model_id, each.explanations)
    db.session.execute(delete(ResultColumn).filter_by(**keys))
    write_result_columns(dataset_id, model_id)
    refresh_explained(dataset_id, model_id)


def _records(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    names = tuple(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
