"""Commands of maintainers: thin; the work is in ``compute``, which is loaded only when needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from app.settings import ROOT, Settings

DONE, SKIPPED, FAILED = 0, 1, 2

P = ParamSpec("P")
R = TypeVar("R")

datasets = AppGroup("datasets", help="List, import and check datasets.")
models = AppGroup("models", help="List, add and check face verification models.")

_FILE = click.Path(path_type=Path)


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    from app.commands.releases import export_release, import_release

    app.cli.add_command(datasets)
    app.cli.add_command(models)
    app.cli.add_command(compute)
    app.cli.add_command(demo)
    app.cli.add_command(export_release)
    app.cli.add_command(import_release)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _teaching(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors that a command foresees into a message and exit code 2."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            from compute.errors import ComputeError

            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            if error.name not in ("cv2", "onnxruntime", "pyarrow", "scipy", "tqdm", "tomli_w"):
                raise
            _fail(
                f"{error.name} is not installed: this environment holds the site only. Run: pip "
                "install -r requirements/compute.txt"
            )
        except ComputeError as error:
            _fail(str(error))
        except OSError as error:
            _fail(f"{error}. Finished work is kept; mend this and run the command again.")
        except SQLAlchemyError as error:
            first = str(error).splitlines()[0]
            _fail(f"The database cannot be used ({first}). If it is new, run: flask db upgrade")
        except KeyboardInterrupt:
            _fail("Stopped. Finished work is kept; run the command again to go on.")

    return wrapper


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(FAILED)


def _finish(skipped: Sequence[Any]) -> None:
    """List what was left out and exit: 0 where nothing was, else 1."""
    if skipped:
        _list_skipped(skipped)
        sys.exit(SKIPPED)


def _list_skipped(skipped: Sequence[Any]) -> None:
    unique = list(dict.fromkeys(skipped))
    for each in unique:
        click.echo(f"skipped {each.what}: {each.reason}", err=True)
    if unique:
        click.echo(f"{len(unique)} skipped in all, listed above.", err=True)


@datasets.command("list")
@_teaching
def datasets_list() -> None:
    """Show every known dataset and whether it is imported."""
    from compute.datasets.catalogue import CATALOGUE
    from compute.datasets.store import is_imported

    click.echo(f"{'name':8} {'pairs':>6} {'ids':>13}  {'state':9} licence")
    for facts in CATALOGUE.values():
        state = "imported" if is_imported(_settings().data_dir, facts.name) else "absent"
        ids = f"{facts.first_pair_id}..{facts.first_pair_id + facts.pairs - 1}"
        click.echo(f"{facts.name:8} {facts.pairs:6} {ids:>13}  {state:9} {facts.licence}")


@datasets.command("import")
@click.argument("name")
@click.option("--images", type=_FILE, help="The images: tar, tgz, zip or folder (lfw).")
@click.option("--pairs", type=_FILE, help="The official pair list (lfw).")
@click.option("--detector", type=_FILE, help="The YuNet file; in the data folder by default.")
@_teaching
def datasets_import(
    name: str, images: Path | None, pairs: Path | None, detector: Path | None
) -> None:
    """Read, align and store the dataset NAME (lfw, demo). A killed import goes on where it was."""
    from compute.alignment import find_detector
    from compute.datasets.catalogue import facts_of
    from compute.datasets.importing import import_demo, import_lfw

    settings = _settings()
    if facts_of(name).name == "demo":
        report = import_demo(settings.data_dir)
    elif images is None or pairs is None:
        raise click.UsageError(f"{name} needs --images and --pairs.")
    else:
        folders = [settings.data_dir / "models"]
        if settings.real_data is not None:
            folders.append(settings.real_data / "models")
        report = import_lfw(
            settings.data_dir,
            images=images,
            pairs=pairs,
            detector=detector or find_detector(folders),
        )
    state = "is imported already" if report.already else "imported"
    click.echo(f"{name} {state}: {report.images} images, {report.pairs} pairs.")
    _finish(report.skipped)


@datasets.command("verify")
@click.argument("name")
@_teaching
def datasets_verify(name: str) -> None:
    """Check every file and every image of the imported dataset NAME against its hash."""
    from compute.datasets.store import read_dataset, require_images

    dataset = read_dataset(_settings().data_dir, name)
    require_images(dataset)
    click.echo(f"{name}: {len(dataset.records)} images and {len(dataset.pairs)} pairs are sound.")
    _finish(dataset.skipped)


@models.command("list")
@_teaching
def models_list() -> None:
    """Show the registry."""
    from compute.registry import ModelRegistry

    entries = ModelRegistry(_settings().data_dir).entries()
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
@click.option("--title", default="", help="How the site calls it; NAME if left out.")
@click.option("--licence", default="", help="Licence of the weights, shown on the site.")
@click.option("--source", default="", help="Where the weights come from, shown on the site.")
@_teaching
def models_add(
    name: str,
    onnx: Path,
    color: Literal["rgb", "bgr"],
    mean: str,
    std: str,
    layout: Literal["auto", "nchw", "nhwc"],
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
    entry = ModelRegistry(_settings().data_dir).add(
        name,
        onnx,
        preprocessing=preprocessing,
        layout=layout,
        title=title,
        licence=licence,
        source=source,
    )
    batch = f"at its fixed batch of {entry.io.batch}" if entry.io.batch else "at any batch"
    click.echo(
        f"{name} added: {entry.io.dimension}-D embeddings, {entry.io.layout}, {batch}, SHA-256 "
        f"{entry.sha256}."
    )


@models.command("verify")
@click.argument("names", nargs=-1)
@_teaching
def models_verify(names: tuple[str, ...]) -> None:
    """Check files and behaviour of the models NAMES (all by default) as when they were added."""
    from compute.registry import ModelRegistry

    registry = ModelRegistry(_settings().data_dir)
    for name in names or registry.entries():
        registry.verify(registry.get(name))
        click.echo(f"{name}: file and behaviour are as they were when it was added.")


@click.command("compute")
@click.option("--dataset", required=True, help="An imported dataset.")
@click.option("--model", "model_names", multiple=True, help="Repeat for several; all by default.")
@click.option(
    "--stage", type=click.Choice(["verify", "explain", "all"]), default="all", show_default=True
)
@click.option("--spec", default="default", show_default=True, help="A name, or a TOML file.")
@click.option("--limit", type=int, help="Explain at most so many pairs, folds and labels in turn.")
@click.option("--pairs", help="Explain these pairs only: ids and ranges, as 3,10-20.")
@with_appcontext
@_teaching
def compute(
    dataset: str,
    model_names: tuple[str, ...],
    stage: Literal["verify", "explain", "all"],
    spec: str,
    limit: int | None,
    pairs: str | None,
) -> None:
    """Verify and explain the pairs of a dataset, and publish rows and pictures.

    Finished work is kept and never done again: a killed run goes on where it stopped.
    """
    from compute.errors import RunError
    from compute.registry import ModelRegistry

    registry = ModelRegistry(_settings().data_dir)
    names = tuple(dict.fromkeys(model_names)) or tuple(registry.entries())
    if not names:
        raise RunError("There are no models. Add one with: flask models add NAME --onnx FILE")
    for name in names:
        registry.get(name)  # a wrong name is said now rather than after hours
    _run(dataset, names, stage, spec=spec, limit=limit, pair_ids=_ids(pairs))


def _run(
    dataset: str,
    model_names: Sequence[str],
    stage: Literal["verify", "explain", "all"],
    *,
    spec: str = "default",
    limit: int | None = None,
    pair_ids: Sequence[int] | None = None,
) -> None:
    from app.media import MediaStore
    from compute.pipeline import Pipeline, named_spec
    from compute.publish import Publisher

    settings = _settings()
    chosen = named_spec(spec)
    pipeline = Pipeline(
        settings.data_dir,
        dataset,
        Publisher(MediaStore(settings.media_url)),
        memory_gib=settings.memory_gib,
    )
    skipped: list[Any] = []
    try:
        for name in model_names:
            report = pipeline.run(name, stage, spec=chosen, limit=limit, pair_ids=pair_ids)
            for line in report.lines:
                click.echo(line)
            skipped += report.skipped
    except BaseException:
        _list_skipped(skipped)  # of the models that were finished
        raise
    _finish(skipped)


@click.command("demo")
@click.option("--limit", default=160, show_default=True, help="How many pairs to explain.")
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve the site, too.")
@with_appcontext
@_teaching
def demo(limit: int, *, serve: bool) -> None:
    """Set up the demo (database, drawn faces, small model, results) and serve it meanwhile."""
    from flask_migrate import upgrade

    from compute.datasets.importing import import_demo
    from compute.demo import MODEL_PATH
    from compute.embedding import Preprocessing
    from compute.registry import ModelRegistry

    settings = _settings()
    upgrade()
    server = _serve(settings.port) if serve else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        import_demo(settings.data_dir)
        ModelRegistry(settings.data_dir).add(
            "demo",
            MODEL_PATH,
            preprocessing=Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3),
            title="Demo network",
            licence="Part of this project.",
            source="compute/demo/train.py",
        )
        _run("demo", ["demo"], "all", limit=limit)
        if server is not None:
            click.echo(f"The demo is complete: http://127.0.0.1:{settings.port} (Ctrl-C stops it)")
            server.wait()
    except KeyboardInterrupt:
        click.echo("Stopped. `make demo` goes on where this stopped.")
    finally:
        if server is not None:
            server.terminate()
            server.wait()


def _serve(port: int) -> subprocess.Popen[bytes]:
    """Start the site beside this process; computing leaves it the processor when it needs it."""
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "--bind", address, "wsgi:app"]
    quiet = ["--log-level", "warning", "--access-logfile", "/dev/null"]
    server = subprocess.Popen([*command, *quiet], cwd=ROOT)  # noqa: S603  ours
    os.nice(10)
    click.echo(f"The site is at http://{address} while the demo is computed.")
    return server


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


def _ids(text: str | None) -> list[int] | None:
    """Parse ``3,10-20``; a range holds a million ids at most, more than any dataset has."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        start, dash, end = part.strip().partition("-")
        if not start.isdecimal() or (dash and not end.isdecimal()):
            raise click.UsageError(f"--pairs {text!r}: {part!r} is neither an id nor a range.")
        first, last = int(start), int(end or start)
        if not first <= last < first + 1_000_000:
            raise click.UsageError(f"--pairs {text!r}: {part!r} is empty, or beyond a million ids.")
        numbers += range(first, last + 1)
    return numbers
