"""``flask doctor``: whether everything that site and pipeline need is here and fits together."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import click
from flask import current_app
from flask.cli import with_appcontext

from app.commands.outcome import DONE, FAILED, SKIPPED, site_settings, teaching
from app.doctor.database import check_database
from app.doctor.finding import Finding
from app.doctor.packages import check_packages, check_python, serves_only
from app.doctor.surroundings import check_folders, check_pictures, check_settings
from app.extensions import db
from app.settings import Settings

_MARKS: Final = {"right": "ok", "absent": "-", "doubtful": "look", "wrong": "WRONG"}


@click.command("doctor")
@with_appcontext
@teaching
def doctor() -> None:
    """Check Python, packages, settings, database, folders, datasets and models.

    One line for each check, with what to do about it: ok; - for what is not here and not missed
    yet; look for what works but should be looked at (exit 1); WRONG (exit 2).
    """
    counts: Counter[str] = Counter()
    for found in _findings(site_settings()):
        counts[found.level] += 1
        remedy = f". {found.remedy}" if found.remedy else ""
        click.echo(f"{_MARKS[found.level]:6} {found.subject:13} {found.text}{remedy}")
    click.echo(
        f"{counts.total()} checks: {counts['right']} ok, {counts['absent']} not here, "
        f"{counts['doubtful']} to look at, {counts['wrong']} wrong."
    )
    sys.exit(FAILED if counts["wrong"] else SKIPPED if counts["doubtful"] else DONE)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield check_python()
    yield from check_packages()
    yield from check_settings(settings)
    session = db.session()
    yield check_database(session, settings.database_url)
    session.rollback()
    yield from check_folders(settings, serves_only=serves_only())
    yield check_pictures(session, current_app.extensions["media_store"], settings.media_url)
    if not serves_only():
        yield from _holdings(settings)


def _engines() -> Finding:
    from compute.engines.catalogue import ENGINES

    missing = {name: engine.why_not() for name, engine in ENGINES.items()}
    here = ", ".join(name for name, why in missing.items() if not why)
    absent = ", ".join(name for name, why in missing.items() if why)
    return Finding("right", "engines", here + (f"; not here: {absent}" if absent else ""))


def _holdings(settings: Settings) -> Iterator[Finding]:
    from compute.holdings import holdings

    yield _engines()
    kinds = set()
    for held in holdings(settings.data_dir, detectors=settings.detector_folders):
        kinds.add(held.kind)
        if held.doubt:
            yield Finding("doubtful", held.kind, held.doubt)
        else:
            yield Finding("wrong" if held.fault else "right", held.kind, held.fault or held.name)
    for kind, text, remedy in (
        ("dataset", "none is imported yet", "Run: flask datasets list"),
        ("model", "none is in the registry yet", "Run: flask models list"),
        (
            "detector",
            "not here; needed to import photographs only",
            "Run: flask models pull yunet, or with its file: flask models add yunet --onnx FILE",
        ),
    ):
        if kind not in kinds:
            yield Finding("absent", kind, text, remedy)
