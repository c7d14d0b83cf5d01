"""How fast the engines run the models here, side by side, and how far they are from the plain one.

Raw inference at one batch: what every other figure is a share of. What float16 costs in distance is
computed on the CPU, which rounds weights and activations as a GPU would.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import Bench, prepare
from compute.embedding import DEFAULT_BATCH, OnnxEmbedder
from compute.engines.agreement import agreement
from compute.engines.catalogue import ENGINES, PLAIN, ROUNDED, Engine, available
from compute.engines.lanes import Lanes
from compute.engines.nvidia import in_half
from compute.engines.onnx_runtime import load, model_of
from compute.engines.session import Session, Terms
from compute.engines.timing import best_seconds, cores, machine
from compute.errors import UnsuitableError
from compute.graphs import onnx_graph
from compute.graphs.probing import SIDES
from compute.registry import ModelEntry, ModelRegistry

IMAGES: Final = 48
"""Faces of the dataset that engines are compared on."""
RUNS: Final = 2
"""Batches at a time: the lanes of the first are free for the second one by one."""
SHARED: Final = ", shared"
"""Marks an engine whose threads share a batch, in place of a part for each."""


def measure(bench: Bench, *, rounds: int = 8, seconds: float = 20.0) -> dict[str, Any]:
    """Return, for each model, images a second of each engine that is here, and how far it is off.

    Parameters
    ----------
    rounds, seconds
        Of turns, and for all of them with one model; the best counts.
    """
    return {
        "batch": DEFAULT_BATCH,
        "threads": cores(),
        "machine": machine(),
        "engines": {engine.name: engine.title() for engine in available()},
        "models": {
            name: _measure_model(bench, entry, rounds, seconds)
            for name, entry in bench.models.items()
        },
    }


def _measure_model(bench: Bench, entry: ModelEntry, rounds: int, seconds: float) -> dict[str, Any]:
    path = ModelRegistry(bench.data).path(entry)
    images = np.asarray(bench.dataset.images[:IMAGES])
    batch = entry.io.batch or DEFAULT_BATCH
    runs: dict[str, Callable[[], object]] = {}
    off: dict[str, float] = {}
    for engine in available():
        try:
            off[engine.name] = _off(path, entry, engine, images)
        except UnsuitableError:
            continue
        lanes = 1 if entry.io.batch else engine.lanes(cores(), batch)
        runs[engine.name] = _inference(path, entry, engine, batch=batch, lanes=lanes)
        if lanes > 1:
            runs[f"{engine.name}{SHARED}"] = _inference(path, entry, engine, batch=batch, lanes=1)
    taken = best_seconds(runs, rounds=rounds, seconds=seconds)
    return {
        "images_per_second": {name: RUNS * batch / taken[name] for name in runs},
        "times_plain": {name: taken[PLAIN.name] / taken[name] for name in runs},
        "distances_off": off,
        "distances_off_in_float16": _off(path, entry, _HALF, images),
    }


def _inference(
    path: Path, entry: ModelEntry, engine: Engine, *, batch: int, lanes: int
) -> Callable[[], object]:
    """Return what runs ``RUNS`` batches, each in parts on so many lanes, and nothing else."""
    terms = Terms(cores(), batch // lanes, lanes=lanes)
    session = engine.open(path, None, terms)
    given = np.random.default_rng(0).normal(size=(terms.batch, *SIDES[entry.io.layout]))
    feeds = {entry.io.input: given.astype(entry.io.precision)}
    side_by_side = Lanes(lanes)

    def part(_: int) -> object:
        return session.run([entry.io.output], feeds)

    return lambda: list(side_by_side.map(part, range(RUNS * lanes)))


def _off(path: Path, entry: ModelEntry, engine: Engine, images: NDArray[np.uint8]) -> float:
    """Return the largest difference of a distance between two of the images."""

    def opened(by: Engine) -> OnnxEmbedder:
        return OnnxEmbedder(path, entry.preprocessing, entry.io, threads=cores(), engine=by)

    return agreement(opened(engine), opened(PLAIN), images).distance


def _open_half(path: Path, data: bytes | None, terms: Terms) -> Session:
    session: Session = load(
        path, threads=terms.threads, data=onnx_graph.write(in_half(model_of(path, data)))
    )
    return session


_HALF: Final = Engine("float16 on the CPU", _open_half, lambda: "float16", bound=ROUNDED)


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as a table."""
    told = [f"{'model':12} {'engine':26} {'images/s':>9} {'x plain':>8} {'distances off':>14}"]
    for model, each in found["models"].items():
        for engine, rate in each["images_per_second"].items():
            off = each["distances_off"].get(engine)
            told.append(
                f"{model:12} {engine:26} {rate:9.0f} {each['times_plain'][engine]:8.2f} "
                f"{'' if off is None else format(off, '.1e'):>14}"
            )
        told.append(
            f"{model:12} {'float16':26} {'':9} {'':8} {each['distances_off_in_float16']:14.1e}"
        )
    absent = [name for name in ENGINES if name not in found["engines"]]
    return [*told, f"not here: {', '.join(absent)}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="Folder to keep dataset and models in.")
    parser.add_argument("--json", action="store_true", help="Print JSON in place of a table.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(prepare(options.data or Path(folder)))
    print(json.dumps(found, indent=2) if options.json else "\n".join(lines(found)))


if __name__ == "__main__":
    main()
