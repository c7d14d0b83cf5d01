"""A PostgreSQL server of this test run's own, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``, of the newest version, or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def _version(path: Path) -> int:
    return int(path.parent.parent.name)


@contextmanager
def temporary_server(bin_folder: Path) -> Iterator[str]:
    """Run a server on a free port of the loopback in a temporary folder; yield its URL."""
    with tempfile.TemporaryDirectory(prefix="xfv-postgresql-") as name:
        folder = Path(name)
        # The server refuses to run as root.
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data, log = folder / "data", folder / "log"
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        _run(user, bin_folder / "initdb", "-D", data, "-A", "trust", "-U", "xfv", "-E", "UTF8")
        _run(user, bin_folder / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
        try:
            yield f"postgresql://xfv@127.0.0.1:{port}/postgres"
        finally:
            _run(user, bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _run(user: str | None, *command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")
