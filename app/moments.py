"""Times as the site tells them: all are stored in UTC, and SQLite keeps no zone."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(moment: datetime, *, timespec: str = "auto") -> str:
    """Return a stored time as ISO 8601 with its zone; ``timespec`` as in `datetime.isoformat`."""
    aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.isoformat(timespec=timespec)
