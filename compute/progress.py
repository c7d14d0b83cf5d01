"""Progress with rate and ETA, on a terminal and in a log."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(what: str, total: int | None, unit: str, *, done: int = 0) -> tqdm[Any]:
    """Return a bar on standard error: done, total, elapsed, ETA, rate.

    ``done`` units were finished by an earlier run; they do not count in the rate. ``total`` is None
    where nobody knows it.
    """
    return tqdm(
        desc=what,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=total is None or total >= 100_000,
        # A log file gets a line now and then rather than ten a second.
        mininterval=0.2 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=True,
    )


def say(text: str) -> None:
    """Write a line to standard error, above whatever bars there are."""
    tqdm.write(text, file=sys.stderr)
