"""Connections: how SQLite is opened, and a time limit on what a web request asks them."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import psycopg.errors
from flask import Flask, has_request_context
from sqlalchemy import ColumnElement, Connection, Engine, any_, bindparam, event, make_url
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from app.extensions import db
from app.settings import Settings, SettingsError

BINARY: Final = {"xfv_binary": True}
"""Execution options of a statement with many values: bytes are half of what they are as text."""

# SQLite asks the clock every so many instructions of its machine: about 0.1 ms of work.
INSTRUCTIONS_PER_CHECK: Final = 1000


def engine_url(database_url: str) -> str:
    """Return the URL that the engine opens, with read-only SQLite files named as such.

    A database on a read-only file system (a container image) can have no lock and no journal
    beside it: SQLite opens it only when told that nothing will change it (``immutable=1``).
    ``SettingsError`` where it is no URL.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:  # it does not repeat the URL: there may be a password in it
        raise SettingsError(
            "DATABASE_URL is no address of a database: expected sqlite:///FILE, or "
            "postgresql://USER:PASSWORD@HOST/NAME."
        ) from error
    path = _sqlite_path(url)
    if path is None or not path.is_file() or _is_writable(path):
        return database_url
    return f"sqlite:///file:{quote(str(path))}?mode=ro&immutable=1&uri=true"


def init_app(app: Flask) -> None:
    """Prepare each new connection of the app's engine."""
    url = make_url(app.config["SQLALCHEMY_DATABASE_URI"])
    settings: Settings = app.config["SETTINGS"]
    path = _sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with app.app_context():
        engine = db.engine
    _start_clock(engine, settings.query_seconds)
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, immutable="immutable" in url.query)
    elif url.get_backend_name() == "postgresql":
        _limit_postgresql(engine, settings.query_seconds)
        _send_binary(engine)


def _sqlite_path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return None if url.database.startswith("file:") else Path(url.database)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _prepare_sqlite(engine: Engine, *, immutable: bool) -> None:
    """Set the pragmas of each connection, and let it stop where its time is up."""

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        if not isinstance(connection, sqlite3.Connection):
            raise TypeError(f"{connection!r} is no connection of sqlite3.")
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        if not immutable:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA busy_timeout = 30000")
        # A page looks up thousands of rows: from memory, where the system keeps the file anyway.
        cursor.execute("PRAGMA mmap_size = 1073741824")
        cursor.close()
        info = entry.info

        def has_passed() -> bool:
            deadline = info.get("deadline")
            return deadline is not None and time.monotonic() > deadline

        connection.set_progress_handler(has_passed, INSTRUCTIONS_PER_CHECK)


def _send_binary(engine: Engine) -> None:
    """Ask PostgreSQL for binary values where a statement says so (``BINARY``)."""

    @event.listens_for(engine, "before_cursor_execute")
    def choose(
        _connection: Connection, cursor: Any, _text: str, _values: Any, context: Any, *_rest: Any
    ) -> None:
        if context is not None and context.execution_options.get("xfv_binary"):
            cursor.format = psycopg.pq.Format.BINARY


def among(dialect: str, column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """Return the condition that ``column`` is one of the numbers of the parameter ``name``, a list.

    PostgreSQL gets it as one array: the statement is the same text however long the list is, so
    psycopg reads it once and prepares it.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


def limit_statements(session: Session, seconds: float) -> None:
    """Let the rest of this transaction take ``seconds`` in all, instead of the setting."""
    connection = session.connection()
    connection.info["deadline"] = time.monotonic() + seconds
    if connection.dialect.name == "postgresql":
        connection.info["allowed"] = seconds
        # 0 would lift the limit.
        milliseconds = max(round(seconds * 1000), 1)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")


class OutOfTimeError(Exception):
    """The time of a transaction was used up by what was done between its statements."""


def check_time(session: Session) -> None:
    """Raise `OutOfTimeError` where this transaction's time is up: for long work on what was read.

    The database stops its own statements; whoever computes on whole columns asks here in between.
    """
    deadline = session.connection().info.get("deadline")
    if deadline is not None and time.monotonic() > deadline:
        raise OutOfTimeError


def is_late(error: DBAPIError) -> bool:
    """Return whether a statement was stopped because it took too long."""
    cause = error.orig
    return isinstance(cause, psycopg.errors.QueryCanceled) or (
        isinstance(cause, sqlite3.OperationalError) and str(cause) == "interrupted"
    )


def _start_clock(engine: Engine, seconds: float) -> None:
    """Give each transaction of a web request ``seconds`` in all; other work has no limit."""

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        limited = has_request_context()
        connection.info["deadline"] = time.monotonic() + seconds if limited else None


def _limit_postgresql(engine: Engine, seconds: float) -> None:
    """Let the server stop a statement that takes what is left of its transaction's time."""

    @event.listens_for(engine, "begin")
    def limit(connection: Connection) -> None:
        if has_request_context():
            connection.info["allowed"] = seconds
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")

    @event.listens_for(engine, "before_cursor_execute")
    def tighten(connection: Connection, cursor: DBAPICursor, *_details: Any) -> None:
        deadline = connection.info.get("deadline")
        if deadline is None or "allowed" not in connection.info:
            return
        left = deadline - time.monotonic()
        # Not before each statement: that would be as many again.
        if connection.info["allowed"] - left > seconds / 10:
            connection.info["allowed"] = left
            # 0 would lift the limit.
            cursor.execute(f"SET LOCAL statement_timeout = {max(round(left * 1000), 1)}")


__all__ = [
    "BINARY",
    "OutOfTimeError",
    "among",
    "check_time",
    "engine_url",
    "init_app",
    "is_late",
    "limit_statements",
]
