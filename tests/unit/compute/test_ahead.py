"""Computing ahead in a thread: order, bounds, errors and being given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from compute.ahead import ahead

Check = Callable[[], None]
SECONDS = 20.0
"""Longer than anything here takes on a busy machine."""


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_items_come_in_order_from_another_thread() -> None:
    def work(check: Check) -> Iterator[tuple[int, str]]:
        for number in range(50):
            check()
            yield number, threading.current_thread().name

    assert list(ahead(work)) == [(number, "ahead") for number in range(50)]
    assert not threads()


def test_no_more_than_the_depth_is_finished_before_it_is_taken() -> None:
    begun: list[int] = []

    def work(_: Check) -> Iterator[int]:
        for number in range(20):
            begun.append(number)
            yield number

    with closing(ahead(work, depth=2)) as items:
        assert next(items) == 0
        # Two wait, and one more was computed and cannot be handed over.
        wait_until(lambda: len(begun) == 4)
        time.sleep(0.05)
        assert begun == [0, 1, 2, 3]
        assert next(items) == 1
        wait_until(lambda: len(begun) == 5)
    assert not threads()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_ends_the_work_is_raised_after_what_came_before(error: type[BaseException]) -> None:
    def work(_: Check) -> Iterator[int]:
        yield 1
        yield 2
        raise error("model fell over")

    items = ahead(work)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(error, match="model fell over"):
        next(items)
    assert not threads()


def test_whoever_stops_taking_stops_the_work_at_its_next_check() -> None:
    left = threading.Event()

    def work(check: Check) -> Iterator[int]:
        try:
            yield 1
            while True:  # a long item, with many batches
                time.sleep(0.001)
                check()
        finally:
            left.set()

    with pytest.raises(KeyboardInterrupt), closing(ahead(work)) as items:
        assert next(items) == 1
        raise KeyboardInterrupt
    assert left.is_set()
    assert not threads()


def test_work_that_nobody_asked_for_is_not_begun() -> None:
    begun: list[bool] = []

    def work(_: Check) -> Iterator[int]:
        begun.append(True)
        yield 1

    ahead(work).close()
    assert not begun
