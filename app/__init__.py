"""The site: rows and pages. It never loads the pipeline's heavy libraries."""

from __future__ import annotations

from flask import Flask

from app.extensions import db, migrate
from app.settings import ROOT, Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the site from ``settings`` (from the environment where none are given)."""
    settings = settings or Settings.from_environment()
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
    )
    app.config["SETTINGS"] = settings
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    from app import cli, database, models  # noqa: F401  the tables must be known before a migration

    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    database.init_app(app)
    cli.init_app(app)
    return app
