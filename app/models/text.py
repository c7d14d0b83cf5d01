"""Text that is sorted and compared: by code point, on every database."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.types import TypeEngine


def ordered_text(length: int) -> TypeEngine[str]:
    """Return the type of a text column which the explorer sorts and pages by.

    SQLite compares bytes. PostgreSQL would follow the server's locale, under which two names may
    compare otherwise than in Python, and ``ILIKE`` would fold letters that SQLite does not: there
    the column has the collation ``C``.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")
