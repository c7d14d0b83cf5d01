"""Workers of a Dask cluster. Its scheduler runs whatever code it is sent: see docs/scale.md."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final, Self, TypeVar, cast
from urllib.parse import urlsplit

from compute.errors import RunError
from compute.parallel.work import WorkerLostError
from compute.progress import say

T = TypeVar("T")
R = TypeVar("R")

_SAY_AFTER: Final = 20.0
_LOOK_AGAIN: Final = 0.2
_HOW_TO_START: Final = (
    "Start workers from the project's root, in an environment with requirements/cluster.txt: "
    "python -m dask worker ADDRESS --nthreads 1"
)
_RETRIES: Final = 2  # of a task that raises, on whatever worker: a mount may be late on one


class ClusterWorkers:
    """The workers of a Dask scheduler, as they come and go.

    Parameters
    ----------
    address
        ``tcp://host:port``, or ``tls://`` with keys set in Dask's own configuration.
    patience
        Seconds without any worker after which the run is given up.

    Raises
    ------
    RunError
        Where ``distributed`` is not installed, or no scheduler answers.
    """

    def __init__(self, address: str, *, patience: float) -> None:
        try:
            import distributed
            from distributed.client import ClosedClientError
        except ModuleNotFoundError as error:
            raise RunError(
                f"{error.name} is not installed, which --scheduler needs. Run: pip install -r "
                "requirements/cluster.txt"
            ) from error
        # What ends a run is told once, by this module.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        logging.getLogger("tornado.application").addFilter(_is_other_than_a_lost_connection)
        self._address = address
        self._patience = patience
        self._without_since: float | None = None
        self._said = False
        self._killed: type[Exception] = distributed.KilledWorker
        self._closed: type[Exception] = ClosedClientError
        try:
            self._client = distributed.Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RunError(
                f"--scheduler {address}: no scheduler answers ({error}). Start one with: "
                "python -m dask scheduler; docs/scale.md says how."
            ) from error
        self._executor = self._client.get_executor(pure=False, retries=_RETRIES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(self._closed):  # it has let go of all tasks then
            self._executor.shutdown(wait=False)
        self._client.close()

    def threads(self) -> int:
        """Return the least share of a machine's cores that one of its workers has."""
        cores = self.everywhere(_cores)
        workers = Counter(_host(worker) for worker in cores)
        return max(1, min(count // workers[_host(worker)] for worker, count in cores.items()))

    def memory(self, total: float) -> float:
        """Return all of it: how many workers a machine can bear is for who starts them."""
        return total

    def room(self) -> int:
        """Return two tasks for each worker, so that none waits for the next."""
        return max(2, 2 * len(self._workers()))

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        """Hand a task to the scheduler."""
        try:
            future: Future[R] = self._executor.submit(work, task)
        except self._closed as error:
            raise self._gone() from error
        return future

    def result(self, future: Future[R]) -> R:
        """Return what a task returned; the scheduler itself tries again for lost workers, too."""
        try:
            return future.result()
        except self._killed as error:
            raise WorkerLostError("several workers were lost with it.") from error
        except ImportError as error:
            raise RunError(f"A worker cannot work ({error}). {_HOW_TO_START}") from error
        except CancelledError as error:
            raise self._gone() from error

    def await_one(self) -> None:
        """Look whether there are workers at all; Dask itself would wait for them for ever."""
        if self._workers():
            self._without_since = None
            return
        now = time.monotonic()
        if self._without_since is None:
            self._without_since, self._said = now, False
        waited = now - self._without_since
        if waited > self._patience:
            raise RunError(
                f"The scheduler at {self._address} has had no worker for {waited:.0f} s "
                "(XFV_CLUSTER_SECONDS). Finished work is kept; run the command again when there "
                f"is one. {_HOW_TO_START}"
            )
        if waited > _SAY_AFTER and not self._said:
            self._said = True
            say(
                f"The scheduler at {self._address} has no worker; waiting for one up to "
                f"{self._patience:.0f} s (XFV_CLUSTER_SECONDS)."
            )

    def everywhere(self, work: Callable[..., R], *given: Any) -> dict[str, R]:
        """Call ``work`` once in every worker that is there; waits for the first."""
        while True:
            while not self._workers():
                self.await_one()
                time.sleep(_LOOK_AGAIN)
            results = self._client.run(work, *given, on_error="return")
            for worker, result in list(results.items()):
                if isinstance(result, OSError):  # it was lost meanwhile
                    del results[worker]
                elif isinstance(result, Exception):
                    raise RunError(f"The worker {worker} cannot work ({result}). {_HOW_TO_START}")
            if results:
                return cast(dict[str, R], results)
            time.sleep(_LOOK_AGAIN)

    def _workers(self) -> list[str]:
        # A client closes itself after some seconds without its scheduler, and answers no more.
        if self._client.status == "closed":
            raise self._gone()
        try:
            return list(self._client.nthreads())
        except (OSError, TimeoutError) as error:
            raise self._gone() from error

    def _gone(self) -> RunError:
        return RunError(
            f"The scheduler at {self._address} is gone. Finished work is kept: start scheduler and "
            "workers, then run the command again."
        )


def _is_other_than_a_lost_connection(record: logging.LogRecord) -> bool:
    """Tell whether a record is news: a result being fetched as the scheduler goes is not."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (FutureCancelledError, CommClosedError))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _host(worker: str) -> str | None:
    return urlsplit(worker).hostname
