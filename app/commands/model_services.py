"""``flask models add --url``: models behind an HTTP address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from app.commands.outcome import site_settings

if TYPE_CHECKING:
    from compute.remote.service import RemoteEndpoint

_OF_A_FILE = ("color", "mean", "std", "layout", "output")
_OF_A_SERVICE = ("batch", "distances", "allow_private", "key_env", "timeout", "rate")


def require_one_kind(onnx: Path | None, url: str | None, batch: int | None) -> None:
    """Raise ``UsageError`` unless a file or a URL is given, with options of its kind only."""
    if (onnx is None) == (url is None):
        raise click.UsageError("Give the model as --onnx FILE or as --url URL.")
    if url is not None and batch is None:
        raise click.UsageError("--url needs --batch N: how many images a request may hold.")
    context = click.get_current_context()
    for option in _OF_A_SERVICE if url is None else _OF_A_FILE:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            kind = "--url" if url is None else "--onnx: a service prepares its pictures itself"
            raise click.UsageError(f"--{option.replace('_', '-')} belongs to {kind}.")


def add_service(
    name: str,
    url: str,
    batch: int,
    words: dict[str, str],
    *,
    distances: bool,
    **manners: Any,
) -> None:
    """Probe a service and add it to the registry; ``words`` are title, licence and source."""
    from compute.registry import ModelRegistry
    from compute.remote.service import RemoteEndpoint
    from compute.remote.transport import Manners

    given = {option: value for option, value in manners.items() if value is not None}
    endpoint = RemoteEndpoint(
        url, "distances" if distances else "embeddings", batch, Manners(**given)
    )
    entry = ModelRegistry(site_settings().data_dir).add_service(name, endpoint, **words)
    click.echo(f"{name} added: {behind(entry.endpoint or endpoint)}, SHA-256 {entry.sha256}.")
    if distances:
        click.echo(
            "It will be explained by method II only: methods I and III need embeddings, which this "
            "service does not give."
        )


def behind(endpoint: RemoteEndpoint) -> str:
    """Say in words what stands behind a URL."""
    given = f"{endpoint.dimension}-D embeddings" if endpoint.dimension else "distances only"
    return f"{given} from {endpoint.url}, batch {endpoint.batch}"
