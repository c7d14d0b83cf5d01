"""Connections: SQLite in WAL mode with foreign keys, and a time limit on the site's queries."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, event, make_url

from app.extensions import db


def init_app(app: Flask) -> None:
    """Prepare each new connection of the app's engine."""
    url = make_url(app.config["SQLALCHEMY_DATABASE_URI"])
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    with app.app_context():
        if url.get_backend_name() == "sqlite":
            event.listen(db.engine, "connect", _prepare_sqlite)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.close()


__all__ = ["Engine", "init_app"]
