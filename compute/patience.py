"""How long to wait for a server, and how often to try again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import urllib3

MOMENTARY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be others next time."""

_AT_ALL: Final = 10**9
"""Seconds beyond which it does not matter what a server asks for."""


class MomentaryError(Exception):
    """A failure that may not happen again; ``wait`` is for how many seconds a server asks."""

    def __init__(self, what: str, *, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long a download waits, in seconds, and how often it tries.

    Attributes
    ----------
    connect
        For a connection.
    stall
        For the next ``stall_bytes``.
    attempts
        In a row that bring nothing new.
    longest_wait
        Between two attempts, whatever the server asks for.
    """

    connect: float = 20.0
    stall: float = 60.0
    stall_bytes: int = 16 * 1024
    attempts: int = 5
    longest_wait: float = 120.0
    first_wait: float = 1.0

    def before(self, failures: int, asked: float | None) -> float:
        """Return the wait after so many failures: doubled each time, or what the server asks."""
        wait = self.first_wait * 2 ** (failures - 1) if asked is None else asked
        return min(wait, self.longest_wait)


class StallClock:
    """Ends a download that only drips: fewer than ``stall_bytes`` in ``stall`` seconds."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since = time.monotonic()
        self._bytes = 0

    def count(self, new: int) -> None:
        """Note that so many bytes came; ``MomentaryError`` where they are too few for too long."""
        self._bytes += new
        if time.monotonic() - self._since < self._patience.stall:
            return
        if self._bytes < self._patience.stall_bytes:
            raise MomentaryError(f"only {self._bytes} bytes came in {self._patience.stall:g} s")
        self._since, self._bytes = time.monotonic(), 0


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks for, as such or as a date; None where it does not."""
    try:
        asked = headers.get("Retry-After", "")
        return urllib3.Retry(retry_after_max=_AT_ALL).parse_retry_after(asked)
    except urllib3.exceptions.InvalidHeader:
        return None
