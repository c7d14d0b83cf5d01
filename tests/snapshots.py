"""The rows of a filled database, kept to be put into an empty one in a moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, text

from app.extensions import Base

KEPT: Final = "kept"
"""The schema of PostgreSQL that holds the copies."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Make ``target`` the same database as ``source``, also where it is open already."""
    with closing(sqlite3.connect(source)) as rows, closing(sqlite3.connect(target)) as place:
        rows.backup(place)


def empty_postgresql(database_url: str) -> None:
    """Delete all rows; the next ids are the first ones again."""
    with _transaction(database_url) as connection:
        _truncate(connection)


def keep_postgresql(database_url: str) -> None:
    """Keep a copy of all rows beside them, in a schema of its own."""
    with _transaction(database_url) as connection:
        connection.execute(text(f"CREATE SCHEMA {KEPT}"))
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"CREATE TABLE {KEPT}.{table} AS TABLE {table}"))


def restore_postgresql(database_url: str) -> None:
    """Put the rows that were kept in place of all others; ids go on after theirs."""
    with _transaction(database_url) as connection:
        _truncate(connection)
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"INSERT INTO {table} TABLE {KEPT}.{table}"))
            if table.autoincrement_column is not None:
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                connection.execute(
                    text(f"SELECT setval({sequence}, max(id)) FROM {table} HAVING count(*) > 0")
                )


@contextmanager
def _transaction(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _truncate(connection: Connection) -> None:
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
