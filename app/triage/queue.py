"""What is to be reviewed: the pairs below the limit, the next of them, and how many are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, cast, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.errors import BadQuery, NotFound
from app.explorer.queries import COUNT_LIMIT, Count
from app.models import Evaluation, Explanation, ExplanationSet, Image, Pair, Result, Review
from app.triage.study import Study

# Multiplying by this, modulo a prime, sends neighbouring ids far from each other: an order that
# says nothing of label, fold or confidence, and is the same for every reviewer.
FACTOR: Final = 2_654_435_761
PRIME: Final = 4_294_967_291


@dataclass(frozen=True)
class Candidate:
    """A pair with what the model says of it; neither label nor names, so no page can tell them.

    ``xmaps`` are keys of the media store by method and side (I1 to III2), empty where the pair is
    not explained.
    """

    pair_id: int
    faces: tuple[str, str]
    distance: float
    threshold: float
    confidence: float
    prediction: bool
    xmaps: dict[str, str]
    is_flat: bool


@dataclass(frozen=True)
class Progress:
    """How many pairs are in the queue, and how many of them the reviewer has answered."""

    queue: Count
    done: int


def in_queue(study: Study) -> ColumnElement[bool]:
    """Return the condition that a result belongs to the queue, without dataset and model."""
    below = Result.confidence < study.below
    return below & Result.explained if study.explained else below


def of_evaluation(study: Study) -> ColumnElement[bool]:
    """Return the condition that a result is one of the study's evaluation."""
    return (Result.model_id == study.model.id) & (Result.dataset_id == study.dataset.id)


def is_answered(study: Study) -> ColumnElement[bool]:
    """Return the condition that the reviewer has answered the pair of a result."""
    return exists().where(
        Review.pair_id == Result.pair_id,
        Review.model_id == study.model.id,
        Review.reviewer == study.reviewer,
    )


def count_queue(session: Session, study: Study) -> Progress:
    """Count the queue, up to 10,000, and what the reviewer has done of it: two statements."""
    everything = select(literal(1)).select_from(Result).where(of_evaluation(study), in_queue(study))
    queue = _count(session, everything.limit(COUNT_LIMIT + 1))
    done = 0
    if study.reviewer:
        # From the answers to their results: a reviewer has fewer of them than a queue has pairs.
        mine = (Review.pair_id == Result.pair_id) & (Review.model_id == study.model.id)
        first = (Review.reviewer == study.reviewer) & (Review.revision == 1)
        done = _count(session, everything.join(Review, mine & first))
    return Progress(Count(min(queue, COUNT_LIMIT), exact=queue <= COUNT_LIMIT), done)


def _count(session: Session, rows: Any) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def next_pair(session: Session, study: Study, *, after: int | None = None) -> int | None:
    """Return the first pair, behind ``after``, which the reviewer has not answered yet."""
    keys = _keys(study)
    statement = select(Result.pair_id).where(
        of_evaluation(study), in_queue(study), ~is_answered(study)
    )
    if after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*_keys_of(study, after)))
    return session.scalar(statement.order_by(*keys).limit(1))


def require_result(session: Session, study: Study, pair_id: int, *, parameter: str) -> None:
    """Raise `BadQuery` where a pair is none of the study's evaluation."""
    known = select(literal(1)).where(of_evaluation(study), Result.pair_id == pair_id)
    if session.scalar(known) is None:
        raise BadQuery(
            f"{study.model.name} has no result of a pair {pair_id} in {study.dataset.name}.",
            parameter=parameter,
            value=str(pair_id),
        )


def _keys(study: Study) -> tuple[Any, Any]:
    if study.order == "mixed":
        large = cast(Result.pair_id, BigInteger) * literal(FACTOR, BigInteger)
        return large % literal(PRIME, BigInteger), Result.pair_id
    return Result.confidence, Result.pair_id


def _keys_of(study: Study, pair_id: int) -> tuple[Any, Any]:
    if study.order == "mixed":
        return literal(pair_id * FACTOR % PRIME, BigInteger), literal(pair_id)
    that = aliased(Result)
    confidence = select(that.confidence).where(
        that.pair_id == pair_id, that.model_id == study.model.id
    )
    return confidence.scalar_subquery(), literal(pair_id)


def load_candidate(session: Session, study: Study, pair_id: int) -> Candidate:
    """Return a pair of the study's evaluation as the reviewer sees it: two statements.

    Raises
    ------
    NotFound
        Where the model has no result of such a pair in the dataset.
    """
    first, second = aliased(Image), aliased(Image)
    row = session.execute(
        select(Result, first.media, second.media)
        .join(Pair, Pair.id == Result.pair_id)
        .join(first, first.id == Pair.image1_id)
        .join(second, second.id == Pair.image2_id)
        .where(of_evaluation(study), Result.pair_id == pair_id)
    ).first()
    if row is None:
        raise NotFound(
            f"{study.model.name} has no result of a pair {pair_id} in {study.dataset.name}."
        )
    result, *faces = row
    explanation = session.execute(
        select(Explanation.xmaps, Explanation.status)
        .join(ExplanationSet, ExplanationSet.id == Explanation.set_id)
        .join(Evaluation, Evaluation.id == ExplanationSet.evaluation_id)
        .where(Explanation.pair_id == pair_id, Evaluation.model_id == study.model.id)
        .order_by(ExplanationSet.name != "default", ExplanationSet.name)
        .limit(1)
    ).first()
    xmaps, status = explanation or ({}, "")
    return Candidate(
        pair_id=pair_id,
        faces=(faces[0], faces[1]),
        distance=result.distance,
        threshold=result.threshold,
        confidence=result.confidence,
        prediction=result.prediction,
        xmaps=xmaps,
        is_flat=status == "flat",
    )
