"""The answers of reviewers in the database. Nothing else that the site does writes anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import psycopg.errors
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, aliased

from app.errors import SiteError
from app.models import Pair, Review
from app.triage.answer import Answer
from app.triage.queue import Candidate
from app.triage.study import Study

MOST_A_MINUTE: Final = 120
"""Answers that the whole site takes in a minute: twenty quick reviewers at a time."""
MOST: Final = 1_000_000
"""Answers that the whole site takes: so that nobody fills its disk."""
PATIENCE: Final = 3000
"""Milliseconds that an answer waits for SQLite while something else, the pipeline, writes."""
USUAL_PATIENCE: Final = 30_000
ATTEMPTS: Final = 3

READ_ONLY: Final = (
    "The database of this site can only be read, so answers cannot be stored here. Whoever runs "
    "it: give it a database that it may write to, or set XFV_TRIAGE=off."
)


class NotStored(SiteError):  # noqa: N818  named for what is told
    """The answer could not be written."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_stored"


class TooMany(SiteError):  # noqa: N818  named for what is told
    """More answers than the site takes."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_reviews"


def store_review(session: Session, study: Study, candidate: Candidate, answer: Answer) -> None:
    """Store an answer as the reviewer's latest on its pair, in a transaction of its own.

    The same answer twice, as a double click sends it, is one answer. Two at the same time cannot
    both become revision n: the second reads again and finds what the first wrote.

    Raises
    ------
    TooMany
        Where the site took enough in the last minute, or altogether.
    NotStored
        Where the database is busy, full or read-only.
    """
    for _attempt in range(ATTEMPTS):
        earlier = reviews_of(session, study, candidate.pair_id)
        latest = earlier[-1] if earlier else None
        if latest and (latest.answer, latest.certainty) == (answer.answer, answer.certainty):
            return
        _refuse_floods(session)
        now = datetime.now(UTC)
        try:
            _insert(
                session,
                pair_id=candidate.pair_id,
                model_id=study.model.id,
                reviewer=study.reviewer,
                revision=latest.revision + 1 if latest else 1,
                answer=answer.answer,
                certainty=answer.certainty,
                # Blind pages show the machine's decision after the first answer.
                machine_shown=latest is not None or not study.is_blind,
                prediction=candidate.prediction,
                confidence=candidate.confidence,
                seconds=answer.seconds(now.timestamp()),
                created=now,
            )
        except IntegrityError:
            session.rollback()
        else:
            return
    raise NotStored("Your answer met another one on the same pair. Please send it again.")


def _insert(session: Session, **values: object) -> None:
    try:
        _be_patient(session, PATIENCE)
        try:
            session.execute(insert(Review).values(**values))
        finally:
            _be_patient(session, USUAL_PATIENCE)
        session.commit()
    except IntegrityError:
        raise
    except DBAPIError as error:
        session.rollback()
        told = _explain(error)
        if told is None:
            raise
        raise told from error


def _be_patient(session: Session, milliseconds: int) -> None:
    # PostgreSQL lets nobody wait here: its rows are written side by side.
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}").close()


def _explain(error: DBAPIError) -> NotStored | None:
    cause = error.orig
    if isinstance(
        cause, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.InsufficientPrivilege
    ):
        return NotStored(READ_ONLY)
    if not isinstance(cause, sqlite3.OperationalError):
        return None
    if "readonly" in str(cause):
        return NotStored(READ_ONLY)
    if "locked" in str(cause) or "busy" in str(cause):
        return NotStored(
            "The database is busy with other work, so your answer was not stored. Please go back "
            "and send it again."
        )
    if "full" in str(cause):
        return NotStored("The disk of this site is full, so your answer was not stored.")
    return None


def _refuse_floods(session: Session) -> None:
    minute = datetime.now(UTC) - timedelta(minutes=1)
    recent = session.scalar(select(func.count()).where(Review.created > minute)) or 0
    if recent >= MOST_A_MINUTE:
        raise TooMany(
            f"This site takes {MOST_A_MINUTE} answers a minute from all reviewers together. Your "
            "answer was not stored: please wait a minute and send it again."
        )
    held = select(Review.id).limit(MOST).subquery()
    if (session.scalar(select(func.count()).select_from(held)) or 0) >= MOST:
        raise TooMany(f"This site holds {MOST:,} answers, which is all that it takes.")


def reviews_of(session: Session, study: Study, pair_id: int) -> Sequence[Review]:
    """Return all that the reviewer answered on a pair and model, the latest last."""
    return session.scalars(
        select(Review)
        .where(
            Review.pair_id == pair_id,
            Review.model_id == study.model.id,
            Review.reviewer == study.reviewer,
        )
        .order_by(Review.revision)
    ).all()


def review_before(session: Session, study: Study, first: Review | None) -> Review | None:
    """Return the latest answer on the pair that was answered before: the way back.

    Pairs follow each other as they were first answered; ``first`` is the first answer on the pair
    to go back from, None for a pair that has none yet.
    """
    opening = aliased(Review)
    previous = (
        select(opening.pair_id)
        .join(Pair, Pair.id == opening.pair_id)
        .where(
            opening.model_id == study.model.id,
            opening.reviewer == study.reviewer,
            opening.revision == 1,
            Pair.dataset_id == study.dataset.id,
        )
        .order_by(opening.id.desc())
        .limit(1)
    )
    if first is not None:
        previous = previous.where(opening.id < first.id)
    return session.scalar(
        select(Review)
        .where(
            Review.pair_id == previous.scalar_subquery(),
            Review.model_id == study.model.id,
            Review.reviewer == study.reviewer,
        )
        .order_by(Review.revision.desc())
        .limit(1)
    )


def can_store(session: Session) -> bool:
    """Return whether the database takes answers, as far as it can be known before one comes."""
    engine = session.get_bind().engine
    if engine.dialect.name == "sqlite":
        return "immutable" not in engine.url.query
    allowed = "has_table_privilege('review', 'INSERT')"
    fixed = "current_setting('transaction_read_only') = 'on'"
    return bool(session.scalar(text(f"SELECT {allowed} AND NOT {fixed}")))


def count_by_reviewer(session: Session) -> list[tuple[str, int]]:
    """Return every name with the number of its answers, changed ones included."""
    rows = session.execute(
        select(Review.reviewer, func.count()).group_by(Review.reviewer).order_by(Review.reviewer)
    )
    return [(name, count) for name, count in rows]


def delete_reviewer(session: Session, name: str) -> int:
    """Delete all answers under a name and return how many there were."""
    gone = len(session.scalars(delete(Review).filter_by(reviewer=name).returning(Review.id)).all())
    session.commit()
    return gone
