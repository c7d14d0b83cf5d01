"""``compute --workers`` and ``--scheduler`` with real processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask

from app.settings import ROOT
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from tests.dask_cluster import Cluster, ended
from tests.functional.test_compute import FIRST_ID, Site, add_model, faces
from tests.mortal import PATIENCE, all_end
from tests.onnx_models import toy

# 196 occlusions: the toy has enough to do to be killed in the midst of it.
SPEC: Final = "patch_sizes = [28]\nstride = 6\n"
COMMAND: Final = ("compute", "--dataset", "demo", "--spec")


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Give all processes one core, so that models have one thread in all of them."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def new_site(folder: Path, migrated: Path) -> tuple[Site, list[str]]:
    """Return a site to be computed, and the command for it."""
    site = Site(folder, migrated)
    pixels = faces()
    records = [
        ImageRecord(f"id{i // 3}/{i:04d}.png", f"id{i // 3}", image_sha256(image))
        for i, image in enumerate(pixels)
    ]
    write_dataset(
        site.data, "demo", images=pixels, records=records, pairs=twos(), skipped=[], origin={}
    )
    add_model(site, "toy", toy())
    spec = folder / "coarse.toml"
    spec.write_text(SPEC)
    return site, [*COMMAND, str(spec)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> dict[str, Any]:
    """Return what one process publishes that is never interrupted."""
    site, command = new_site(tmp_path_factory.mktemp("workers") / "whole", migrated_file)
    assert site.run(*command).returncode == 0
    return site.published()


def twos() -> list[PairRecord]:
    """Return pairs of 8 identities, two by two: four components of six images each."""
    pairs: list[PairRecord] = []
    for first in range(0, 24, 6):
        other = first + 3
        for a, b in (
            (first, first + 1),
            (first, first + 2),
            (other, other + 1),
            (first, other),
            (first + 1, other + 1),
            (first + 2, other + 2),
        ):
            genuine = a // 3 == b // 3
            pairs.append(PairRecord(FIRST_ID + len(pairs), a, b, genuine, fold=first // 6))
    return pairs


def start(site: Site, command: list[str], **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        site.command(*command),
        cwd=ROOT,
        env=site.environment | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


def explained(site: Site) -> int:
    count: int = site.query("SELECT count(*) FROM explanation")[0][0]
    return count


def pool_workers(parent: int) -> list[int]:
    """Return the ids of a command's worker processes."""
    found = []
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        children = map(int, listed.read_text().split())
        found += [child for child in children if b"spawn_main" in command_line(child)]
    return found


def command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def left_over(site: Site) -> list[str]:
    """Return what a run keeps beside its embeddings."""
    kept = sorted(path.name for path in (site.data / "runs" / "demo" / "toy").iterdir())
    return [name for name in kept if name not in ("run.json", "embeddings-00000.npy")]


def test_killed_workers_and_a_killed_parent_leave_the_bytes_of_one_process(
    whole: dict[str, Any], tmp_path: Path, migrated_file: Path
) -> None:
    site, command = new_site(tmp_path / "site", migrated_file)
    first = start(site, [*command, "--workers", "2"])
    workers = wait_for(lambda: len(found := pool_workers(first.pid)) == 2 and found, "two workers")
    wait_for(lambda: list(site.data.glob("runs/demo/toy/embed*")), "embeddings")
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: explained(site) >= 1, "an explained pair")
    workers = pool_workers(first.pid)
    first.kill()
    assert "It was try 1 of 3." in first.communicate()[1]
    assert all_end(workers)
    assert 0 < explained(site) < 24

    last = site.run(*command, "--workers", "3")
    assert last.returncode == 0, last.stderr
    assert site.published() == whole
    assert not left_over(site)


def test_ctrl_c_ends_all_processes(tmp_path: Path, migrated_file: Path) -> None:
    site, command = new_site(tmp_path / "site", migrated_file)
    process = start(site, [*command, "--workers", "2"])
    wait_for(lambda: list(site.data.glob("runs/demo/toy/explained-*/*")), "explanations")
    workers = pool_workers(process.pid)
    assert len(workers) == 2
    # A terminal sends it to the workers, too.
    for each in [*workers, process.pid]:
        os.kill(each, signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2
    assert "Stopped. Finished work is kept" in said
    assert "Traceback" not in said
    assert all_end(workers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--workers", "0"), "0 is not in the range x>=1"),
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "expected one of them"),
        (("--scheduler", "127.0.0.1:8786"), "expected tcp://host:port"),
    ],
)
def test_wrong_workers_are_named(app: Flask, arguments: tuple[str, ...], message: str) -> None:
    done = app.test_cli_runner().invoke(args=[*COMMAND, "default", *arguments])
    assert done.exit_code == 2
    assert message in done.output


def test_a_scheduler_that_does_not_answer_is_said(tmp_path: Path, migrated_file: Path) -> None:
    site, command = new_site(tmp_path / "site", migrated_file)
    silent = ("--scheduler", "tcp://127.0.0.1:1")
    done = site.run(*command, *silent, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1")
    assert done.returncode == 2
    assert "--scheduler tcp://127.0.0.1:1: no scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cluster_that_loses_a_worker_then_its_scheduler_leaves_the_bytes_of_one_process(
    whole: dict[str, Any], tmp_path: Path, migrated_file: Path
) -> None:
    site, command = new_site(tmp_path / "site", migrated_file)
    cluster = Cluster(tmp_path)
    command += ["--scheduler", cluster.address]
    with ended(cluster.scheduler, cluster.start_worker(), doomed := cluster.start_worker()):
        first = start(site, command)
        wait_for(lambda: list(site.data.glob("runs/demo/toy/explained-*/*")), "explanations")
        doomed.kill()
        wait_for(lambda: explained(site) >= 1, "an explained pair")
        cluster.scheduler.kill()
        said = first.communicate(timeout=PATIENCE)[1]
    assert first.returncode == 2, said
    assert "is gone. Finished work is kept" in said
    assert "Traceback" not in said
    assert explained(site) < 24

    cluster = Cluster(tmp_path)
    command[-1] = cluster.address
    with ended(cluster.scheduler, cluster.start_worker()):
        last = site.run(*command)
    assert last.returncode == 0, last.stderr
    assert site.published() == whole
    assert not left_over(site)


def test_a_cluster_without_workers_is_not_waited_for_for_ever(
    tmp_path: Path, migrated_file: Path
) -> None:
    site, command = new_site(tmp_path / "site", migrated_file)
    cluster = Cluster(tmp_path)
    with ended(cluster.scheduler):
        done = site.run(*command, "--scheduler", cluster.address, XFV_CLUSTER_SECONDS="0.5")
    assert done.returncode == 2
    assert "has had no worker for" in done.stderr
    assert "python -m dask worker" in done.stderr
