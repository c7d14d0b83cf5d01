"""Finished parts of an import on disk, so that a killed import goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.files import write_whole
from compute.occlusion import IMAGE_SHAPE

SHARD: Final = 256
"""Images that are lost at most when an import is killed."""


@dataclass(frozen=True)
class Shard:
    """Some images of an import: aligned faces, and why others failed."""

    aligned: dict[str, NDArray[np.uint8]]
    failed: dict[str, str]


class Shards:
    """Parts by number; parts of an import from other sources are dropped."""

    def __init__(self, folder: Path, origin: dict[str, Any], order: Sequence[str]) -> None:
        plan = json.dumps([origin, list(order)])
        self._folder = folder / hashlib.sha256(plan.encode()).hexdigest()[:16]
        if folder.is_dir() and not self._folder.is_dir():
            shutil.rmtree(folder)
        self._all = folder
        self.names = [list(order[i : i + SHARD]) for i in range(0, len(order), SHARD)]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.npz"

    def read(self, number: int) -> Shard | None:
        """Return a finished part, or None."""
        if not self._path(number).is_file():
            return None
        try:
            with np.load(self._path(number), allow_pickle=False) as stored:
                pixels, names = stored["pixels"], stored["names"].tolist()
                failed = json.loads(str(stored["failed"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # Our own intermediate file, damaged on disk: its images are simply aligned again.
            return None
        return Shard(dict(zip(names, pixels, strict=True)), failed)

    def write(self, number: int, shard: Shard) -> None:
        """Keep a finished part."""
        buffer = io.BytesIO()
        pixels = list(shard.aligned.values())
        np.savez(
            buffer,
            pixels=np.stack(pixels) if pixels else np.empty((0, *IMAGE_SHAPE), np.uint8),
            names=np.array(list(shard.aligned), dtype=np.str_),
            failed=np.array(json.dumps(shard.failed)),
        )
        write_whole(self._path(number), buffer.getvalue())

    def remove(self) -> None:
        """Drop all parts: the dataset is stored."""
        shutil.rmtree(self._all, ignore_errors=True)
