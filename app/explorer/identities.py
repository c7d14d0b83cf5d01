"""Who there is: identities by a part of their name, for the fields of the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.explorer.catalogue import Named
from app.models import Image

MOST_IDENTITIES: Final = 20


@dataclass(frozen=True)
class Identities:
    """The first names found, and whether there are others."""

    names: tuple[str, ...]
    more: bool


def find_identities(session: Session, text: str, datasets: Sequence[Named] = ()) -> Identities:
    """Return up to `MOST_IDENTITIES` identities of either image of a pair, names that begin first.

    Names are written with ``_`` between words and shown with a space: both are found by either.
    Upper and lower case of A to Z are not told apart.
    """
    written: ColumnElement[str] = func.replace(Image.identity, " ", "_")
    spelled = text.replace(" ", "_")
    names: dict[str, None] = {}
    # Names that begin with the text stand before those that hold it elsewhere.
    for condition in (
        written.istartswith(spelled, autoescape=True),
        written.icontains(spelled, autoescape=True),
    ):
        statement = select(Image.identity).where(condition).distinct().order_by(Image.identity)
        if datasets:
            statement = statement.where(Image.dataset_id.in_([each.id for each in datasets]))
        if len(names) <= MOST_IDENTITIES:
            found = session.scalars(statement.limit(2 * MOST_IDENTITIES + 1))
            names |= dict.fromkeys(found)
    return Identities(tuple(names)[:MOST_IDENTITIES], len(names) > MOST_IDENTITIES)
