"""Tasks for worker processes that are killed: importable by the processes that work at them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.errors import DatasetError

PATIENCE: Final = 120.0
"""Seconds that a busy machine may take over what is instantaneous."""


@dataclass(frozen=True)
class Task:
    """Its worker kills itself the first ``deaths`` times; each try is a line of its own file."""

    folder: Path
    number: int
    deaths: int = 0
    seconds: float = 0.0
    wrong: bool = False

    def tries(self) -> list[int]:
        """Return the ids of the processes that tried it."""
        path = self.folder / str(self.number)
        return [int(line) for line in path.read_text().split()] if path.is_file() else []


def work(task: Task) -> int:
    """Return ten times the number of the task."""
    with (task.folder / str(task.number)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(task.tries()) <= task.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if task.wrong:
        raise DatasetError(f"task {task.number} is wrong")
    time.sleep(task.seconds)
    return 10 * task.number


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that is dead and not waited for does not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_end(processes: list[int]) -> bool:
    """Wait until none of the processes is alive."""
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_alive, processes))
