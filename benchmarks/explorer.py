"""How long the explorer's lists take at 1,000,000 results, on SQLite and on PostgreSQL.

    python -m benchmarks.explorer [--pairs 100000] [--output FILE.json]

A request is measured as the server sees it, from the URL to the JSON: reading the catalogue,
parsing, filtering, counting, sorting, the page's rows with all models. Each class of queries is
asked for its first page, a page by number at depth 40,000, and by cursor in the middle and near the
end. The SQLite file is kept in the temporary folder for the next run.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app import create_app
from app.explorer.catalogue import Catalogue, load_catalogue
from app.explorer.cursor import encode_cursor
from app.explorer.parsing import parse_query
from app.explorer.query_string import query_text, read_query_string
from app.explorer.selection import Selection
from app.extensions import db
from benchmarks.explorer_site import MODELS, SEED
from benchmarks.kept_site import build, kept_site, settings
from benchmarks.report import Report, machine, versions, write
from tests import postgresql

PAIRS: Final = 100_000
ROUNDS: Final = 3
SAMPLE: Final = 8
"""Queries of each class in `make bench`."""
TARGET: Final = 40.0
"""Milliseconds."""

# Two words of each class: what is unselective and what is selective, then what matches nothing.
CLASSES: Final[dict[str, Sequence[str]]] = {
    "none": ("", "dataset=bench-b", "model=model3", "count=all"),
    "pair numbers": (
        *("id__gt=50000", "id__lte=90", "id=77", "id__gt=2000000000", "id__in=5,6,70000"),
        *("genuine=0", "genuine__not=0", "fold=3", "fold__lt=2", "fold__not=4", "fold__in=1,2,8"),
        *("fold__gt=50", "quality1__gt=0.5", "quality2__lte=0.2", "quality_min__lt=0.1"),
        *("quality_min__not=0.5", "quality_min=0.500", "quality_min__gt=5"),
    ),
    "identity contains": (
        *("identity1__contains=a", "identity1__contains=SON", "identity2__contains=Aaron"),
        *("identity2__contains=Zoe_Alberg", "identity1__contains=nobody", "identity1__contains=%"),
    ),
    "image contains": ("image1__contains=_000", "image2__contains=oe_B", "image1__contains=qq"),
    "text startswith": (
        "identity1__startswith=a",
        "image2__startswith=Zoe_",
        "image1__startswith=q",
    ),
    "text values": (
        *("identity1=Zoe_Alberg", "identity2__not=Zoe_Alberg", "identity1__gte=M"),
        *("image1__lt=B", "image2=Aaron_Alman_0001", "identity1__in=Zoe_Alberg,Ada_Barson"),
        *("image2__gt=zz", "identity2__lte=Aaron_B"),
    ),
    "model numbers": (
        *("model0.distance__lt=0.7", "model4.distance__gt=1.3", "model3.distance=0.85"),
        *("model5.confidence__lte=0.6", "model5.confidence__gt=0.51", "model2.threshold__gt=0.7"),
        *("model6.distance__gt=1.99", "model1.confidence__lt=0.5", "model9.confidence__not=0.5"),
    ),
    "model flags": (
        *("model0.correct=0", "model0.correct=1", "model4.prediction=genuine"),
        *("model7.prediction__not=genuine", "model0.explained=1", "model1.explained=1"),
        *("model2.explained=0", "model9.explained=1", "model9.explained=0"),
    ),
    "isnull": (
        *("quality1__isnull=1", "quality_min__isnull=0", "identity1__isnull=1"),
        *("model1.distance__isnull=1", "model1.confidence__isnull=0", "model4.correct__isnull=1"),
        *("model0.prediction__isnull=1", "genuine__isnull=0"),
    ),
    "agree": (
        *("agree=0", "agree=1", "model=model0&model=model9&agree=0"),
        *("model=model2&model=model3&agree=1", "model=model1&agree=0", "dataset=bench-e&agree=0"),
    ),
    "several filters": (
        "genuine=0&model0.prediction=genuine&model4.prediction=genuine&model0.confidence__gt=0.9",
        "identity1__contains=son&model2.correct=0&model3.correct=1&quality_min__gt=0.4",
        "dataset=bench-a&dataset=bench-d&agree=0&model0.correct=1&fold__in=1,2,3",
    ),
}
SORTS: Final[dict[str, Sequence[str]]] = {
    "unsorted": ("", "-id"),
    "1 key, of the pair": (
        *("dataset", "genuine", "-fold", "identity1", "-identity2", "image1", "-image2"),
        *("quality1", "-quality2", "quality_min", "-quality_min"),
    ),
    "1 key, of a model": (
        *("model0.distance", "-model1.distance", "model5.confidence", "-model3.confidence"),
        *("model2.threshold", "-model6.prediction", "model0.correct", "-model1.explained"),
    ),
    "2 keys": (
        *("genuine,-model0.confidence", "-fold,identity1", "model1.correct,model8.distance"),
        *("-dataset,quality_min", "identity1,-image2", "-model3.distance,model2.distance"),
    ),
    "3 keys": (
        *("-genuine,model0.correct,-model4.distance", "fold,-quality_min,image1"),
        *("model0.correct,-model1.correct,model3.distance", "-model3.distance,identity2,-id"),
        *("-model0.prediction,identity1,-identity2",),
    ),
}


@dataclass(frozen=True)
class Times:
    """Milliseconds of the requests of one class."""

    requests: int
    p50: float
    p95: float
    max: float
    cpu_p95: float
    """Of the site's process alone: what a busy machine changes less."""

    @classmethod
    def over(cls, taken: Sequence[tuple[float, float]]) -> Times:
        """Sum up requests: wall and processor time of each."""
        wall, cpu = np.array(taken).T
        p50, p95, most = (round(float(np.percentile(wall, p)), 2) for p in (50, 95, 100))
        return cls(len(taken), p50, p95, most, round(float(np.percentile(cpu, 95)), 2))


def measure(
    pairs: int = PAIRS,
    *,
    databases: Sequence[str] = ("sqlite", "postgresql"),
    rounds: int = 1,
    sample: int | None = SAMPLE,
) -> dict[str, Any]:
    """Return, by database, milliseconds by class of queries, plans, and what the site is like.

    Parameters
    ----------
    rounds
        How often each request is asked, after a first time that warms.
    sample
        So many queries of each class; None for all.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="xfv-bench-") as folder:
        for name, app, facts in _sites(pairs, databases, Path(folder)):
            times, plans = ask(app, rounds, sample)
            with app.app_context():
                server = _server_version()
                db.session.remove()
                db.engine.dispose()
            found[name] = {
                "pairs": pairs,
                "models": MODELS,
                "server": server,
                **facts,
                "milliseconds": {kind: asdict(row) for kind, row in times.items()},
                "plans": plans,
            }
    return found


def ask(app: Flask, rounds: int, sample: int | None = None) -> tuple[dict[str, Times], list[str]]:
    """Ask every query; return the times by class, all together under ``all``, and the plans."""
    client = app.test_client()
    with app.app_context():
        catalogue = load_catalogue(db.session())
        requests = {name: list(places(catalogue, asked[:sample])) for name, asked in queries()}
    plans = _plans(app, client, [urls[0] for urls in requests.values()])
    gc.collect()
    gc.freeze()  # as gunicorn.conf.py does
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in requests}
    for number in range(rounds + 1):
        for name, urls in requests.items():
            for url in urls:
                wall, cpu = time.perf_counter(), time.process_time()
                response = client.get(url)
                spent = (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000
                if response.status_code != 200:
                    raise RuntimeError(f"{url}: {response.text}")
                if number:  # the first round warms up
                    times[name].append(spent)
    every = [spent for values in times.values() for spent in values]
    return {name: Times.over(values) for name, values in (times | {"all": every}).items()}, plans


def queries() -> Iterator[tuple[str, list[str]]]:
    """Yield the classes: each filter under three sorts, each sort under three filters."""
    random = np.random.default_rng(SEED)
    sorts = [sort for group in SORTS.values() for sort in group]
    filters = [one for group in CLASSES.values() for one in group]
    for name, queries in CLASSES.items():
        pairs = [(one, str(sort)) for one in queries for sort in random.choice(sorts, 3)]
        yield f"filter: {name}", [_query(*pair) for pair in pairs]
    for name, keys in SORTS.items():
        pairs = [(str(one), sort) for sort in keys for one in ["", *random.choice(filters, 2)]]
        yield f"sort: {name}", [_query(*pair) for pair in pairs]


def _query(filters: str, sort: str) -> str:
    return "&".join(filter(None, (filters, sort and f"sort={sort}")))


def places(catalogue: Catalogue, queries: Sequence[str]) -> Iterator[str]:
    """Yield URLs of every query: first page, page 200, and cursors in the middle and at the end."""
    for query_string in queries:
        query = parse_query(read_query_string(query_string.encode()), catalogue)
        selection = Selection(db.session(), query)
        places = ["", "size=200", "size=200&page=200"]
        for name, place in (
            ("after", len(selection) // 2),
            ("after", len(selection) - 60),
            ("before", len(selection) * 3 // 4),
        ):
            if 0 < place < len(selection):
                rows = selection.window(place, place + 1)
                cursor = selection.cursors(rows, place)[0]
                places.append(f"{name}={encode_cursor(cursor, query.binding)}")
        for place_string in places:
            params = query_text(query.params())
            yield "/api/v1/pairs?" + "&".join(filter(None, (params, place_string)))


def _plans(app: Flask, client: FlaskClient, urls: Sequence[str]) -> list[str]:
    """Return the plan of every statement that ``urls`` take, each once."""
    seen: dict[str, Any] = {}

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            seen.setdefault(_shape(statement), (statement, parameters))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    for url in urls:
        client.get(url)
    event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    plans = []
    with engine.connect() as connection:
        for shape, (statement, parameters) in seen.items():
            lines = connection.exec_driver_sql(explain + statement, parameters)
            plans.append("\n  ".join([shape, *(str(line[-1]) for line in lines)]))
    return plans


def _shape(statement: str) -> str:
    """Return a statement on one line, with lists of placeholders cut to one."""
    words = " ".join(statement.split())
    words = "SELECT ... FROM " + words.partition(" FROM ")[2]
    parts = words.split(", ")
    kept = [part for place, part in enumerate(parts) if place == 0 or part != parts[place - 1]]
    return ", ".join(kept)[:300]


def _sites(
    pairs: int, wanted: Sequence[str], folder: Path
) -> Iterator[tuple[str, Flask, dict[str, Any]]]:
    """Yield name and site of each database: the kept file, and a server while it is there."""
    if "sqlite" in wanted:
        chosen, facts = kept_site(pairs)
        yield "sqlite", create_app(chosen), facts
    programs = postgresql.programs() if "postgresql" in wanted else None
    if programs:
        with postgresql.temporary_server(programs) as url:
            yield "postgresql", *build(settings(url, folder), pairs)
    elif "postgresql" in wanted:
        print("PostgreSQL is not installed: it is not measured.")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measure all queries, print, and write the figures where ``--output`` says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sample", type=int, help="ask only so many queries of each class")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--output", type=Path, help="JSON file, or a folder for DATE-COMMIT.json")
    options = parser.parse_args(arguments)
    report: Report = {"machine": machine(), "versions": versions()}
    report["explorer"] = measure(
        options.pairs,
        databases=options.databases,
        rounds=options.rounds,
        sample=options.sample,
    )
    print("\n".join(lines(report["explorer"])))
    report["machine"] |= {"load_average_after": machine()["load_average"]}
    if options.output:
        print(f"\nWritten to {write(report, options.output)}")
    return report


def _server_version() -> str:
    question = "sqlite_version()" if db.engine.dialect.name == "sqlite" else "version()"
    return str(db.session.scalar(text(f"SELECT {question}")))


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as tables, with the plans that it relied on."""
    return [line for name, facts in found.items() for line in _lines(name, facts)]


def _lines(name: str, facts: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{name}: {facts['results']:,} results, {facts['bytes_per_result']} bytes each with all "
        "indexes and columns; built in "
        + ", ".join(f"{step} {spent} s" for step, spent in facts["seconds"].items())
    )
    yield (
        f"{'milliseconds of a request':<32}{'requests':>9}{'p50':>9}{'p95':>9}{'max':>9}"
        f"{'cpu p95':>9}"
    )
    for kind, row in facts["milliseconds"].items():
        late = "" if row["p95"] < TARGET else f"  over {TARGET:g}"
        yield (
            f"{kind:<32}{row['requests']:>9}{row['p50']:>9.1f}{row['p95']:>9.1f}{row['max']:>9.1f}"
            f"{row['cpu_p95']:>9.1f}{late}"
        )
    yield from ("", "Plans, the same for every class:", *facts["plans"], "")


if __name__ == "__main__":
    main()
