"""Worker processes that are killed, really: what is done again, what is told, and who ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.settings import ROOT
from compute.errors import DatasetError, RunError
from compute.parallel.processes import ProcessWorkers
from compute.parallel.work import ATTEMPTS, finished
from tests.mortal import PATIENCE, Task, all_end, work


def test_a_killed_worker_costs_its_own_task_a_second_try_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [Task(tmp_path, i, deaths=i == 2) for i in range(6)]
    with ProcessWorkers(2) as workers:
        results = dict(finished(workers, work, tasks))
    assert results == {task: 10 * task.number for task in tasks}
    assert [len(task.tries()) for task in tasks] == [1, 1, 2, 1, 1, 1]
    told = capsys.readouterr().err
    assert "its worker process was killed. It was try 1 of 3." in told
    # One process for each worker, and one more in place of the killed one.
    assert len({process for task in tasks for process in task.tries()}) == 3


def test_a_worker_that_is_killed_while_it_has_nothing_to_do_is_replaced(tmp_path: Path) -> None:
    first, second = Task(tmp_path, 1), Task(tmp_path, 2)
    with ProcessWorkers(1) as workers:
        assert dict(finished(workers, work, [first])) == {first: 10}
        (idle,) = workers._idle
        os.kill(first.tries()[0], signal.SIGKILL)
        # The pool finds out by itself, in a thread of its own.
        deadline = time.monotonic() + PATIENCE
        while not idle.pool._broken and time.monotonic() < deadline:
            time.sleep(0.02)
        assert dict(finished(workers, work, [second])) == {second: 20}
    assert first.tries() != second.tries()


def test_a_task_that_always_kills_its_worker_is_given_up_when_the_others_are_done(
    tmp_path: Path,
) -> None:
    tasks = [Task(tmp_path, i, deaths=99 if i == 0 else 0) for i in range(4)]
    results: list[tuple[Task, int]] = []
    with (
        ProcessWorkers(2) as workers,
        pytest.raises(RunError, match="1 of the run's tasks") as told,
    ):
        results.extend(finished(workers, work, tasks))
    assert [len(task.tries()) for task in tasks] == [ATTEMPTS, 1, 1, 1]
    assert {task.number for task, _ in results} == {1, 2, 3}
    assert "number=0" in str(told.value)
    assert "XFV_MEMORY_GIB" in str(told.value)


def test_what_a_task_raises_is_raised_at_once_and_the_workers_end(tmp_path: Path) -> None:
    tasks = [Task(tmp_path, 0, seconds=600), Task(tmp_path, 1, wrong=True), Task(tmp_path, 2)]
    with ProcessWorkers(2) as workers, pytest.raises(DatasetError, match="task 1 is wrong"):
        list(finished(workers, work, tasks))
    assert len(tasks[1].tries()) == 1
    assert not tasks[2].tries()
    assert all_end(tasks[0].tries())


def test_no_more_tasks_are_taken_than_there_are_workers(tmp_path: Path) -> None:
    taken = []

    def endless() -> Iterator[Task]:
        for number in range(10**9):
            taken.append(number)
            yield Task(tmp_path, number)

    with ProcessWorkers(2) as workers:
        results = finished(workers, work, endless())
        for done in range(1, 6):
            next(results)
            assert len(taken) <= done + 2 + 1
        del results


def test_the_cores_and_the_memory_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert [ProcessWorkers(count).threads() for count in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
    assert ProcessWorkers(4).memory(2.0) == 0.5
    with pytest.raises(RunError, match="--workers 0: expected 1 or more"):
        ProcessWorkers(0)


PARENT: Final = """
import sys
from pathlib import Path
from compute.parallel.processes import ProcessWorkers
from compute.parallel.work import finished
from tests.mortal import Task, work
if __name__ == "__main__":
    with ProcessWorkers(2) as workers:
        list(finished(workers, work, [Task(Path(sys.argv[1]), i, seconds=600) for i in range(2)]))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    tasks = [Task(tmp_path, i) for i in range(2)]
    deadline = time.monotonic() + PATIENCE
    while not all(task.tries() for task in tasks) and time.monotonic() < deadline:
        time.sleep(0.02)
    processes = [process for task in tasks for process in task.tries()]
    assert len(set(processes)) == 2
    parent.kill()
    parent.wait()
    assert all_end(processes)
