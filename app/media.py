"""The media store: pictures named by their content, in a folder or in object storage."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

KEY: Final = re.compile(r"(faces|xmaps|masks)/[0-9a-f]{2}/[0-9a-f]{64}\.png")


class MediaKeyError(LookupError):
    """A key that no picture of the store can have, or that the store does not hold."""


def media_key(kind: str, data: bytes) -> str:
    """Return the key of a PNG: its kind (``faces``, ``xmaps``, ``masks``) and its SHA-256."""
    digest = hashlib.sha256(data).hexdigest()
    return f"{kind}/{digest[:2]}/{digest}.png"


class MediaStore:
    """Reads and writes pictures under one folder or fsspec URL.

    Keys hold the hash of what they name: a picture never changes, may be cached for ever, and
    writing it twice is the same as writing it once.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _place(self) -> tuple[AbstractFileSystem, str]:
        """File system and root; opened when first asked, for connections do not survive a fork."""
        place: tuple[AbstractFileSystem, str] = fsspec.core.url_to_fs(self._url)
        return place

    def write(self, kind: str, data: bytes) -> str:
        """Store a PNG whole or not at all, and return its key."""
        key = media_key(kind, data)
        files, root = self._place
        if isinstance(files, LocalFileSystem):
            _write_file(Path(root) / key, data)
        elif not files.exists(f"{root}/{key}"):
            files.pipe_file(f"{root}/{key}", data)
        return key

    def read(self, key: str) -> bytes:
        """Return the bytes of ``key``; ``MediaKeyError`` where there is no such picture."""
        if not KEY.fullmatch(key):
            raise MediaKeyError(f"{key!r} is not the key of a picture.")
        files, root = self._place
        try:
            data: bytes = files.cat_file(f"{root}/{key}")
        except FileNotFoundError:
            raise MediaKeyError(f"The media store holds no {key}.") from None
        return data

    def delete(self, key: str) -> None:
        """Delete a picture, where it is there; ``MediaKeyError`` for what is no key of one."""
        if not KEY.fullmatch(key):
            raise MediaKeyError(f"{key!r} is not the key of a picture.")
        files, root = self._place
        with suppress(FileNotFoundError):
            files.rm_file(f"{root}/{key}")


def _write_file(path: Path, data: bytes) -> None:
    """Write through a temporary name in the same folder: a killed process leaves no half file."""
    if path.exists() and path.stat().st_size == len(data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
