"""Handing tasks to workers that may be lost, and taking what they return."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from compute.errors import ComputeError, RunError
from compute.progress import say

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS: Final = 3
"""How often a task is tried whose worker is lost; a task that kills its worker ends there."""

_SECONDS: Final = 2.0


class WorkerLostError(ComputeError):
    """A process that ended, or a machine that went away, while it worked at a task."""


class Workers(Protocol):
    """Processes that work at tasks; to be used in a ``with`` statement."""

    def __enter__(self) -> Self:
        """Return the workers."""

    def __exit__(self, *error: object) -> None:
        """Let go of them; what they work at is lost."""

    def threads(self) -> int:
        """Return how many threads a model may have in one worker."""

    def memory(self, total: float) -> float:
        """Return how much one worker may hold where the run may hold ``total`` on a machine."""

    def room(self) -> int:
        """Return how many tasks should be in their hands at a time."""

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        """Hand out a task; there is room."""

    def result(self, future: Future[R]) -> R:
        """Return what a finished task returned.

        Raises
        ------
        WorkerLostError
            Where its worker is lost; whatever the task raised otherwise.
        """

    def await_one(self) -> None:
        """Be told that no task finishes; ``RunError`` where none will."""

    def everywhere(self, work: Callable[..., R], *given: Any) -> dict[str, R]:
        """Call ``work`` once in every worker of another machine; results by the worker's name."""


def finished(workers: Workers, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Yield each task with what ``work`` returned for it, as they finish.

    Tasks are taken from ``tasks`` as there is room for them. One whose worker is lost is tried
    again; ``work`` must bear to be done twice. Other errors of a task are raised at once.

    Raises
    ------
    RunError
        Where tasks were lost ``ATTEMPTS`` times; all others are finished first.
    """
    hands = _Hands(workers, work, tasks)
    try:
        hands.fill()
        while hands.running:
            done, _ = wait(hands.running, timeout=_SECONDS, return_when=FIRST_COMPLETED)
            if not done:
                workers.await_one()
            arrived = [result for future in done for result in hands.take(future)]
            # Workers are busy again before the caller deals with what arrived.
            hands.fill()
            yield from arrived
    finally:
        for future in hands.running:
            future.cancel()
    if hands.given_up:
        raise RunError(
            f"{len(hands.given_up)} of the run's tasks were lost {ATTEMPTS} times with their "
            f"workers ({', '.join(map(str, hands.given_up[:5]))}). A worker that takes too much "
            "memory is killed by the system: use fewer workers, or lower XFV_MEMORY_GIB. Finished "
            "work is kept."
        )


class _Hands(Generic[T, R]):
    """The tasks in the hands of workers, those to be tried again, and those given up."""

    def __init__(self, workers: Workers, work: Callable[[T], R], tasks: Iterable[T]) -> None:
        self._workers = workers
        self._work = work
        self._due = ((task, 1) for task in tasks)
        self._again: deque[tuple[T, int]] = deque()
        self.running: dict[Future[R], tuple[T, int]] = {}
        self.given_up: list[T] = []

    def fill(self) -> None:
        """Hand out tasks while there is room."""
        for _ in range(self._workers.room() - len(self.running)):
            due = self._again.popleft() if self._again else next(self._due, None)
            if due is None:
                break
            self.running[self._workers.submit(self._work, due[0])] = due

    def take(self, future: Future[R]) -> Iterator[tuple[T, R]]:
        """Yield the task of a future with its result, unless its worker was lost."""
        task, attempt = self.running.pop(future)
        try:
            yield task, self._workers.result(future)
        except WorkerLostError as error:
            say(f"{task}: {error} It was try {attempt} of {ATTEMPTS}.")
            if attempt < ATTEMPTS:
                self._again.append((task, attempt + 1))
            else:
                self.given_up.append(task)
