"""What a run of the benchmarks leaves: figures, what they depend on, and how they stand to targets.

A report is a JSON object with one key for each section, ``machine`` and ``versions`` beside them.
Of each kind of machine the latest is kept in ``benchmarks/results/``.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.settings import ROOT

Report = dict[str, Any]
PACKAGES: Final = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "sqlalchemy")


@dataclass(frozen=True)
class Target:
    """One figure that is to hold.

    Attributes
    ----------
    title
        What it is, with its unit.
    find
        Takes it out of a report; ``KeyError`` where it was not measured.
    limit
        What it may be at most, or is to be at least.
    """

    title: str
    find: Callable[[Report], float]
    limit: float
    at_least: bool = False

    def line(self, report: Report) -> str:
        """Say how the figure stands to its limit."""
        bound = f"{'at least' if self.at_least else 'at most'} {self.limit:g}"
        try:
            value = self.find(report)
        except KeyError:
            return f"{self.title:<64}{'-':>10}   {bound:<16} not measured"
        off = (self.limit - value if self.at_least else value - self.limit) / self.limit
        stands = "holds" if off <= 0 else f"falls short by {off:.0%}"
        return f"{self.title:<64}{value:>10.4g}   {bound:<16} {stands}"


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    """Return the versions of what does the work."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # OpenVINO is an option
    return found | {"commit": commit()}


def commit() -> str:
    """Return the commit that is checked out, ``-dirty`` where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def write(report: Report, output: Path) -> Path:
    """Write a report into a JSON file, or into a folder as ``<date>-<commit>.json``."""
    if output.suffix != ".json":
        output.mkdir(parents=True, exist_ok=True)
        today = datetime.now(UTC).date().isoformat()
        output = output / f"{today}-{report['versions']['commit']}.json"
    output.write_text(json.dumps(report, indent=1) + "\n")
    return output


def table(report: Report, targets: Sequence[Target]) -> str:
    """Return a line for each target."""
    head = f"{'figure':<64}{'measured':>10}   {'target':<16}"
    return "\n".join([head, *(target.line(report) for target in targets)])
