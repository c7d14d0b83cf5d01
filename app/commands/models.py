"""``flask models``: list, pull, add, check and remove face verification models; their cards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from flask.cli import AppGroup

from app.commands.model_services import add_service, behind, require_one_kind
from app.commands.outcome import agrees, fail, site_settings, teaching
from app.commands.published import measured
from app.commands.removal import AGREED, confirm_removal, is_published, withdraw

if TYPE_CHECKING:
    from compute.models.known import KnownModel
    from compute.registry import ModelEntry

models = AppGroup("models", help="List, pull, add, check and remove face verification models.")

_FILE = click.Path(path_type=Path)


@models.command("list")
@click.option("--known", is_flag=True, help="The models that others publish, too.")
@teaching
def models_list(*, known: bool) -> None:
    """Show the registry."""
    from compute.models.known import known_models
    from compute.registry import ModelRegistry

    entries = ModelRegistry(site_settings().data_dir).entries()
    for entry in entries.values():
        title = f"{entry.title}; " if entry.title != entry.name else ""
        click.echo(f"{entry.name}: {title}{_what_it_is(entry)}")
    if known:
        click.echo("Known (flask models pull NAME; what has no file to fetch is marked -):")
        for each in known_models().values():
            click.echo(f"{'  ' if each.url else '- '}{each.name:24} {_in_short(each)}")
    elif not entries:
        click.echo(
            "No models yet. Add one with: flask models add NAME --onnx FILE, or pull one that "
            "flask models list --known shows."
        )


@models.command("pull")
@click.argument("name")
@click.option("--accept-licence", is_flag=True, help="Agree to the terms of use, for scripts.")
@teaching
def models_pull(name: str, *, accept_licence: bool) -> None:
    """Fetch the known model NAME, check it, and add it to the registry or put it beside that."""
    from compute.models.known import known_model, pull

    known = known_model(name)
    click.echo(f"{known.title}. Licence: {known.licence}")
    if known.terms and not accept_licence:
        _require_agreement(name, known.terms)
    pulled = pull(site_settings().data_dir, known)
    if isinstance(pulled, Path):
        click.echo(f"{name}: {known.title} is in {pulled}.")
        return
    _tell(pulled)
    _check(pulled.name)


@models.command("add")
@click.argument("name")
@click.option("--onnx", type=_FILE, help="The model, one image in, one vector out.")
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
@click.option("--url", help="In place of a file: a service that speaks docs/black-box.md.")
@click.option("--batch", type=int, help="Images per request, with --distances pairs. [--url]")
@click.option("--distances", is_flag=True, help="The service gives distances only. [--url]")
@click.option("--allow-private", is_flag=True, help="Allow http and private addresses. [--url]")
@click.option("--key-env", help="Environment variable with the service's key. [--url]")
@click.option("--timeout", type=float, help="Seconds to wait for an answer; 60. [--url]")
@click.option("--rate", type=float, help="Requests per second at most. [--url]")
@teaching
def models_add(
    name: str,
    onnx: Path | None,
    color: Literal["rgb", "bgr"],
    mean: str,
    std: str,
    layout: Literal["auto", "nchw", "nhwc"],
    output: str | None,
    title: str,
    licence: str,
    source: str,
    url: str | None,
    batch: int | None,
    **manners: Any,
) -> None:
    """Check an ONNX file, or a service behind a URL, and add it to the registry as NAME.

    A file is fed (x - mean) / std with x in 0..255, aligned faces of 112 x 112. Weights in files
    beside it are taken in, and a batch that is fixed is opened where every row stays what it was.
    The file of a known detector or model of quality is put where `flask datasets` looks for it.
    A service gets the faces as PNG; docs/black-box.md tells how it is spoken to.
    """
    from compute.embedding import Preprocessing
    from compute.files import sha256_of_file
    from compute.models.known import keep_file, known_by_hash
    from compute.registry import ModelRegistry

    require_one_kind(onnx, url, batch)
    words = {"title": title, "licence": licence, "source": source}
    if onnx is None:
        add_service(name, url or "", batch or 0, words, **manners)
        return
    try:
        preprocessing = Preprocessing(color, _channels(mean), _channels(std))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    data = site_settings().data_dir
    known = known_by_hash(sha256_of_file(onnx)) if onnx.is_file() else None
    if known is not None and known.file:
        click.echo(f"{onnx.name} is {known.title}: kept as {keep_file(data, known, onnx)}.")
        return
    if known is not None:
        words["licence"] = licence or known.licence
        words["source"] = source or known.source
    entry = ModelRegistry(data).add(
        name,
        onnx,
        preprocessing=preprocessing,
        layout=layout,
        output=output,
        **words,
    )
    _tell(entry)


@models.command("verify")
@click.argument("names", nargs=-1)
@click.option("--dataset", help="Check accuracy and the way it is fed on this dataset, too.")
@click.option("--pairs", default=600, show_default=True, help="On so many of its pairs.")
@click.option("--engine", help="Compare this engine of flask compute with the plain one, too.")
@teaching
def models_verify(
    names: tuple[str, ...], dataset: str | None, pairs: int, engine: str | None
) -> None:
    """Check files and behaviour of the models NAMES (all by default) as when they were added.

    Answers on fixed images are compared with those on record, where there are any. With --dataset
    accuracy is compared with what is published, and every other usual colour order and
    normalisation is tried: one that sets faces apart better is named. With --engine its distances
    are compared with those of the plain engine, on the fixed images or those of --dataset.
    """
    from compute.errors import ComputeError
    from compute.registry import ModelRegistry

    wrong = 0
    for name in names or ModelRegistry(site_settings().data_dir).entries():
        try:
            _check(name, dataset, pairs, engine)
        except ComputeError as error:
            wrong += 1
            click.echo(f"Error: {error}", err=True)
    if wrong:
        fail(f"{wrong} of the models did not pass.")


@models.command("card")
@click.argument("name")
@teaching
def models_card(name: str) -> None:
    """Print all that is known of the model NAME, and what this site measured with it."""
    from compute.models.card import card
    from compute.models.known import known_by_hash, known_models
    from compute.registry import ModelRegistry

    registry = ModelRegistry(site_settings().data_dir)
    if name not in registry.entries() and name in known_models():
        lines = card(None, known_models()[name], [])
    else:
        entry = registry.get(name)
        lines = card(entry, known_by_hash(entry.file_sha256), measured(entry))
    for line in lines:
        click.echo(line)


@models.command("remove")
@click.argument("name")
@AGREED
@teaching
def models_remove(name: str, *, agreed: bool) -> None:
    """Remove the model NAME from the registry, and all that the site published of it.

    Releases stay.
    """
    from compute.registry import ModelRegistry
    from compute.removal import remove_model

    data = site_settings().data_dir
    if not is_published("model", name):
        ModelRegistry(data).get(name)  # a name that is nowhere known lists those that are
    confirm_removal("model", name, agreed=agreed)
    remove_model(data, name, lambda: withdraw("model", name))
    click.echo(f"{name} removed.")


def _require_agreement(name: str, terms: str) -> None:
    click.echo(terms)
    if not agrees("Do you use it within these terms?"):
        fail(f"{name} was not fetched: its terms were not agreed to (--accept-licence does so).")


def _tell(entry: ModelEntry) -> None:
    """Say what was added, and what is odd about it."""
    from compute.models.known import fed_otherwise

    batch = f"at its fixed batch of {entry.io.batch}" if entry.io.batch else "at any batch"
    click.echo(
        f"{entry.name} added: {entry.io.dimension}-D embeddings, {entry.io.layout}, {batch}, "
        f"SHA-256 {entry.sha256}."
    )
    for change in entry.changes:
        click.echo(f"{entry.name}: {change}.")
    odd = fed_otherwise(entry)
    if odd:
        click.echo(f"Warning: {odd}", err=True)
    if max(*entry.preprocessing.mean, *entry.preprocessing.std) < 1:
        click.echo(
            "Warning: mean and std are meant for x in 0..255; these look as if for x in 0..1. "
            "Multiply both by 255.",
            err=True,
        )


def _check(
    name: str, dataset: str | None = None, pairs: int = 0, engine: str | None = None
) -> None:
    """Verify one model; ``ComputeError`` says what is wrong with it."""
    from compute.models.known import known_by_hash
    from compute.models.verification import check_engine, check_on_dataset, check_on_record
    from compute.registry import ModelRegistry

    registry = ModelRegistry(site_settings().data_dir)
    entry = registry.get(name)
    registry.verify(entry)
    what = "answers" if entry.endpoint else "file and behaviour"
    click.echo(f"{name}: {what} are as they were when it was added.")
    if entry.endpoint:
        if dataset is not None:
            click.echo(f"{name}: a service prepares its pictures itself, so --dataset has no use.")
        return
    known = known_by_hash(entry.file_sha256)
    said = check_on_record(registry, entry, known)
    if said is not None:
        click.echo(said)
    data = site_settings().data_dir
    if engine is not None:
        click.echo(check_engine(data, registry, entry, engine, dataset, pairs))
    if dataset is not None:
        for line in check_on_dataset(data, registry, entry, known, dataset, pairs):
            click.echo(line)


def _what_it_is(entry: ModelEntry) -> str:
    from compute.models.feeding import described

    if entry.endpoint:
        return f"{behind(entry.endpoint)}, SHA-256 {entry.sha256}"
    batch = f"batch {entry.io.batch}" if entry.io.batch else "any batch"
    fed = described(entry.preprocessing)
    return f"{entry.io.dimension}-D, {entry.io.layout}, {batch}, {fed}, SHA-256 {entry.sha256}"


def _in_short(known: KnownModel) -> str:
    """Say what helps to choose: what it is, how good, how large a download, on what terms."""
    size = known.archive_size or known.size
    parts = (
        known.title if known.kind == "recogniser" else f"{known.title} ({known.kind})",
        f"LFW {known.published['lfw']:g} %" if "lfw" in known.published else "",
        f"{size / 1e6:.1f} MB" if size else "",
        known.licence or "licence not stated",
    )
    return "; ".join(part for part in parts if part)


def _channels(text: str) -> tuple[float, float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r}: expected a number, or three separated by commas.") from None
    if len(values) not in (1, 3):
        raise ValueError(f"{text!r}: expected one number or three, found {len(values)}.")
    first, second, third = values * 3 if len(values) == 1 else values
    return first, second, third
