"""Triage: people decide the pairs of which a model is least sure (the paper's section 6).

`study` is the state of its pages, `queue` reads what is to be reviewed, `reviews` writes the
answers (the only module of the site that writes), `scoring` says what they are worth.
"""

from __future__ import annotations

from flask import Flask

from app.settings import Settings


def init_app(app: Flask) -> None:
    """Add the pages and the export where the setting allows them, and the commands anyway."""
    from app.triage.commands import commands
    from app.triage.export import blueprint as export
    from app.triage.routes import blueprint as pages

    settings: Settings = app.config["SETTINGS"]
    app.cli.add_command(commands)
    app.jinja_env.globals["triage_on"] = settings.triage
    if settings.triage:
        app.register_blueprint(pages)
        app.register_blueprint(export)
