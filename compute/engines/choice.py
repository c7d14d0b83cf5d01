"""Which engine a run uses: the one it was started with, one asked for by name, or the fastest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from compute.embedding import DEFAULT_BATCH, OnnxEmbedder
from compute.engines.agreement import Agreement, open_agreeing
from compute.engines.catalogue import PLAIN, Engine, engine_named, engine_titled
from compute.engines.timing import cores
from compute.engines.tuning import Way, tuned
from compute.errors import ModelError, RunError
from compute.registry import ModelEntry, ModelRegistry
from compute.runs import Conditions

AUTO: Final = "auto"


def way_of_run(
    registry: ModelRegistry,
    entry: ModelEntry,
    asked: str | None,
    begun: Conditions | None,
    *,
    where: Path,
    tell: Callable[[str], object],
) -> Way:
    """Return how a model is to be run.

    Parameters
    ----------
    asked
        Name of an engine, ``auto``, or None. A run that was begun goes on as it was begun with both
        of the latter; a new one takes the fastest engine, or the plain one: what depends on no
        measurement is the same in every run.
    begun
        Conditions of the run, if there is one.
    where
        Its folder, for the message.
    tell
        Told what was chosen, and how far it is from the plain engine.

    Raises
    ------
    RunError
        Where the engine of the run is not here.
    ModelError
        For an engine that is unknown, not here, or does not agree with the plain one.
    """
    if begun is None:
        return _way_to_start(registry, entry, asked, tell)
    if asked is None or asked == AUTO:
        try:
            engine = engine_titled(begun.engine)
        except ModelError as error:
            raise RunError(
                f"{where}: the run was started with engine {begun.engine}. {error} Results must "
                f"not mix: install the former, or delete {where} to start again."
            ) from error
    else:
        engine = engine_named(asked)
    return Way(engine.name, begun.batch, begun.threads)


def _way_to_start(
    registry: ModelRegistry, entry: ModelEntry, asked: str | None, tell: Callable[[str], object]
) -> Way:
    batch, threads = entry.io.batch or DEFAULT_BATCH, cores()
    if asked is None:
        return Way(PLAIN.name, batch, threads)
    path = registry.path(entry)

    def open_by(engine: Engine, batch: int, threads: int) -> tuple[OnnxEmbedder, Agreement]:
        return open_agreeing(
            path,
            entry.preprocessing,
            entry.io,
            engine=engine,
            batch=batch,
            threads=threads,
            cache=registry.engines,
        )

    if asked == AUTO:
        tuning = tuned(
            registry.engines, entry.sha256, open_by, fixed_batch=entry.io.batch, threads=threads
        )
        tell(f"{entry.name}: {tuning.told()}")
        return tuning.chosen
    engine = engine_named(asked)
    way = Way(engine.name, entry.io.batch or engine.batches[0], threads)
    _, found = open_by(engine, way.batch, way.threads)
    tell(
        f"{entry.name}: {way} (distances are those of {PLAIN.name} to {found.distance:.0e}, "
        f"allowed {engine.bound:.0e})."
    )
    return way
