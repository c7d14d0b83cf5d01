"""Files that appear whole or not at all, hashes, room for them, and locks between processes."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.errors import FetchError, HashMismatchError, RunError

RESERVE: Final = 64 * 2**20
"""Bytes that whoever fills a disk with large files leaves free on it."""


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_sha256(path: Path, expected: str, *, remedy: str) -> None:
    """Raise ``HashMismatchError`` unless the file at ``path`` is there with the pinned hash."""
    if not path.is_file():
        raise HashMismatchError(f"{path} is missing; its SHA-256 is {expected}. {remedy}")
    actual = sha256_of_file(path)
    if actual != expected:
        raise HashMismatchError(
            f"{path}: SHA-256 is {actual}, expected {expected}. The file is damaged or is another "
            f"one. {remedy}"
        )


def write_whole(path: Path, data: bytes, *, writer: str = "") -> None:
    """Write through a temporary name in the same folder, then rename.

    The temporary name is always the same, so that what a killed process leaves is written over by
    the next: two processes must not write one file at a time (``exclusive``), unless each gives a
    name of its own as ``writer``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{writer}.writing")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one array as ``.npy``, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_whole(path, buffer.getvalue())


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise ``FetchError`` where a folder cannot take so many bytes more."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise FetchError(
            f"{what}: {needed / 1e6:.0f} MB to come and {RESERVE / 1e6:.0f} MB to spare, "
            f"but {folder} has {free / 1e6:.0f} MB free. Free some, or move XFV_DATA_DIR."
        )


@contextmanager
def exclusive(path: Path, *, doing: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file while ``doing`` something that must not run twice at a time.

    The lock goes with the process, however it ends. ``wait`` for it where it is never held long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise RunError(
                f"Another process is {doing} (it holds {path}). Wait for it or stop it, then try "
                "again."
            ) from None
        yield
