"""The site: rows and pages. It never loads the pipeline's heavy libraries."""

from __future__ import annotations

from flask import Flask

from app.assets import Assets
from app.data.shelf import Shelf
from app.extensions import db
from app.media import MediaStore
from app.settings import ROOT, Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the site from ``settings`` (from the environment where none are given)."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    app.config["SETTINGS"] = settings
    app.extensions["media_store"] = MediaStore(settings.media_url)
    app.extensions["release_shelf"] = Shelf(settings.media_url)
    from app import cli, compression, database, errors, headers, migrations, page_cache, triage
    from app import models as _tables  # noqa: F401  tables before migrations

    app.config["SQLALCHEMY_DATABASE_URI"] = database.engine_url(settings.database_url)
    db.init_app(app)
    migrations.init_app(app)
    database.init_app(app)
    errors.init_app(app)
    headers.init_app(app)
    compression.init_app(app)
    page_cache.init_app(app)
    cli.init_app(app)
    Assets(ROOT / "static").init_app(app)
    _register_pages(app)
    triage.init_app(app)
    return app


def _register_pages(app: Flask) -> None:
    from app.api.docs import blueprint as docs
    from app.api.routes import blueprint as api
    from app.data.routes import blueprint as data
    from app.evaluations.plotly_file import blueprint as plotly
    from app.evaluations.routes import blueprint as evaluations
    from app.explorer.routes import blueprint as explorer
    from app.pages.routes import blueprint as pages
    from app.viewer.api import blueprint as explanations
    from app.viewer.compare_routes import blueprint as comparison
    from app.viewer.context import scientific
    from app.viewer.media import blueprint as media
    from app.viewer.routes import blueprint as viewer

    for blueprint in (
        pages,
        explorer,
        evaluations,
        api,
        docs,
        viewer,
        comparison,
        media,
        explanations,
        data,
        plotly,
    ):
        app.register_blueprint(blueprint)
    app.add_template_filter(scientific)
