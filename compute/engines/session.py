"""The one interface that every engine has: named arrays in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray


class Session(Protocol):
    """A model that is loaded, to be called by several threads; the call is ONNX Runtime's own."""

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], /
    ) -> Sequence[NDArray[Any]]:
        """Return the named outputs for the named inputs; arrays are the caller's to keep."""


@dataclass(frozen=True)
class Terms:
    """How a model is to be run.

    Attributes
    ----------
    threads
        Processor threads in all; 0 leaves it to the engine.
    batch
        The one batch that it will be fed at: the first dimension of each input that leaves it open.
    cache
        Folder for what an engine keeps between runs; None where it may keep nothing.
    lanes
        Calls that run at a time, each with its share of the threads.
    """

    threads: int
    batch: int
    cache: Path | None = None
    lanes: int = 1

    @property
    def threads_of_a_lane(self) -> int:
        """Processor threads of one call; 0 leaves it to the engine."""
        return self.threads // self.lanes


class Open(Protocol):
    """Opens a model."""

    def __call__(self, path: Path, data: bytes | None, terms: Terms, /) -> Session:
        """Open the file at ``path``, or ``data`` in place of its content.

        Raises
        ------
        ModelError
            Where the model cannot be loaded, or the engine does not start.
        """


def first_line(error: Exception) -> str:
    """Return what an engine says without what it says of itself."""
    return str(error).strip().split("\n")[0]
