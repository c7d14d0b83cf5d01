"""Runs Alembic inside the Flask app: one transaction per migration, on the app's own engine."""

from __future__ import annotations

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db


def run() -> None:
    """Migrate the app's database; SQLite alters tables by copying them (batch mode)."""
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadatas[None],
            render_as_batch=True,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Offline SQL scripts are not supported: run `flask db upgrade` on a database.")
run()
