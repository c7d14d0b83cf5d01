"""What the site has published, as commands tell it: states of datasets, figures of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.models import Dataset, Evaluation, Explanation, ExplanationSet, FaceModel

if TYPE_CHECKING:
    from compute.models.card import Measured
    from compute.registry import ModelEntry


def published_states() -> dict[str, Literal["verified", "explained"]]:
    """Return the state of each dataset that a model was run on, by name.

    Without a database none is known: that is said, and the rest of the list still holds.
    """
    query = (
        select(Dataset.name, func.max(Evaluation.explained_count))
        .join(Evaluation, Evaluation.dataset_id == Dataset.id)
        .group_by(Dataset.name)
    )
    try:
        rows = db.session.execute(query).all()
    except SQLAlchemyError as error:
        first = str(error).splitlines()[0]
        click.echo(f"What is verified is not known: no database ({first}).", err=True)
        return {}
    return {name: "explained" if explained else "verified" for name, explained in rows}


def measured(entry: ModelEntry) -> list[Measured]:
    """Read what the site published of this very model; nothing where it has no database yet."""
    from compute.models.card import Measured

    explained = (
        select(func.count())
        .select_from(Explanation)
        .join(ExplanationSet, Explanation.set_id == ExplanationSet.id)
        .where(ExplanationSet.evaluation_id == Evaluation.id)
        .scalar_subquery()
    )
    query = (
        select(Dataset.name, Evaluation, explained)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .where(FaceModel.name == entry.name, FaceModel.sha256 == entry.sha256)
        .order_by(Dataset.name)
    )
    try:
        rows = db.session.execute(query).all()
    except SQLAlchemyError:
        click.echo("The site has no database yet: what it measured is not shown.", err=True)
        return []
    return [
        Measured(
            dataset=dataset,
            pairs=row.pair_count,
            accuracy=row.accuracy,
            accuracy_std=row.accuracy_std,
            threshold=row.threshold_mean,
            eer=row.eer,
            auc=row.auc,
            ece=row.ece,
            explained=int(count),
        )
        for dataset, row, count in rows
    ]
