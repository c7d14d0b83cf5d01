"""Computing ahead: what comes next is computed in a thread while what came is published.

On a fast device drawing and writing a pair would take as long as explaining it. Engines leave the
interpreter free while they run; the database stays with the thread that takes the results.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DEPTH: Final = 2
"""Items that may wait to be taken; one more is being computed."""


class _AbandonedError(Exception):
    """Nobody takes what is computed any more."""


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


def ahead(
    items: Callable[[Callable[[], None]], Iterable[T]], *, depth: int = DEPTH
) -> Generator[T, None, None]:
    """Yield the items of an iterable that is run through by a thread of its own.

    To be closed (``contextlib.closing``) where it may not be taken to its end: the thread is then
    stopped, and waited for.

    Parameters
    ----------
    items
        Called in the thread. It is given a function to be called now and then, which ends the work
        with an exception where nobody waits for it any more.
    depth
        How many items may be finished and not taken yet.

    Raises
    ------
    BaseException
        Whatever ended ``items``, after all that came before has been taken.
    """
    ready: SimpleQueue[_Item[T] | BaseException | None] = SimpleQueue()
    room = threading.Semaphore(depth)
    abandoned = threading.Event()

    def check() -> None:
        if abandoned.is_set():
            raise _AbandonedError

    def work() -> None:
        ended: BaseException | None = None
        try:
            for value in items(check):
                room.acquire()
                check()
                ready.put(_Item(value))
        except BaseException as error:  # noqa: BLE001  raised again where the items are taken
            ended = error
        ready.put(ended)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while isinstance(found := ready.get(), _Item):
            room.release()
            yield found.value
        if found is not None:
            raise found
    finally:
        abandoned.set()
        room.release()
        thread.join()
