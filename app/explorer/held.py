"""Packed columns that this process has read, so that the next page need not read them again.

The database tells with each column the SHA-256 of its bytes; what is held under another hash is out
of date and read anew. So a page never shows what is no longer there, and most pages read no column.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

from numpy.typing import NDArray

from app.explorer.packing import Array, Text

LIMIT: Final = 24 * 2**20
"""Bytes; ten models on 100,000 pairs have 27 MB of columns, of which a summary looks at 22."""

Place: TypeAlias = tuple[int, int | None, str]
"""Dataset, model (None for columns of the pairs themselves) and name of a column."""


class Held(NamedTuple):
    """A column, and the SHA-256 of the bytes that it was unpacked from."""

    sha256: str
    array: Array


class HeldColumns:
    """Columns by place, at most ``limit`` bytes of them; the longest unused one goes first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held: OrderedDict[Place, Held] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()  # a worker may have several threads

    def find(self, places: Iterable[Place]) -> dict[str, Array]:
        """Return what is held of ``places``, by hash."""
        found = {}
        with self._lock:
            for place in places:
                if place in self._held:
                    self._held.move_to_end(place)
                    held = self._held[place]
                    found[held.sha256] = held.array
        return found

    def keep(self, place: Place, sha256: str | None, data: bytes, array: Array) -> None:
        """Hold ``array``, unpacked from ``data``, unless the bytes are not those of the hash.

        A previous version of the pipeline, writing during a deployment, gives no hash, or leaves
        the one that was there.
        """
        size = _size(array)
        if sha256 is None or size > self._limit or hashlib.sha256(data).hexdigest() != sha256:
            return
        for part in _parts(array):
            part.setflags(write=False)  # all threads will have it
        with self._lock:
            self._drop(place)
            self._held[place] = Held(sha256, array)
            self._bytes += size
            while self._bytes > self._limit:
                self._drop(next(iter(self._held)))

    def _drop(self, place: Place) -> None:
        if place in self._held:
            self._bytes -= _size(self._held.pop(place).array)


def _parts(array: Array) -> tuple[NDArray[Any], ...]:
    return (array.names, array.places) if isinstance(array, Text) else (array,)


def _size(array: Array) -> int:
    return sum(part.nbytes for part in _parts(array))


HELD: Final = HeldColumns()
"""Of this process, whatever its database: a hash stands for the same bytes everywhere."""
