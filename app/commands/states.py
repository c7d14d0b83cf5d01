"""How far the published datasets are: what a model says of them, and what is explained."""

from __future__ import annotations

from typing import Literal

import click
from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.models import Dataset, Evaluation, Explanation, ExplanationSet


def published_states() -> dict[str, Literal["verified", "explained"]]:
    """Return the state of each dataset that a model was run on, by name.

    Without a database none is known: that is said, and the rest of the list still holds.
    """
    explained = exists().where(
        ExplanationSet.evaluation_id == Evaluation.id, Explanation.set_id == ExplanationSet.id
    )
    query = select(Dataset.name, explained).join(Evaluation, Evaluation.dataset_id == Dataset.id)
    try:
        rows = db.session.execute(query).all()
    except SQLAlchemyError as error:
        first = str(error).splitlines()[0]
        click.echo(f"What is verified is not known: no database ({first}).", err=True)
        return {}
    states: dict[str, Literal["verified", "explained"]] = {}
    for name, is_explained in sorted(rows, key=lambda row: row[1]):
        states[name] = "explained" if is_explained else "verified"
    return states
