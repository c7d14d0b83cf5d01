"""Commands on the stored answers: ``flask triage``."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from app.errors import BadQuery
from app.extensions import db
from app.triage.reviews import count_by_reviewer, delete_reviewer
from app.triage.study import read_name

DONE, FAILED = 0, 2

commands = AppGroup("triage", help="List and delete what reviewers answered.")


@commands.command("list")
def list_reviewers() -> None:
    """List every name that answers are stored under, with their number."""
    try:
        found = count_by_reviewer(db.session())
    except SQLAlchemyError as error:
        _fail(error)
    for name, count in found:
        click.echo(f"{count:>7}  {name}")
    if not found:
        click.echo("No answer is stored.")


@commands.command("delete")
@click.option("--reviewer", required=True, help="The name, as `flask triage list` shows it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(reviewer: str, *, yes: bool) -> None:
    """Delete all answers that are stored under a name, for good."""
    try:
        name = read_name(reviewer)
    except BadQuery as error:
        click.echo(f"Error: {error.message}", err=True)
        sys.exit(FAILED)
    if not yes:
        click.confirm(f"Delete all answers of {name!r} for good?", abort=True)
    try:
        gone = delete_reviewer(db.session(), name)
    except SQLAlchemyError as error:
        _fail(error)
    if not gone:
        click.echo(f"Error: no answer is stored under {name!r}. See: flask triage list", err=True)
        sys.exit(FAILED)
    click.echo(f"Deleted {gone} answers of {name!r}.")


def _fail(error: SQLAlchemyError) -> NoReturn:
    first = str(error).splitlines()[0]
    click.echo(
        f"Error: The database cannot be used ({first}). If it is new, run: flask db upgrade",
        err=True,
    )
    sys.exit(FAILED)
