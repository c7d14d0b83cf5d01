"""``--engine auto``: which engine, batch and threads are fastest for a model on this machine.

A short measurement, kept in ``XFV_DATA_DIR/engines/``: the same model on the same machine with the
same engines is measured once. Only engines that compute in float32 and agree with the plain one
take part: what is chosen for its speed must not change a result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from compute.embedding import OnnxEmbedder
from compute.engines.agreement import Agreement
from compute.engines.catalogue import ENGINES, PLAIN, Engine, available
from compute.engines.timing import best_seconds, machine
from compute.errors import ModelError, UnsuitableError
from compute.files import exclusive, write_json
from compute.graphs.probes import probe_images
from compute.occlusion import OcclusionSpec

SAMPLE: Final = OcclusionSpec(stride=12)
"""177 occlusions, what engines that run windows are measured by; others, by a batch of images."""

_GAIN: Final = 1.05  # what a less plain way must gain: noise shall not decide


@dataclass(frozen=True)
class Way:
    """One way to run a model: name of the engine, images at a time, processor threads."""

    engine: str
    batch: int
    threads: int

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"engine={self.engine!r}: expected one of {', '.join(ENGINES)}.")
        for name in ("batch", "threads"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}: expected a whole number, 1 or more.")

    def __str__(self) -> str:
        """Say it as it is printed."""
        return f"{self.engine}, batch {self.batch}, {self.threads} threads"


Open = Callable[[Engine, int, int], tuple[OnnxEmbedder, Agreement]]
"""Opens the model with an engine, a batch and threads; ``ModelError`` where it does not agree."""


@dataclass(frozen=True)
class Tuning:
    """What was measured, and the choice made of it.

    Attributes
    ----------
    rates
        Occluded images a second of each way.
    off
        How far a distance by the chosen engine was from the plain one's, on the probes.
    left_out
        Engines that are here, or ways to use the fastest, that cannot run this model, and why.
    """

    chosen: Way
    rates: Mapping[Way, float]
    off: float
    left_out: tuple[str, ...] = ()

    def told(self) -> str:
        """Say what was chosen, and why."""
        ways = sorted(self.rates, key=lambda way: -self.rates[way])
        rates = "; ".join(f"{way}: {self.rates[way]:.0f} images/s" for way in ways)
        left = "".join(f" Left out: {reason}" for reason in self.left_out)
        return (
            f"{self.chosen} is the fastest to within {_GAIN - 1:.0%} (distances are those of "
            f"{PLAIN.name} to {self.off:.0e}). Measured: {rates}.{left}"
        )


def tuned(folder: Path, sha256: str, open_by: Open, *, fixed_batch: int, threads: int) -> Tuning:
    """Return the fastest way to run a model here, measured now or before.

    Parameters
    ----------
    folder
        Where measurements are kept.
    sha256
        Hash of the model's file.
    fixed_batch
        The only batch that the model takes, or 0.
    threads
        Processor threads that there are for it.
    """
    here = [engine for engine in available() if engine.is_exact]
    key = {
        "model": sha256,
        "engines": [engine.title() for engine in here],
        "machine": machine(),
        "threads": threads,
        "sample": SAMPLE.to_dict(),
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = folder / f"{name}.json"
    # Two measurements at a time would each be of half a machine.
    with exclusive(folder / ".lock", doing="measuring engines", wait=True):
        kept = _read(path, key)
        if kept is None:
            kept = measure(here, open_by, fixed_batch=fixed_batch, threads=threads)
            write_json(path, {"key": key, **_written(kept)})
    return kept


def measure(engines: Sequence[Engine], open_by: Open, *, fixed_batch: int, threads: int) -> Tuning:
    """Measure the engines against each other, then batches and threads of the fastest.

    Parameters
    ----------
    engines
        The plainest first.
    """
    opened: dict[Way, OnnxEmbedder] = {}
    off: dict[Way, float] = {}
    left_out = []
    for engine in engines:
        way = Way(engine.name, fixed_batch or engine.batches[0], threads)
        try:
            opened[way], found = open_by(engine, way.batch, way.threads)
        except UnsuitableError:
            continue
        except ModelError as error:
            if engine is PLAIN:
                raise
            left_out.append(f"{engine.name} ({error})")
        else:
            off[way] = found.distance
    rates = _rates(opened)
    best = _fastest(rates)
    tuned = {best: opened[best]}
    for way in _variants(best, fixed_batch):
        try:
            tuned[way], found = open_by(ENGINES[way.engine], way.batch, way.threads)
        except ModelError as error:
            left_out.append(f"{way} ({error})")
        else:
            off[way] = found.distance
    # The best takes part again: only what was measured side by side is compared.
    again = _rates(tuned)
    rates |= {way: max(rate, rates.get(way, 0.0)) for way, rate in again.items()}
    chosen = _fastest(again)
    return Tuning(chosen, rates, off[chosen], tuple(left_out))


def _variants(best: Way, fixed_batch: int) -> list[Way]:
    """Return what else is worth trying with the fastest engine."""
    batches = () if fixed_batch else ENGINES[best.engine].batches
    variants = [replace(best, batch=batch) for batch in batches if batch != best.batch]
    if best.threads >= 4:  # two threads of a core share its arithmetic
        variants.append(replace(best, threads=best.threads // 2))
    return variants


def _rates(opened: Mapping[Way, OnnxEmbedder]) -> dict[Way, float]:
    """Measure ways side by side; a last batch that is part empty counts against a way."""
    seconds = best_seconds({way: _run(way, embed) for way, embed in opened.items()})
    return {way: _images(way) / seconds[way] for way in opened}


def _run(way: Way, embed: OnnxEmbedder) -> Callable[[], object]:
    probes = probe_images()
    if ENGINES[way.engine].windows is not None:
        return partial(embed.occluded, probes[0], SAMPLE)
    return partial(embed, probes[np.arange(way.batch) % len(probes)])


def _images(way: Way) -> float:
    if ENGINES[way.engine].windows is not None:
        return SAMPLE.count
    count = OcclusionSpec().count
    return count / -(-count // way.batch)


def _fastest(rates: Mapping[Way, float]) -> Way:
    """Return the fastest way, or an earlier, plainer one that is as fast."""
    first, *others = rates
    best = first
    for way in others:
        if rates[way] > rates[best] * _GAIN:
            best = way
    return best


def _written(tuning: Tuning) -> dict[str, Any]:
    return {
        "chosen": asdict(tuning.chosen),
        "rates": [{**asdict(way), "images_per_second": rate} for way, rate in tuning.rates.items()],
        "off": tuning.off,
        "left_out": list(tuning.left_out),
    }


def _read(path: Path, key: Mapping[str, Any]) -> Tuning | None:
    """Read a measurement back; None where there is none, or the file is damaged."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        rates = {
            Way(each["engine"], each["batch"], each["threads"]): float(each["images_per_second"])
            for each in content["rates"]
        }
        left_out = tuple(map(str, content["left_out"]))
        return Tuning(Way(**content["chosen"]), rates, float(content["off"]), left_out)
    except (KeyError, TypeError, ValueError):
        return None  # what was measured can be measured again
