"""Commands on the stored answers: ``flask triage``."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.commands.outcome import agrees, fail, teaching
from app.errors import BadQuery
from app.extensions import db
from app.triage.reviews import count_by_reviewer, delete_reviewer
from app.triage.study import read_name

commands = AppGroup("triage", help="List and delete what reviewers answered.")


@commands.command("list")
@teaching
def list_reviewers() -> None:
    """List every name that answers are stored under, with their number."""
    found = count_by_reviewer(db.session())
    for name, count in found:
        click.echo(f"{count:>7}  {name}")
    if not found:
        click.echo("No answer is stored.")


@commands.command("delete")
@click.option("--reviewer", required=True, help="The name, as `flask triage list` shows it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@teaching
def delete(reviewer: str, *, yes: bool) -> None:
    """Delete all answers that are stored under a name, for good."""
    try:
        name = read_name(reviewer)
    except BadQuery as error:
        fail(error.message)
    if not yes and not agrees(f"Delete all answers of {name!r} for good?"):
        fail(f"nothing of {name!r} was deleted (--yes agrees).")
    gone = delete_reviewer(db.session(), name)
    if not gone:
        fail(f"no answer is stored under {name!r}. See: flask triage list")
    click.echo(f"Deleted {gone} answers of {name!r}.")
