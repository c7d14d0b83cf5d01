"""How ``datasets remove`` and ``models remove`` ask, and what they take off the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from flask import current_app

from app.commands.outcome import agrees, fail

if TYPE_CHECKING:
    from compute.publish.withdrawn import Kind

AGREED: Final = click.option("--yes", "agreed", is_flag=True, help="Do not ask, for scripts.")


def is_published(kind: Kind, name: str) -> bool:
    """Tell whether the site has a dataset or a model of this name."""
    from compute.publish.withdrawn import hanging

    return hanging(kind, name) is not None


def confirm_removal(kind: Kind, name: str, *, agreed: bool) -> None:
    """Say what goes from the site and ask; exit where that is not agreed to."""
    from compute.publish.withdrawn import hanging

    goes = hanging(kind, name)
    if goes is None:
        click.echo(f"Of {name} the site has nothing.")
    else:
        click.echo(
            f"From the site goes all of {name}: {goes.evaluations} evaluations, {goes.explained} "
            f"explained pairs, {goes.answers} answers of reviewers. Releases stay."
        )
    if not agreed and not agrees(f"Remove the {kind} {name}?"):
        fail(f"{name} was not removed (--yes agrees).")


def withdraw(kind: Kind, name: str) -> None:
    """Take a dataset or a model off the site."""
    from compute.publish import Publisher

    Publisher(current_app.extensions["media_store"]).withdraw(kind, name)
