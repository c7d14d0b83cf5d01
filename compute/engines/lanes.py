"""Batches side by side: each processor thread takes a part of its own, and waits for no other.

Threads that share one batch meet after every operator, and where anything else runs on the machine
all wait for the slowest. A part has the whole model to itself. What a row becomes depends on
neither: rows of ONNX Runtime are equal to the bit for the models measured, from parts of 8 to 24.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_SMALLEST: Final = 4  # images; below it a matrix product would become one of vectors


def lanes_for(threads: int, batch: int) -> int:
    """Return how many parts of a batch run side by side on so many processor threads."""
    return max(1, min(threads, batch // _SMALLEST))


class Lanes:
    """Runs a function on several items at a time, each in a thread; results keep their order."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, "lane") if count > 1 else None

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what the function makes of each item; its first error ends it."""
        return map(function, items) if self._pool is None else self._pool.map(function, items)
