"""How the site holds under load: 50 mixed requests a second on 1,000,000 results, two workers.

    python -m benchmarks.site_load [--rate 50] [--seconds 30]

gunicorn runs as in production (`gunicorn.conf.py`), on the kept site of `benchmarks/kept_site.py`.
Visitors come at random times that are fixed in advance (`benchmarks/open_loop.py`), from a process
of its own that shares the machine. Queries are those of `benchmarks/explorer.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from flask import Flask, url_for

from app import create_app
from app.explorer.catalogue import load_catalogue
from app.extensions import db
from app.models import Image, Pair
from app.settings import ROOT, Settings
from benchmarks.explorer import places, queries
from benchmarks.explorer_site import DATASETS, EXPLAINED_BY, MODELS, SEED, explained_ids
from benchmarks.kept_site import kept_site

RATE: Final = 50.0
SECONDS: Final = 30.0
WARM_UP: Final = 5.0
WORKERS: Final = 2
PAIRS: Final = 100_000
QUERIES_PER_CLASS: Final = 3

MIX: Final = {
    "list": 30,
    "pair": 20,
    "list as JSON": 12,
    "face or X-Map": 10,
    "counts of a list": 8,
    "script or style": 6,
    "deviations": 6,
    "picture drawn": 4,
    "evaluation": 3,
    "front page": 1,
}
"""Requests of each kind in a hundred."""


def measure(
    rate: float = RATE, seconds: float = SECONDS, *, pairs: int = PAIRS, workers: int = WORKERS
) -> dict[str, Any]:
    """Serve the kept site, ask it ``rate`` requests a second, and return what visitors saw.

    Returns
    -------
    ``milliseconds`` by kind (requests, p50, p95, max), ``all`` among them; ``errors``;
    ``achieved_rate``; ``start_up`` in seconds from the command to the first answer, and the first
    page; ``megabytes`` of each worker (PSS): its ``own``, and pages of ``files`` (most of them of
    the database) that the system may take back; shares of a core.
    """
    chosen, built = kept_site(pairs)
    app = create_app(chosen)
    plan = _plan(app, rate, seconds + WARM_UP, pairs)
    with _served(chosen, workers) as (server, port, start_up):
        first = _first_page(port)
        before = _seconds_of_cpu(server)
        asked = _ask(port, [(second, path) for second, _kind, path in plan])
        cpu = (_seconds_of_cpu(server) - before) / asked["seconds"]
        memory = [_megabytes(worker) for worker in _children(server)]
    counted = [
        (kind, answer)
        for (second, kind, _path), answer in zip(plan, asked["answers"], strict=True)
        if second >= WARM_UP
    ]
    return {
        "rate": rate,
        "seconds": seconds,
        "workers": workers,
        "results": built["results"],
        "errors": sum(status != 200 for _kind, (status, *_) in counted),
        "achieved_rate": round(len(plan) / asked["seconds"], 1),
        "milliseconds": _milliseconds(counted),
        "sent_late_p95": _percentile([late for _kind, (_s, _ms, late, _b) in counted], 95),
        "kilobytes_p50": _kilobytes(counted),
        "start_up": {"seconds": round(start_up, 2), "first_page": round(first, 2)},
        "megabytes": memory,
        "cores": {"server": round(cpu, 2), "client": round(asked["cpu"], 2)},
    }


def _plan(app: Flask, rate: float, seconds: float, pairs: int) -> list[tuple[float, str, str]]:
    """Return second, kind and path of every request: a Poisson process, by seed."""
    random = np.random.default_rng(SEED)
    pools = _pools(app, random, pairs)
    count = int(rate * seconds)
    arrivals = np.cumsum(random.exponential(1 / rate, count))
    shares = np.array(list(MIX.values())) / sum(MIX.values())
    kinds = random.choice(list(MIX), count, p=shares).tolist()
    return [
        (round(float(second), 4), kind, pools[kind][random.integers(len(pools[kind]))])
        for second, kind in zip(arrivals, kinds, strict=True)
    ]


def _pools(app: Flask, random: np.random.Generator, pairs: int) -> dict[str, list[str]]:
    """Return the addresses of each kind."""
    with app.test_request_context():
        session = db.session()
        catalogue = load_catalogue(session)
        asked = [
            str(one)
            for _name, every in queries()
            for one in random.choice(every, QUERIES_PER_CLASS)
        ]
        lists = [url.partition("?")[2] for url in places(catalogue, asked)]
        # A table of 200 rows is the exception.
        lists = [one for i, one in enumerate(lists) if "size=200" not in one or i % 10 == 0]
        explained = explained_ids()
        keys = [
            key
            for pair in session.query(Pair).where(Pair.id.in_(explained))
            for key in session.query(Image.media).where(
                Image.id.in_((pair.image1_id, pair.image2_id))
            )
        ]
        pools = {
            "list": [f"/explorer?{one}" for one in lists],
            "list as JSON": [f"/api/v1/pairs?{one}" for one in lists],
            "counts of a list": [f"/explorer/summary?{one}" for one in asked],
            "pair": [f"/viewer/{i}?model={EXPLAINED_BY}" for i in explained]
            + [f"/viewer/{i}" for i in random.integers(1, pairs, len(explained))],
            "deviations": [f"/api/v1/pairs/{i}/explanations/{EXPLAINED_BY}.bin" for i in explained],
            "picture drawn": [f"/viewer/{i}/1.png?model={EXPLAINED_BY}" for i in explained],
            "face or X-Map": [f"/media/{key}" for (key,) in keys],
            "script or style": [
                url_for("static", filename=path.relative_to(ROOT / "static").as_posix())
                for path in sorted((ROOT / "static").rglob("*"))
                if path.is_file()
            ],
            "evaluation": [
                f"/models/model{number}/{dataset}"
                for number in range(MODELS)
                for dataset in DATASETS[:-1]
            ],
            "front page": ["/"],
        }
        db.session.remove()
        db.engine.dispose()
    return pools


@contextmanager
def _served(chosen: Settings, workers: int) -> Iterator[tuple[int, int, float]]:
    """Run gunicorn; yield its process, its port, and the seconds until it answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": chosen.database_url,
        "XFV_MEDIA_URL": chosen.media_url,
        "XFV_REAL_DATA": "",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
    }
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            while not _answers(port):
                if server.poll() is not None or time.perf_counter() - began > 60:
                    log.seek(0)
                    raise RuntimeError(f"gunicorn did not start:\n{log.read().decode()}")
                time.sleep(0.01)
            yield server.pid, port, time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _first_page(port: int) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/explorer", timeout=60) as response:
        response.read()
    return time.perf_counter() - began


def _ask(port: int, plan: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Let a process of its own carry out the plan."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.open_loop", str(port)],
        cwd=ROOT,
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def _milliseconds(counted: Sequence[tuple[str, Any]]) -> dict[str, dict[str, float]]:
    found = {}
    for kind in (*MIX, "all"):
        spent = [answer[1] for one, answer in counted if kind in (one, "all")]
        if spent:
            found[kind] = {
                "requests": len(spent),
                **{f"p{p}": _percentile(spent, p) for p in (50, 95, 99)},
                "max": round(max(spent), 1),
            }
    return found


def _kilobytes(counted: Sequence[tuple[str, Any]]) -> dict[str, float]:
    """Return what an answer of each kind has on its way, in the middle."""
    sizes = {kind: [answer[3] / 1000 for one, answer in counted if one == kind] for kind in MIX}
    return {kind: _percentile(size, 50) for kind, size in sizes.items() if size}


def _percentile(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 1)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in text.split()]


def _megabytes(process: int) -> dict[str, float]:
    """Return what a process has of memory (PSS: of what is shared, its share)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return {
        "own": round((kilobytes["Pss"] - kilobytes["Pss_File"]) * 1024 / 1e6, 1),
        "files": round(kilobytes["Pss_File"] * 1024 / 1e6, 1),
    }


def _seconds_of_cpu(server: int) -> float:
    """Return what the server and its workers have taken of the processor."""
    ticks = 0
    for process in (server, *_children(server)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as a table."""
    sizes = found["kilobytes_p50"]
    told = [f"{'milliseconds':<20}{'requests':>9}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}{'kB':>8}"]
    for kind, row in found["milliseconds"].items():
        told.append(
            f"{kind:<20}{row['requests']:>9}{row['p50']:>8}{row['p95']:>8}{row['p99']:>8}"
            f"{row['max']:>8}{sizes.get(kind, ''):>8}"
        )
    rest = {key: found[key] for key in found if key not in ("milliseconds", "kilobytes_p50")}
    return [*told, *(f"{name:<20}{value}" for name, value in rest.items())]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--workers", type=int, default=WORKERS)
    options = parser.parse_args(arguments)
    found = measure(options.rate, options.seconds, pairs=options.pairs, workers=options.workers)
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
