"""Runs on disk: what is fixed when one starts, and the embeddings finished so far."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.version import VERSION
from compute.datasets.store import PairRecord
from compute.engines.catalogue import ENGINES
from compute.engines.tuning import Way
from compute.errors import EmbeddingError, RunError
from compute.explanation import Embed
from compute.files import write_array, write_json
from compute.registry import ModelEntry

_BATCHES_PER_SHARD: Final = 16
_FILE: Final = "run.json"


@dataclass(frozen=True)
class Conditions:
    """What results depend on: fixed when a run starts, reused when it resumes.

    Attributes
    ----------
    fed
        How the model is fed, as ``ModelEntry.fed`` gives it.
    """

    dataset_sha256: str
    model_sha256: str
    fed: dict[str, Any]
    engine: str
    batch: int
    threads: int
    code_version: str


def current_conditions(*, dataset_sha256: str, entry: ModelEntry, way: Way | None) -> Conditions:
    """Return the conditions of a run that would start now.

    Parameters
    ----------
    way
        How the model is run; None for a service, which runs itself.
    """
    if way is None:
        if entry.endpoint is None:
            raise ValueError(f"way=None for {entry.name!r}, which is no service.")
        engine, batch, threads = entry.endpoint.engine, entry.io.batch, 0
    else:
        engine, batch, threads = ENGINES[way.engine].title(), way.batch, way.threads
    return Conditions(
        dataset_sha256=dataset_sha256,
        model_sha256=entry.sha256,
        fed=entry.fed,
        engine=engine,
        batch=batch,
        threads=threads,
        code_version=VERSION,
    )


def started(folder: Path) -> Conditions | None:
    """Return the conditions of the run in ``folder``; None where there is none.

    Raises
    ------
    RunError
        Where they cannot be read.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        return Conditions(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise RunError(
            f"{path}: damaged ({error}). Delete {folder}; its embeddings are computed again."
        ) from error


def load_or_start(folder: Path, current: Conditions) -> Conditions:
    """Return the conditions of the run in ``folder``; start one where there is none.

    Raises
    ------
    RunError
        Where the run was started on other data, another model or preprocessing, or another engine.
    """
    path = folder / _FILE
    stored = started(folder)
    if stored is None:
        write_json(path, asdict(current))
        return current
    for name in ("dataset_sha256", "model_sha256", "fed", "engine"):
        before, now = getattr(stored, name), getattr(current, name)
        if before != now:
            raise RunError(
                f"{path}: the run was started with {name} {before}, now it is {now}. Results must "
                f"not mix: restore the former, or delete {folder} to start again."
            )
    return stored


@dataclass(frozen=True)
class Embeddings:
    """All images of a dataset through one model.

    Attributes
    ----------
    rows
        (M, D) float32; rows of failed images are zero.
    failed
        Why an image has no usable embedding, by row.
    """

    rows: NDArray[np.float32]
    failed: dict[int, str]

    def failed_of(self, pair: PairRecord) -> int | None:
        """Return the first image of a pair without a usable embedding, or None."""
        return next((i for i in (pair.image1, pair.image2) if i in self.failed), None)


def embed_dataset(
    folder: Path,
    embed: Embed,
    images: NDArray[np.uint8],
    *,
    batch: int,
    advance: Callable[[int], object],
) -> Embeddings:
    """Embed all images, batch by batch in their order; finished shards are read back.

    Parameters
    ----------
    folder
        Where shards are kept.
    advance
        Called with the number of images done since the last call.
    """
    size = batch * _BATCHES_PER_SHARD
    shards = []
    for start in range(0, len(images), size):
        path = _shard_path(folder, start // size)
        wanted = images[start : start + size]
        rows = _stored_shard(path, len(wanted))
        if rows is None:
            rows = _embed_shard(embed, wanted, batch)
            write_array(path, rows)
        shards.append(rows)
        advance(len(rows))
    rows = np.concatenate(shards)
    bad = ~np.isfinite(rows).all(axis=1) | (rows == 0).all(axis=1)
    failed = {
        int(i): "the model gives a zero embedding or one that is not finite"
        for i in np.flatnonzero(bad)
    }
    rows[bad] = 0
    return Embeddings(rows, failed)


def stored_rows(
    folder: Path, wanted: Sequence[int], *, images: int, batch: int
) -> NDArray[np.float32]:
    """Read back the embeddings of some images of a dataset of which all are embedded.

    Parameters
    ----------
    folder, batch
        As given to ``embed_dataset``.
    wanted
        Rows of images in the dataset.
    images
        How many the dataset has.

    Returns
    -------
    (len(wanted), D) float32, in their order.

    Raises
    ------
    RunError
        Where a file is not there, or damaged.
    """
    size = batch * _BATCHES_PER_SHARD
    shards: dict[int, NDArray[np.float32]] = {}
    for number in sorted({image // size for image in wanted}):
        path = _shard_path(folder, number)
        rows = _stored_shard(path, min(size, images - number * size))
        if rows is None:
            raise RunError(
                f"{path}, on {platform.node()}: missing or damaged. Where this is another machine "
                "than the one the run was started on, XFV_DATA_DIR must be the same folder on both."
            )
        shards[number] = rows
    return np.stack([shards[image // size][image % size] for image in wanted])


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"embeddings-{number:05d}.npy"


def _stored_shard(path: Path, length: int) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    try:
        rows: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        # Our own intermediate file, damaged on disk: the same images give the same rows again.
        return None
    return rows if rows.ndim == 2 and len(rows) == length and rows.dtype == np.float32 else None


def _embed_shard(embed: Embed, images: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    """Embed a shard in whole batches; values are judged later, row by row."""
    parts = []
    for start in range(0, len(images), batch):
        chunk = np.asarray(images[start : start + batch])
        rows = np.asarray(embed(chunk))
        if rows.ndim != 2 or len(rows) != len(chunk):
            raise EmbeddingError(
                f"the model returned shape {rows.shape} for {len(chunk)} images, expected "
                f"({len(chunk)}, D)."
            )
        parts.append(rows.astype(np.float32, copy=False))
    return np.concatenate(parts)
