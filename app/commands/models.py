"""``flask models``: list, add and check face verification models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
from flask.cli import AppGroup

from app.commands.outcome import site_settings, teaching

models = AppGroup("models", help="List, add and check face verification models.")

_FILE = click.Path(path_type=Path)


@models.command("list")
@teaching
def models_list() -> None:
    """Show the registry."""
    from compute.registry import ModelRegistry

    entries = ModelRegistry(site_settings().data_dir).entries()
    for entry in entries.values():
        fed = entry.preprocessing
        batch = f"batch {entry.io.batch}" if entry.io.batch else "any batch"
        click.echo(
            f"{entry.name}: {entry.io.dimension}-D, {entry.io.layout}, {batch}, {fed.color}, mean "
            f"{_numbers(fed.mean)}, std {_numbers(fed.std)}, SHA-256 {entry.sha256}"
        )
    if not entries:
        click.echo("No models yet. Add one with: flask models add NAME --onnx FILE")


@models.command("add")
@click.argument("name")
@click.option("--onnx", type=_FILE, required=True, help="The model, one image in, one vector out.")
@click.option("--color", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True)
@click.option("--mean", default="0", show_default=True, help="M, or M,M,M in the model's order.")
@click.option("--std", default="1", show_default=True, help="S, or S,S,S in the model's order.")
@click.option(
    "--layout", type=click.Choice(["auto", "nchw", "nhwc"]), default="auto", show_default=True
)
@click.option("--output", help="Which output is the embedding, where several could be.")
@click.option("--title", default="", help="How the site calls it; NAME if left out.")
@click.option("--licence", default="", help="Licence of the weights, shown on the site.")
@click.option("--source", default="", help="Where the weights come from, shown on the site.")
@teaching
def models_add(
    name: str,
    onnx: Path,
    color: Literal["rgb", "bgr"],
    mean: str,
    std: str,
    layout: Literal["auto", "nchw", "nhwc"],
    output: str | None,
    title: str,
    licence: str,
    source: str,
) -> None:
    """Check an ONNX file and add it to the registry as NAME.

    The model is fed (x - mean) / std with x in 0..255, aligned faces of 112 x 112.
    """
    from compute.embedding import Preprocessing
    from compute.registry import ModelRegistry

    try:
        preprocessing = Preprocessing(color, _channels(mean), _channels(std))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    entry = ModelRegistry(site_settings().data_dir).add(
        name,
        onnx,
        preprocessing=preprocessing,
        layout=layout,
        output=output,
        title=title,
        licence=licence,
        source=source,
    )
    batch = f"at its fixed batch of {entry.io.batch}" if entry.io.batch else "at any batch"
    click.echo(
        f"{name} added: {entry.io.dimension}-D embeddings, {entry.io.layout}, {batch}, SHA-256 "
        f"{entry.sha256}."
    )
    for change in entry.changes:
        click.echo(f"{name}: {change}.")


@models.command("verify")
@click.argument("names", nargs=-1)
@teaching
def models_verify(names: tuple[str, ...]) -> None:
    """Check files and behaviour of the models NAMES (all by default) as when they were added."""
    from compute.registry import ModelRegistry

    registry = ModelRegistry(site_settings().data_dir)
    for name in names or registry.entries():
        registry.verify(registry.get(name))
        click.echo(f"{name}: file and behaviour are as they were when it was added.")


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in dict.fromkeys(values))


def _channels(text: str) -> tuple[float, float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r}: expected a number, or three separated by commas.") from None
    if len(values) not in (1, 3):
        raise ValueError(f"{text!r}: expected one number or three, found {len(values)}.")
    first, second, third = values * 3 if len(values) == 1 else values
    return first, second, third
