"""The migrations in the code, and the one that a database is at.

Alembic is loaded when it is first needed: it is a fifth of what the site takes to start.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import click
from flask import Flask
from sqlalchemy.orm import Session

from app.extensions import db
from app.settings import ROOT

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

FOLDER = ROOT / "migrations"


class Migrations:
    """Stands where Flask-Migrate's settings of an app will be, until ``flask db`` looks at them."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        """Let Flask-Migrate take this one's place, and ask that."""
        from flask_migrate import Migrate

        Migrate(self._app, db, directory=str(FOLDER), render_as_batch=True, compare_type=True)
        return getattr(self._app.extensions["migrate"], name)


class DbCommands(click.Command):
    """Flask-Migrate's commands."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Hand over to them."""
        from flask_migrate.cli import db as commands

        return cast(click.Group, commands).make_context(*args, **more)


def init_app(app: Flask) -> None:
    """Add ``flask db``."""
    app.extensions["migrate"] = Migrations(app)
    app.cli.add_command(DbCommands("db", help="Perform database migrations."))


@cache
def migration_head() -> str | None:
    """Return the newest revision of the migrations in the code."""
    return _scripts().get_current_head()


def known_revisions() -> set[str]:
    """Return every revision of the migrations in the code."""
    return {script.revision for script in _scripts().walk_revisions()}


def current_revision(session: Session) -> str | None:
    """Return the revision that a database is at; None where none was ever run."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(session.connection()).get_current_revision()


def _scripts() -> ScriptDirectory:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config)
