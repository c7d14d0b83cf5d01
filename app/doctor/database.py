"""Whether the database can be reached, and is at the migration that the code expects."""

from __future__ import annotations

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.doctor.finding import Finding
from app.migrations import current_revision, known_revisions, migration_head
from app.models import Dataset, Evaluation, FaceModel


def check_database(session: Session, url: str) -> Finding:
    """Read the migration of the database, and count what is published in it."""
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        current = current_revision(session)
        if current == migration_head():
            return Finding("right", "database", f"{shown}, migration {current}, {_held(session)}")
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        why = str(cause).strip().splitlines()[:1] or [type(cause).__name__]
        return Finding(
            "wrong",
            "database",
            f"{shown} cannot be used: {why[0]}",
            "Check DATABASE_URL, and that the server runs.",
        )
    text = f"{shown} is at migration {current or 'none'}, the code at {migration_head()}"
    if current is not None and current not in known_revisions():
        return Finding("wrong", "database", text, "The code is older: update it.")
    return Finding("wrong", "database", text, "Run: flask db upgrade")


def _held(session: Session) -> str:
    counts = [
        session.scalar(select(func.count()).select_from(table)) or 0
        for table in (Dataset, FaceModel, Evaluation)
    ]
    return "published: {} datasets, {} models, {} evaluations".format(*counts)
