"""A Dask cluster of real processes, to be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import ROOT


@contextmanager
def ended(*processes: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class Cluster:
    """A scheduler, and workers that come when they are told."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._folder = folder
        self._settings = settings
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> subprocess.Popen[str]:
        listen = ("--host", "127.0.0.1", "--port", str(self._port))
        return self._dask("scheduler", *listen, "--no-show")

    def start_worker(self, cwd: Path = ROOT) -> subprocess.Popen[str]:
        folder = ("--local-directory", str(self._folder / "dask"))
        return self._dask("worker", self.address, "--nthreads", "1", "--no-nanny", *folder, cwd=cwd)

    def _dask(self, *arguments: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
            cwd=cwd,
            env={**os.environ, **self._settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
