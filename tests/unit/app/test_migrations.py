"""The migrated database is the models' database, and can be taken down again."""

from __future__ import annotations

import flask_migrate
from flask import Flask
from sqlalchemy import inspect

from app.extensions import db


def test_models_and_migrations_agree(app: Flask) -> None:
    with app.app_context():
        flask_migrate.check()


def test_the_first_migration_goes_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        flask_migrate.upgrade()
        assert "result" in inspect(db.engine).get_table_names()
