"""``flask compute``: verify and explain the pairs of a dataset, and publish them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import click
from flask.cli import with_appcontext

from app.commands.outcome import finish, list_skipped, site_settings, teaching

if TYPE_CHECKING:
    from compute.parallel.work import Workers

Stage = Literal["verify", "explain", "all"]


@click.command("compute")
@click.option("--dataset", required=True, help="An imported dataset.")
@click.option("--model", "model_names", multiple=True, help="Repeat for several; all by default.")
@click.option(
    "--stage", type=click.Choice(["verify", "explain", "all"]), default="all", show_default=True
)
@click.option("--spec", default="default", show_default=True, help="A name, or a TOML file.")
@click.option("--limit", type=int, help="Explain at most so many pairs, folds and labels in turn.")
@click.option("--pairs", help="Explain these pairs only: ids and ranges, as 3,10-20.")
@click.option(
    "--engine",
    help="What runs the models: a name (flask doctor lists them), or auto, the fastest of those "
    "that are here. Left out, a run goes on as it was begun, and a new one takes onnxruntime.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Explain by so many processes of this machine.",
)
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Explain by the workers of a Dask cluster, as tcp://host:8786 (docs/scale.md).",
)
@with_appcontext
@teaching
def compute(
    dataset: str,
    model_names: tuple[str, ...],
    stage: Stage,
    spec: str,
    limit: int | None,
    pairs: str | None,
    engine: str | None,
    workers: int,
    scheduler: str | None,
) -> None:
    """Verify and explain the pairs of a dataset, and publish rows and pictures.

    Finished work is kept and never done again: a killed run goes on where it stopped.
    """
    from compute.engines.catalogue import engine_named
    from compute.engines.choice import AUTO
    from compute.errors import RunError
    from compute.registry import ModelRegistry

    if scheduler and workers > 1:
        raise click.UsageError("--workers and --scheduler: expected one of them.")
    if scheduler and not scheduler.startswith(("tcp://", "tls://")):
        raise click.UsageError(f"--scheduler {scheduler!r}: expected tcp://host:port, or tls://.")
    if engine not in (None, AUTO):
        engine_named(engine)
    registry = ModelRegistry(site_settings().data_dir)
    names = tuple(dict.fromkeys(model_names)) or tuple(registry.entries())
    if not names:
        raise RunError("There are no models. Add one with: flask models add NAME --onnx FILE")
    for name in names:
        registry.get(name)  # a wrong name is said now rather than after hours
    run(
        dataset,
        names,
        stage,
        spec=spec,
        limit=limit,
        pair_ids=read_ids(pairs),
        engine=engine,
        workers=workers,
        scheduler=scheduler,
    )


def run(
    dataset: str,
    model_names: Sequence[str],
    stage: Stage,
    *,
    spec: str = "default",
    limit: int | None = None,
    pair_ids: Sequence[int] | None = None,
    engine: str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
) -> None:
    """Run ``stage`` of every model on ``dataset``, print what was done, and exit as it went."""
    from app.media import MediaStore
    from compute.pipeline import Pipeline, named_spec
    from compute.publish import Publisher

    settings = site_settings()
    chosen = named_spec(spec)
    skipped: list[Any] = []
    try:
        with open_workers(workers, scheduler) as explaining:
            pipeline = Pipeline(
                settings.data_dir,
                dataset,
                Publisher(MediaStore(settings.media_url)),
                memory_gib=settings.memory_gib,
                tell=click.echo,
                workers=explaining,
            )
            for name in model_names:
                report = pipeline.run(
                    name, stage, spec=chosen, limit=limit, pair_ids=pair_ids, engine=engine
                )
                for line in report.lines:
                    click.echo(line)
                skipped += report.skipped
    except BaseException:
        list_skipped(skipped)  # of the models that were finished
        raise
    finish(skipped)


def open_workers(count: int, scheduler: str | None) -> AbstractContextManager[Workers | None]:
    """Return who explains, for a ``with`` statement; nobody but this process by default."""
    from compute.parallel.cluster import ClusterWorkers
    from compute.parallel.processes import ProcessWorkers

    if scheduler:
        return ClusterWorkers(scheduler, patience=site_settings().cluster_seconds)
    return ProcessWorkers(count) if count > 1 else nullcontext()


def read_ids(text: str | None) -> list[int] | None:
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
