"""How far the published datasets are: what a model says of them, and what is explained."""

from __future__ import annotations

from typing import Literal

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.models import Dataset, Evaluation


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
