"""Measure how cost and memory grow with pairs, images and occlusions, and what workers gain.

    python -m benchmarks.scaling

Whole commands are run on made-up images with the demo's model, each in a process of its own on one
core, and accounted for by the system: processor seconds, and the most memory held.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.settings import ROOT, Settings
from compute.datasets.formats.lfw import read_pairs
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from compute.demo import MODEL_PATH
from compute.embedding import Preprocessing
from compute.registry import ModelRegistry
from compute.schedule import by_component, cut, planned_computations

FIRST: Final = 30001
TIMES: Final = (1, 2, 4)
STRIDES: Final = (8, 6, 4)
"""Of one patch size of 28: 100, 196 and 441 occlusions."""
PLANNED: Final = 25_000
"""Pairs, at one time, whose order is made without explaining them."""
LITTLE: Final = 0.001
"""GiB for occluded embeddings: 41 images of 100 occlusions."""


@dataclass(frozen=True)
class Spent:
    """What a process took, as the system accounts for it, with the workers that it waited for."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


def measure(*, pairs: int = 32, planned: int = PLANNED) -> dict[str, Any]:
    """Return seconds, MB and exponents, as JSON has them.

    Parameters
    ----------
    pairs
        How many at one time; four times as many are made, of two images each.
    planned
        As ``PLANNED``.

    Returns
    -------
    Under ``pairs``, ``images`` and ``occlusions``: ``n``, ``cpu_seconds`` without what a command
    takes that finds nothing to do, ``exponent`` (1 is linear) and ``peak_mb``; under ``cost`` one
    law for them all, linear in pairs (to publish) and forwards (to embed). Under ``planning``
    the same of ordering and cutting, with ``bytes_per_pair``. Under ``workers`` wall seconds by
    their number. Under ``lfw_shards`` how many images are embedded again by the size of shards,
    where LFW's list is at hand.
    """
    with tempfile.TemporaryDirectory() as folder:
        site = _Site(Path(folder), pairs)
        idle = site.explain(STRIDES[0], range(0))
        disjoint = [site.explain(STRIDES[0], range(pairs * times)) for times in TIMES]
        many = 4 * pairs
        shared = [
            site.explain(STRIDES[0], range(many * block, many * (block + 1))) for block in (2, 1)
        ]
        finer = [site.explain(stride, range(pairs)) for stride in STRIDES[1:]]
        by_workers = {
            str(count): site.explain(STRIDES[0], range(many), workers=count, cores=2).wall_seconds
            for count in (1, 2)
        }
    counts = [(84 // stride) ** 2 for stride in STRIDES]
    sizes = [planned * times for times in TIMES]
    plans = [_in_a_process(size) for size in sizes]
    memory = np.polyfit(sizes, [plan.peak_mb for plan in plans], 1)[0]
    report: dict[str, Any] = {
        "idle": {"cpu_seconds": idle.cpu_seconds, "peak_mb": idle.peak_mb},
        "pairs": _growth([pairs * times for times in TIMES], disjoint, idle),
        "images": _growth([pairs * 2, pairs * 4, pairs * 8], [*shared, disjoint[-1]], idle),
        "occlusions": _growth(counts, [disjoint[0], *finer], idle),
        "planning": _growth(sizes, plans, Spent(0, 0, 0)) | {"bytes_per_pair": memory * 1e6},
        "cost": _cost(
            [
                *(
                    (each, pairs * n, pairs * n * 2 * 100)
                    for each, n in zip(disjoint, TIMES, strict=True)
                ),
                *(
                    (each, many, images * 100)
                    for each, images in zip(shared, (pairs * 2, pairs * 4), strict=True)
                ),
                *((each, pairs, pairs * 2 * k) for each, k in zip(finer, counts[1:], strict=True)),
            ],
            idle,
        ),
        "workers": {"wall_seconds": by_workers},
    }
    shards = _lfw_shards()
    return report | ({"lfw_shards": shards} if shards else {})


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return p of cost ~ size^p, fitted: 1 where cost grows linearly, 2 by the square."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _growth(sizes: Sequence[int], spent: Sequence[Spent], idle: Spent) -> dict[str, Any]:
    seconds = [each.cpu_seconds - idle.cpu_seconds for each in spent]
    return {
        "n": list(sizes),
        "cpu_seconds": seconds,
        "exponent": exponent(sizes, seconds),
        "peak_mb": [each.peak_mb for each in spent],
    }


def _cost(taken: Sequence[tuple[Spent, int, int]], idle: Spent) -> dict[str, float]:
    """Fit seconds = a x pairs + b x forwards; ``r2`` is the share of the variance it explains."""
    seconds = np.array([spent.cpu_seconds - idle.cpu_seconds for spent, _, _ in taken])
    sizes = np.array([numbers for _, *numbers in taken], dtype=np.float64)
    fitted = np.linalg.lstsq(sizes, seconds, rcond=None)[0]
    left = seconds - sizes @ fitted
    return {
        "ms_per_pair": 1e3 * float(fitted[0]),
        "ms_per_forward": 1e3 * float(fitted[1]),
        "r2": 1 - float(left @ left / np.square(seconds - seconds.mean()).sum()),
    }


class _Site:
    """A data folder with a verified dataset, and a database."""

    def __init__(self, folder: Path, pairs: int) -> None:
        self._folder = folder
        self._sets = 0
        data = folder / "data"
        images = _images(16 * pairs)
        write_dataset(
            data,
            "demo",
            images=images,
            records=[
                ImageRecord(f"{i}.png", f"id{i}", image_sha256(image))
                for i, image in enumerate(images)
            ],
            pairs=_pairs(4 * pairs),
            skipped=[],
            origin={},
        )
        preprocessing = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)
        ModelRegistry(data).add("demo", MODEL_PATH, preprocessing=preprocessing)
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/scaling.sqlite3",
            "XFV_DATA_DIR": str(data),
            "XFV_MEDIA_URL": str(folder / "media"),
            "XFV_MEMORY_GIB": str(LITTLE),
        }
        self._flask("db", "upgrade", cores=1)
        self._flask("compute", "--dataset", "demo", "--stage", "verify", cores=1)

    def explain(self, stride: int, pairs: range, *, workers: int = 1, cores: int = 1) -> Spent:
        """Explain pairs in a new set; none of them is one pair, explained before."""
        if pairs:
            self._sets += 1
            wanted = f"{FIRST + pairs.start}-{FIRST + pairs.stop - 1}"
        else:
            self.explain(stride, range(1))
            wanted = str(FIRST)
        spec = self._folder / f"set{self._sets}.toml"
        spec.write_text(f"patch_sizes = [28]\nstride = {stride}\n", encoding="utf-8")
        chosen = ("--spec", str(spec), "--pairs", wanted, "--workers", str(workers))
        return self._flask("compute", "--dataset", "demo", *chosen, cores=cores)

    def _flask(self, *arguments: str, cores: int) -> Spent:
        began = time.perf_counter()
        allowed = set(sorted(os.sched_getaffinity(0))[:cores])
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        peak, ended, status = 0.0, 0, 0
        while not ended:
            time.sleep(0.02)
            # What it holds itself; the pages of mapped images are the system's to drop.
            peak = max(peak, _status_mb(process.pid, "RssAnon"))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"flask {' '.join(arguments)} ended with {process.returncode}.")
        return Spent(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, peak)


def _status_mb(process: int | str, field: str) -> float:
    """Return a size that the system knows of a process, 0 for one that has ended."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))


def _images(count: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (count, 14, 14, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def _pairs(many: int) -> list[PairRecord]:
    """Return three blocks of ``many`` pairs: on 2, 1 and half an image for each.

    In the second, eight images are a ring; in the third, all of four are linked.
    """
    ring = [(i, (i + 1) % 8) for i in range(8)]
    links = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (1, 0), (2, 0)]
    drawn = [(2 * i, 2 * i + 1) for i in range(many)]
    start = 2 * many
    drawn += [
        (start + 8 * (i // 8) + a, start + 8 * (i // 8) + b) for i, (a, b) in _over(ring, many)
    ]
    start += many + 8
    drawn += [
        (start + 4 * (i // 8) + a, start + 4 * (i // 8) + b) for i, (a, b) in _over(links, many)
    ]
    return [
        PairRecord(FIRST + i, a, b, genuine=i % 2 == 0, fold=i // 2 % 10)
        for i, (a, b) in enumerate(drawn)
    ]


def _over(links: list[tuple[int, int]], many: int) -> list[tuple[int, tuple[int, int]]]:
    return [(i, links[i % len(links)]) for i in range(many)]


def _in_a_process(pairs: int) -> Spent:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_plan, pairs).result()


def _plan(count: int) -> Spent:
    """Order and cut pairs as sparse as LFW's, and see how a cache would hold their images."""
    drawn = np.random.default_rng(0).integers(0, 770, (count, 2))
    block = 770 * (np.arange(count) // 600)  # as the pairs of a fold share no image with others
    pairs = [
        PairRecord(i, int(a), int(b), i % 2 == 0, i % 10)
        for i, (a, b) in enumerate(drawn + block[:, None])
    ]
    before, began, held = time.process_time(), time.perf_counter(), _status_mb("self", "VmRSS")
    ordered = by_component(pairs)
    cut(ordered, 32)
    planned_computations([(pair.image1, pair.image2) for pair in ordered], 50)
    peak = _status_mb("self", "VmHWM") - held
    return Spent(time.process_time() - before, time.perf_counter() - began, peak)


def _lfw_shards() -> dict[str, dict[str, int]]:
    real = Settings.from_environment().real_data
    if real is None or not (real / "data" / "pairs.txt").is_file():
        return {}
    rows: dict[str, int] = {}
    pairs = [
        PairRecord(
            i,
            rows.setdefault(listed.image1, len(rows)),
            rows.setdefault(listed.image2, len(rows)),
            listed.genuine,
            0,
        )
        for i, listed in enumerate(read_pairs(real / "data" / "pairs.txt"))
    ]
    ordered = by_component(pairs)
    found = {}
    for size in (8, 16, 32, 64):
        shards = cut(ordered, size)
        images = sum(len({i for p in shard for i in (p.image1, p.image2)}) for shard in shards)
        found[str(size)] = {"shards": len(shards), "again": images - len(rows)}
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as tables."""
    told = []
    for name in ("pairs", "images", "occlusions", "planning"):
        part = found[name]
        told.append(f"{name}: seconds grow as n^{part['exponent']:.2f}")
        for n, seconds, peak in zip(part["n"], part["cpu_seconds"], part["peak_mb"], strict=True):
            told.append(f"  {n:8} {seconds:8.2f} s {peak:8.1f} MB")
    seconds_by = found["workers"]["wall_seconds"].items()
    told.append("workers: " + ", ".join(f"{count}: {wall:.1f} s" for count, wall in seconds_by))
    shards = found.get("lfw_shards", {}).items()
    return [*told, *(f"shards of {size} pairs of LFW: {again}" for size, again in shards)]


def main() -> None:
    """Measure and print."""
    print("\n".join(lines(measure())))


if __name__ == "__main__":
    main()
