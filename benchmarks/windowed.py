"""What windows gain over whole graphs: ``python -m benchmarks.windowed``.

All occlusions of a face, on a coarse grid, by every exact engine that is here: its whole graph for
each of them, and, where the engine can, only what a patch reaches. All ways take turns and the best
of several rounds counts. How far the embeddings are from those of the plain engine's whole graph
is reported beside the rates.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.faces import Bench, prepare
from compute.distances import unit_vectors
from compute.embedding import DEFAULT_BATCH, OnnxEmbedder
from compute.engines.catalogue import PLAIN, Engine, available
from compute.engines.timing import best_seconds, cores, machine
from compute.errors import UnsuitableError
from compute.occlusion import OcclusionSpec
from compute.registry import ModelEntry, ModelRegistry

TARGET: Final = 1.5
"""Rate by windows over the rate of the fastest whole graph."""
SAMPLE: Final = OcclusionSpec(stride=10)
"""245 occlusions of the paper's sizes, spread as the 1058 are."""


def measure(bench: Bench, *, rounds: int = 5, seconds: float = 60.0) -> dict[str, Any]:
    """Return, for each model, occlusions a second of each way, the gain, and how far it is off.

    Parameters
    ----------
    rounds, seconds
        Of turns, and for all of them with one model; the best counts.
    """
    return {
        "occlusions": SAMPLE.count,
        "threads": cores(),
        "machine": machine(),
        "target": TARGET,
        "models": {
            name: _measure_model(bench, entry, rounds, seconds)
            for name, entry in bench.models.items()
        },
    }


def _measure_model(bench: Bench, entry: ModelEntry, rounds: int, seconds: float) -> dict[str, Any]:
    image = bench.pictures(1)[0][0]
    whole: dict[str, OnnxEmbedder] = {}
    windows: dict[str, OnnxEmbedder] = {}
    for engine in (each for each in available() if each.is_exact):
        try:
            whole[engine.name] = _opened(bench, entry, replace(engine, windows=None))
        except UnsuitableError:
            continue
        if engine.windows is not None:
            windows[engine.name] = _opened(bench, entry, engine)
    expected = unit_vectors(whole[PLAIN.name].occluded(image, SAMPLE))
    off, refused = {}, {}
    for name, embed in windows.items():
        found = unit_vectors(embed.occluded(image, SAMPLE))
        off[name] = float(np.abs(found - expected).max())
        if embed.obstacle:
            refused[name] = embed.obstacle
    runs: dict[tuple[str, str], Callable[[], object]] = {
        (kind, name): partial(embed.occluded, image, SAMPLE)
        for kind, embedders in (("whole", whole), ("windows", windows))
        for name, embed in embedders.items()
    }
    taken = best_seconds(runs, rounds=rounds, seconds=seconds)
    rates = {
        kind: {name: SAMPLE.count / taken[kind, name] for name in embedders}
        for kind, embedders in (("whole", whole), ("windows", windows))
    }
    return {
        **rates,
        "gain": max(rates["windows"].values()) / max(rates["whole"].values()),
        "off": off,
        "refused": refused,
    }


def _opened(bench: Bench, entry: ModelEntry, engine: Engine) -> OnnxEmbedder:
    return OnnxEmbedder(
        ModelRegistry(bench.data).path(entry),
        entry.preprocessing,
        entry.io,
        batch=DEFAULT_BATCH,
        threads=cores(),
        engine=engine,
        cache=bench.data / "engines",
    )


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as a table."""
    told = [f"{'model':12} {'engine':20} {'whole/s':>9} {'windows/s':>9} {'off':>9}"]
    for model, each in found["models"].items():
        for name, rate in each["whole"].items():
            by = each["windows"].get(name)
            windows = f"{by:9.0f} {each['off'][name]:9.1e}" if by else f"{'-':>9} {'-':>9}"
            told.append(f"{model:12} {name:20} {rate:9.0f} {windows}")
        told += [f"{model:12} {name}: {reason}" for name, reason in each["refused"].items()]
        told.append(
            f"{model:12} fastest windows over fastest whole graph: {each['gain']:.2f} x, "
            f"target {found['target']} x"
        )
    return told


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
