"""Everything that is measured, side by side in one run: ``make bench``.

    python -m benchmarks [SECTION ...] [--output FOLDER]

The report is written after each section: a run that is broken off has what it measured. A section
alone, with options of its own: ``python -m benchmarks.<module> --help``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    demo_localisation,
    engines,
    explain_efficiency,
    explorer,
    maps_and_pictures,
    published_flow,
    publishing,
    scaling,
    site_load,
    targets,
    windowed,
)
from benchmarks.faces import Bench, prepare
from benchmarks.report import Report, machine, table, versions, write


class Run:
    """One run: where things lie, and what was measured so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.report: Report = {"machine": machine(), "versions": versions()}

    @cached_property
    def bench(self) -> Bench:
        """Faces and models, prepared when they are first needed."""
        return prepare(self._folder)


@dataclass(frozen=True)
class Section:
    """One measurement: plain JSON values, and how they are told."""

    measure: Callable[[Run], dict[str, Any]]
    lines: Callable[[dict[str, Any]], list[str]]


SECTIONS: Final = {
    "efficiency": Section(
        lambda run: explain_efficiency.measure(run.bench), explain_efficiency.lines
    ),
    "efficiency_best": Section(
        lambda run: explain_efficiency.measure_best(run.bench), explain_efficiency.lines
    ),
    "published_flow": Section(lambda run: published_flow.measure(run.bench), published_flow.lines),
    "vs_published": Section(lambda run: targets.against_published(run.report), targets.lines),
    "windowed": Section(lambda run: windowed.measure(run.bench), windowed.lines),
    "engines": Section(lambda run: engines.measure(run.bench), engines.lines),
    "maps_and_pictures": Section(lambda _: maps_and_pictures.measure(), maps_and_pictures.lines),
    "publishing": Section(lambda _: publishing.measure(), publishing.lines),
    "scaling": Section(lambda _: scaling.measure(), scaling.lines),
    "explorer": Section(lambda _: explorer.measure(), explorer.lines),
    "site_load": Section(lambda _: site_load.measure(), site_load.lines),
    "localisation": Section(lambda _: demo_localisation.measure(), demo_localisation.lines),
}


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measure, print each section and how the figures stand to their targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--output", type=Path, help="JSON file, or a folder for DATE-COMMIT.json")
    options = parser.parse_args(arguments)
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    sections = list(options.sections or SECTIONS)
    if "vs_published" in sections:  # what it compares is measured before it
        compared = ("efficiency", "efficiency_best", "published_flow", "vs_published")
        sections = [*compared, *(name for name in sections if name not in compared)]
    with tempfile.TemporaryDirectory(prefix="xfv-bench-") as folder:
        run = Run(Path(folder))
        for name in sections:
            began = time.perf_counter()
            print(f"\n== {name}", flush=True)
            section = SECTIONS[name]
            run.report[name] = section.measure(run)
            print("\n".join(section.lines(run.report[name])))
            print(f"({time.perf_counter() - began:.0f} s)", flush=True)
            run.report["machine"]["load_average_after"] = [round(x, 2) for x in os.getloadavg()]
            if options.output:
                written = write(run.report, options.output)
    print("\n" + table(run.report, targets.TARGETS))
    if options.output:
        print(f"\nWritten to {written}")
    return run.report


if __name__ == "__main__":
    main()
