"""A Dask cluster: tasks that kill their workers, workers that are missing or cannot work."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import dask
import distributed
import pytest
from distributed.client import FutureCancelledError

from compute.errors import DatasetError, RunError
from compute.parallel.cluster import ClusterWorkers
from compute.parallel.work import finished
from tests.dask_cluster import Cluster, ended
from tests.mortal import Task, work


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    # The first lost worker is told; by default Dask tries three more.
    cluster = Cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    with ended(cluster.scheduler):
        yield cluster


def test_a_task_that_kills_its_worker_is_tried_again_and_errors_are_raised(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [Task(tmp_path, i, deaths=i == 0) for i in range(4)]
    with (
        ended(cluster.start_worker(), cluster.start_worker()),
        ClusterWorkers(cluster.address, patience=60) as workers,
    ):
        while len(workers.everywhere(int)) < 2:
            pass
        results = dict(finished(workers, work, tasks))
        assert results == {task: 10 * task.number for task in tasks}
        assert "It was try 1 of 3." in capsys.readouterr().err
        assert len(tasks[0].tries()) == 2
        assert workers.room() == 2, "two tasks for the worker that is left"
        wrong = Task(tmp_path, 9, wrong=True)
        with pytest.raises(DatasetError, match="task 9 is wrong"):
            list(finished(workers, work, [wrong]))


def test_a_result_that_is_lost_with_its_scheduler_is_told_once(
    tmp_path: Path,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def lost(*_: object, **__: object) -> None:
        """Lose the scheduler as a result is fetched, which is a matter of milliseconds."""
        cluster.scheduler.kill()
        raise FutureCancelledError("a key", "scheduler-connection-lost")

    monkeypatch.setattr(distributed.Client, "_gather", lost)
    with (
        ended(cluster.start_worker()),
        ClusterWorkers(cluster.address, patience=60) as workers,
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
    ):
        workers._client._timeout = 1  # it has given up before it is asked for its workers
        with pytest.raises(RunError, match="is gone"):
            list(finished(workers, work, [Task(tmp_path, 0)]))
        logging.getLogger("tornado.application").error("other", exc_info=ValueError("news"))
    assert [record.message for record in caplog.records] == ["other"]


def test_a_worker_that_lacks_the_project_is_named(tmp_path: Path, cluster: Cluster) -> None:
    with (
        ended(cluster.start_worker(cwd=tmp_path)),
        ClusterWorkers(cluster.address, patience=60) as workers,
        pytest.raises(RunError, match=r"No module named 'compute'.*from the project's root"),
    ):
        workers.threads()


def test_no_worker_is_said_and_then_given_up(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("compute.parallel.cluster._SAY_AFTER", 0.1)
    monkeypatch.setattr("compute.parallel.work._SECONDS", 0.1)
    with ClusterWorkers(cluster.address, patience=0.6) as workers:
        with pytest.raises(RunError, match=r"has had no worker for \d+ s \(XFV_CLUSTER_SECONDS\)"):
            list(finished(workers, work, [Task(tmp_path, 0)]))
        assert capsys.readouterr().err.count("has no worker; waiting for one up to 1 s") == 1
