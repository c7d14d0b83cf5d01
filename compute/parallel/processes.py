"""Workers on this machine: one process each, so that one that is killed takes its own task only."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, Self, TypeVar

from compute.errors import RunError
from compute.parallel.work import WorkerLostError

T = TypeVar("T")
R = TypeVar("R")


class ProcessWorkers:
    """``count`` processes of this machine, started when they are needed.

    Its cores are shared out among them. A pool of many processes breaks as a whole when one is
    killed; here each has a pool of its own.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise RunError(f"--workers {count}: expected 1 or more.")
        self._count = count
        self._idle: list[_Process] = []
        self._busy: dict[Future[Any], _Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in [*self._idle, *self._busy.values()]:
            process.end()

    def threads(self) -> int:
        """Return each worker's share of the cores, at least 1."""
        return max(1, len(os.sched_getaffinity(0)) // self._count)

    def memory(self, total: float) -> float:
        """Return each worker's share."""
        return total / self._count

    def room(self) -> int:
        """Return the number of workers: none holds a task that it does not work at."""
        return self._count

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        """Hand a task to a worker that has none."""
        while self._idle:
            process = self._idle.pop()
            try:
                return self._hand(process, work, task)
            except BrokenProcessPool:  # killed while it had nothing to do
                process.pool.shutdown()
        return self._hand(_Process(), work, task)

    def _hand(self, process: _Process, work: Callable[[T], R], task: T) -> Future[R]:
        future = process.pool.submit(work, task)
        self._busy[future] = process
        return future

    def result(self, future: Future[R]) -> R:
        """Return what a task returned; a worker that is lost is replaced by the next task."""
        process = self._busy.pop(future)
        try:
            result = future.result()
        except BrokenProcessPool as error:
            process.pool.shutdown()
            raise WorkerLostError("its worker process was killed.") from error
        except BaseException:
            self._idle.append(process)
            raise
        self._idle.append(process)
        return result

    def await_one(self) -> None:
        """Wait on: the processes are alive, or their tasks would be finished."""

    def everywhere(self, work: Callable[..., R], *given: Any) -> dict[str, R]:  # noqa: ARG002
        """Return nothing: there is no other machine."""
        return {}


class _Process:
    """A pool of one process, whose id is known so that it can be ended at any time."""

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent
        )
        # A terminal sends Ctrl-C to all its processes. The worker, which starts here, is born
        # ignoring it: only the parent answers, once the worker is whole.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._id = self.pool.submit(os.getpid)
        finally:
            signal.signal(signal.SIGINT, before)

    def end(self) -> None:
        """End the process, whatever it is working at."""
        with suppress(BrokenProcessPool, ProcessLookupError):
            os.kill(self._id.result(), signal.SIGTERM)
        self.pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this process with its parent, even when that is killed: nobody would ask it anything."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
