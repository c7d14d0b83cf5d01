"""Timing of runs against each other, and what their speed depends on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from compute.engines.nvidia import gpus

Name = TypeVar("Name")

_ROUNDS: Final = 5
_SECONDS: Final = 20.0


def best_seconds(
    runs: Mapping[Name, Callable[[], object]], *, rounds: int = _ROUNDS, seconds: float = _SECONDS
) -> dict[Name, float]:
    """Return the shortest time of each run, in seconds.

    Runs take turns, so that what else the machine does falls on all alike; a first round warms up.
    Two rounds are counted at least, then as many as there is time for.
    """
    for run in runs.values():
        run()
    best = dict.fromkeys(runs, float("inf"))
    began = time.perf_counter()
    for number in range(rounds):
        if number >= 2 and time.perf_counter() - began > seconds:
            break
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def cores() -> int:
    """Return how many processor threads this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> dict[str, Any]:
    """Return processor, cores and GPUs, as JSON."""
    name = platform.processor()
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {"processor": f"{platform.machine()} {name}", "cores": cores(), "gpus": gpus()}
