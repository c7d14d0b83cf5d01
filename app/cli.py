"""The commands of ``flask``: each has a module in ``app/commands/``; they load ``compute`` late."""

from __future__ import annotations

from flask import Flask

from app.commands.compute import compute
from app.commands.datasets import datasets
from app.commands.demo import demo
from app.commands.doctor import doctor
from app.commands.models import models
from app.commands.releases import export_release, import_release


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    for command in (datasets, models, compute, demo, doctor, export_release, import_release):
        app.cli.add_command(command)
