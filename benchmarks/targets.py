"""What ``make bench`` holds its figures against, on a machine of two cores."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.faces import LFW
from benchmarks.report import Report, Target
from compute.occlusion import OcclusionSpec

FORWARDS: Final = LFW["images"] * (OcclusionSpec().count + 1) / LFW["pairs"]
"""A pair of LFW, where each image is embedded once, as it is and under each occlusion."""


def against_published(report: Report) -> dict[str, Any]:
    """Return how many times faster a pair of whole LFW is explained than by the published flow.

    Ours is the counted forwards by the measured time of one, everything included but the start;
    theirs is timed on pairs. ``plain`` is by the same engine and file, ``best`` by the fastest.
    """
    found = {}
    for model, theirs in report["published_flow"].items():
        ways = {"plain": report["efficiency"], "best": report["efficiency_best"]}
        ours = {
            way: measured[model]["explain"]["seconds_per_forward"] * FORWARDS
            for way, measured in ways.items()
        }
        found[model] = {
            "forwards_per_pair": round(FORWARDS, 1),
            "published_seconds_per_pair": theirs["seconds_per_pair"],
            **{f"{way}_seconds_per_pair": round(spent, 3) for way, spent in ours.items()},
            **{way: round(theirs["seconds_per_pair"] / spent, 2) for way, spent in ours.items()},
        }
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return ``against_published`` in words."""
    told = []
    for model, each in found.items():
        ours = "; ".join(
            f"{each[f'{way}_seconds_per_pair']} s by {what}, {each[way]} times faster"
            for way, what in (("plain", "the same engine and file"), ("best", "the best"))
        )
        told.append(
            f"{model}: {each['published_seconds_per_pair']} s a pair by the published flow; here "
            f"{each['forwards_per_pair']:,} forwards a pair of LFW, {ours}"
        )
    return told


def _milliseconds(database: str) -> Target:
    return Target(
        f"explorer on {database}: slowest class of queries, p95 in ms",
        lambda report: max(
            row["p95"] for row in report["explorer"][database]["milliseconds"].values()
        ),
        40,
    )


def _all(report: Report, *keys: str) -> list[float]:
    """Return one figure of each model."""
    found = []
    for model in report[keys[0]].values():
        value: Any = model
        for key in keys[1:]:
            value = value[key]
        found.append(float(value))
    return found


TARGETS: Final = (
    Target(
        "explain, 60 pairs: wall time by forwards needed at raw speed",
        lambda report: max(_all(report, "efficiency", "explain", "by_raw_at_60_pairs")),
        1.05,
    ),
    Target(
        "against the published flow, same engine and file: times faster",
        lambda report: min(_all(report, "vs_published", "plain")),
        6,
        at_least=True,
    ),
    Target(
        "against the published flow, casia, best engine: times faster",
        lambda report: report["vs_published"]["casia"]["best"],
        9,
        at_least=True,
    ),
    Target(
        "occlusions by windows: times faster than the fastest whole graph",
        lambda report: min(each["gain"] for each in report["windowed"]["models"].values()),
        1.5,
        at_least=True,
    ),
    Target(
        "maps of 6,000 pairs from their deviations: seconds",
        lambda report: report["maps_and_pictures"]["seconds_of_6000_pairs"]["maps"],
        10,
    ),
    Target(
        "pictures encoded: PNGs a second",
        lambda report: report["maps_and_pictures"]["per_second"]["PNGs"],
        1500,
        at_least=True,
    ),
    *(
        Target(
            f"rows of 6,000 pairs into {database}: seconds",
            lambda report, database=database: (  # type: ignore[misc]
                report["publishing"][database]["images and pairs"]
                + report["publishing"][database]["results"]
            ),
            3,
        )
        for database in ("sqlite", "postgresql")
    ),
    *(
        Target(
            f"cost over {what}: exponent (1 is linear)",
            lambda report, what=what: report["scaling"][what]["exponent"],  # type: ignore[misc]
            1.1,
        )
        for what in ("pairs", "images", "occlusions")
    ),
    _milliseconds("sqlite"),
    _milliseconds("postgresql"),
    Target(
        "site at 50 requests a second: p95 in ms",
        lambda report: report["site_load"]["milliseconds"]["all"]["p95"],
        100,
    ),
    Target(
        "site: from the command to the first answer, seconds",
        lambda report: report["site_load"]["start_up"]["seconds"],
        1,
    ),
    Target(
        "site: own memory of a worker after the load, MB",
        lambda report: max(worker["own"] for worker in report["site_load"]["megabytes"]),
        120,
    ),
)
