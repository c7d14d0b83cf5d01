"""Whether the site has something complete to show (``/readyz``)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.migrations import current_revision, migration_head
from app.models import Dataset, Evaluation
from app.pages.overview import fetch_set_progress

DEMO = "demo"


def unready_reason(session: Session) -> str | None:
    """Return why the site is not ready; None where it is."""
    try:
        return _schema_reason(session) or _content_reason(session)
    except DBAPIError as error:
        return f"The database cannot be read: {type(error.orig).__name__}."
    except SQLAlchemyError as error:
        return f"The database cannot be reached: {type(error).__name__}."


def _schema_reason(session: Session) -> str | None:
    current = current_revision(session)
    head = migration_head()
    if current == head:
        return None
    return (
        f"The database is at migration {current or 'none'}, the code at {head}; "
        "run `flask db upgrade`."
    )


def _content_reason(session: Session) -> str | None:
    if session.scalar(select(Dataset.id).where(Dataset.name == DEMO)) is None:
        if session.scalar(select(Evaluation.id).limit(1)) is None:
            return "Nothing is verified yet; run `make demo` or `flask compute`."
        return None
    sets = [each for sets in fetch_set_progress(session, dataset=DEMO).values() for each in sets]
    if not sets:
        return "No pair of the demo is explained yet."
    for each in sets:
        if not each.is_complete:
            return f"Of the demo, {each.explained} of {each.wanted} pairs are explained."
    return None
