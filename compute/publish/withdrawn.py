"""A dataset or a model out of the site again, with all that hangs on it and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Delete, Select, delete, func, select, text

from app.extensions import db
from app.media import MediaStore
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    Image,
    Pair,
    Review,
)

Kind = Literal["dataset", "model"]

_TABLES: Final[dict[Kind, type[Dataset] | type[FaceModel]]] = {
    "dataset": Dataset,
    "model": FaceModel,
}


@dataclass(frozen=True)
class Hanging:
    """What the site published of a dataset or a model, in numbers; answers are reviewers'."""

    evaluations: int
    explained: int
    answers: int


def hanging(kind: Kind, name: str) -> Hanging | None:
    """Count what goes with a dataset or a model; None where it is not published."""
    row = _row(kind, name)
    if row is None:
        return None
    evaluations = select(Evaluation.id).filter_by(**{f"{kind}_id": row})
    explained = (
        select(func.count())
        .select_from(Explanation)
        .join(ExplanationSet, Explanation.set_id == ExplanationSet.id)
        .where(ExplanationSet.evaluation_id.in_(evaluations))
    )
    answers = select(func.count()).select_from(Review)
    if kind == "model":
        answers = answers.where(Review.model_id == row)
    else:
        answers = answers.join(Pair, Review.pair_id == Pair.id).where(Pair.dataset_id == row)
    return Hanging(
        db.session.scalar(select(func.count()).select_from(evaluations.subquery())) or 0,
        db.session.scalar(explained) or 0,
        db.session.scalar(answers) or 0,
    )


def withdraw(media: MediaStore, kind: Kind, name: str) -> None:
    """Delete its rows in one transaction, then those of its pictures that no other row names.

    What is not published is nothing to withdraw. A killed process leaves at most pictures without
    rows, as publishing does.
    """
    row = _row(kind, name)
    if row is None:
        return
    evaluations = select(Evaluation.id).filter_by(**{f"{kind}_id": row})
    sets = select(ExplanationSet.id).where(ExplanationSet.evaluation_id.in_(evaluations))
    pictures = _pictures(select(Explanation.xmaps).where(Explanation.set_id.in_(sets)))
    if kind == "dataset":
        pictures |= _pictures(
            select(Image.media).filter_by(dataset_id=row),
            select(Pair.mask_media).filter_by(dataset_id=row),
        )
    db.session.execute(_quiet(delete(ExplanationSet).where(ExplanationSet.id.in_(sets))))
    if kind == "dataset":
        _delete_images(row)
    db.session.execute(_quiet(delete(_TABLES[kind]).where(_TABLES[kind].id == row)))
    db.session.commit()
    if pictures:
        pictures -= _pictures(
            select(Image.media), select(Pair.mask_media), select(Explanation.xmaps)
        )
    for key in sorted(pictures):
        media.delete(key)


def _delete_images(dataset: int) -> None:
    """Delete pairs, then images, of a dataset.

    For each image the database looks whether a pair of any dataset still shows it. No page needs an
    index for that, so it is there for this transaction only.
    """
    sides = ("image1_id", "image2_id")
    db.session.execute(_quiet(delete(Pair).filter_by(dataset_id=dataset)))
    for side in sides:
        db.session.execute(text(f"CREATE INDEX leaving_{side} ON pair ({side})"))
    db.session.execute(_quiet(delete(Image).filter_by(dataset_id=dataset)))
    for side in sides:
        db.session.execute(text(f"DROP INDEX leaving_{side}"))


def _quiet(statement: Delete) -> Delete:
    return statement.execution_options(synchronize_session=False)


def _row(kind: Kind, name: str) -> int | None:
    return db.session.scalar(select(_TABLES[kind].id).filter_by(name=name))


def _pictures(*queries: Select[Any]) -> set[str]:
    """Return the keys that queries for one column of them give: a key, a dict of keys, or none."""
    keys: set[str] = set()
    for query in queries:
        for value in db.session.scalars(query.execution_options(yield_per=1000)):
            if isinstance(value, dict):
                keys.update(value.values())
            elif value is not None:
                keys.add(value)
    return keys
