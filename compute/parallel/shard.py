"""A shard: pairs that one worker explains, and the one file that it leaves."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import threading
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from app.version import VERSION
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    facts_of,
    image_sha256,
    open_images,
)
from compute.errors import DatasetError, ModelError, RunError
from compute.explanation import ROWS, Embed
from compute.files import write_whole
from compute.judging import Deviations, EmbeddingJudge
from compute.occlusion import OcclusionSpec
from compute.opening import open_embedder
from compute.registry import ModelRegistry
from compute.rendering import as_stored
from compute.runs import Conditions, stored_rows

# A worker with several threads takes its tasks in turn: a model has its own threads, and memory
# is reckoned for one shard.
_ONE_AT_A_TIME: Final = threading.Lock()

_opened: dict[Path, Embed] = {}
"""The model of the last run, by ``Run.results``: opened once in a process."""


@dataclass(frozen=True)
class Run:
    """What all shards of an explanation set have in common.

    Attributes
    ----------
    data
        ``XFV_DATA_DIR``, the same folder for all workers.
    folder
        Where the run keeps its embeddings.
    embedded_at
        The batch at which the images were embedded.
    image_count
        How many images the dataset has.
    conditions
        Those of the set: engine, batch and threads are part of what a shard is.
    memory
        Bytes that occluded embeddings may take in one worker.
    """

    data: Path
    dataset: str
    model: str
    folder: Path
    embedded_at: int
    image_count: int
    conditions: Conditions
    spec: OcclusionSpec
    memory: float

    @property
    def results(self) -> Path:
        """The folder of the files of this set, named by everything that they depend on."""
        given = json.dumps([asdict(self.conditions), self.spec.to_dict()], sort_keys=True)
        return self.folder / f"explained-{hashlib.sha256(given.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Shard:
    """A task: pairs, and the records of their images by row in the dataset."""

    run: Run
    pairs: tuple[PairRecord, ...]
    images: Mapping[int, ImageRecord]

    @property
    def file(self) -> Path:
        """Where its result is left; the same for the same pairs."""
        ids = np.array([pair.id for pair in self.pairs], dtype="<i8")
        name = f"{ids[0]}-{hashlib.sha256(ids.tobytes()).hexdigest()[:16]}.npz"
        return self.run.results / name

    def __str__(self) -> str:
        return f"{len(self.pairs)} pairs from {self.pairs[0].id} on"


@dataclass(frozen=True)
class Explained:
    """What a shard's file holds: deviations by pair id, and why others have none.

    Attributes
    ----------
    obstacle
        How images were occluded otherwise than by windows, and why; empty else.
    """

    deviations: dict[int, Deviations]
    skipped: dict[int, Skipped]
    obstacle: str = ""


def explain_shard(shard: Shard) -> str:
    """Explain the pairs of a shard and return the path of its file, which appears whole.

    Where the file is there already, nothing is done: a task may be doubled, or come late.

    Raises
    ------
    ComputeError
        Where this process does not see the run's dataset, embeddings or model, or has another
        engine or version.
    """
    with _ONE_AT_A_TIME:
        if read_explained(shard.file) is None:
            _write(shard.file, _explain(shard), shard.run.spec)
    return str(shard.file)


def seen_dataset(data: Path, dataset: str, sha256: str) -> str:
    """Return why this machine does not see a dataset as the run does, or nothing if it does."""
    try:
        open_images(data, dataset, sha256=sha256)
    except DatasetError as error:
        return str(error)
    except OSError as error:
        return f"{error}."  # raised, it would read as a worker that went away
    return ""


def read_explained(path: Path) -> Explained | None:
    """Return what a file of ``explain_shard`` holds; None where it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            ids, rows = stored["pairs"].tolist(), stored["deviations"].astype(np.float64)
            skipped = {
                int(number): Skipped(f"pair {number}", str(reason))
                for number, reason in zip(stored["skipped"], stored["reasons"], strict=True)
            }
            obstacle = str(stored["obstacle"])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    deviations: dict[int, Deviations] = {
        number: {
            row: values
            for row, values in zip(ROWS, of_pair, strict=True)
            if not np.isnan(values).all()
        }
        for number, of_pair in zip(ids, rows, strict=True)
    }
    return Explained(deviations, skipped, obstacle)


def _write(path: Path, explained: Explained, spec: OcclusionSpec) -> None:
    rows = [as_stored(each, spec) for each in explained.deviations.values()]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        pairs=np.array(list(explained.deviations), dtype=np.int64),
        deviations=np.stack(rows) if rows else np.empty((0, len(ROWS), spec.count), np.float32),
        skipped=np.array(list(explained.skipped), dtype=np.int64),
        reasons=np.array([each.reason for each in explained.skipped.values()], dtype=np.str_),
        obstacle=np.array(explained.obstacle),
    )
    # A doubled task may be writing the same on another machine.
    write_whole(path, buffer.getvalue(), writer=f".{uuid.uuid4().hex}")


def _explain(shard: Shard) -> Explained:
    run = shard.run
    images = open_images(run.data, run.dataset, sha256=run.conditions.dataset_sha256)
    place = {image: number for number, image in enumerate(shard.images)}
    pixels = np.stack([np.asarray(images[image]) for image in shard.images])
    for record, image in zip(shard.images.values(), pixels, strict=True):
        if image_sha256(image) != record.sha256:
            raise DatasetError(
                f"{record.name} of {run.dataset}, on {platform.node()}: its pixels have another "
                f"SHA-256 than {record.sha256}. XFV_DATA_DIR must be one folder for all workers."
            )
    # A shard is a small dataset of its own, with its images renumbered.
    dataset = StoredDataset(
        facts=facts_of(run.data, run.dataset),
        sha256=run.conditions.dataset_sha256,
        origin={},
        images=pixels,
        records=list(shard.images.values()),
        pairs=[
            replace(pair, image1=place[pair.image1], image2=place[pair.image2])
            for pair in shard.pairs
        ],
        skipped=[],
        masks=None,
    )
    originals = stored_rows(
        run.folder, list(shard.images), images=run.image_count, batch=run.embedded_at
    )
    judge = EmbeddingJudge(
        dataset,
        f"{run.model} on {run.dataset}",
        lambda _batch, _threads: _embed_of(run),  # those of the conditions
        run.folder,
        dimension=originals.shape[1],
        memory=run.memory,
    )
    judge.recall(originals)
    explained = Explained({}, {})
    for pair, deviations in judge.explain(
        dataset.pairs,
        run.spec,
        batch=run.conditions.batch,
        threads=run.conditions.threads,
        advance=lambda _: None,
    ):
        if isinstance(deviations, Skipped):
            explained.skipped[pair.id] = deviations
        else:
            explained.deviations[pair.id] = deviations
    return replace(explained, obstacle=judge.obstacle)


def _embed_of(run: Run) -> Embed:
    if run.results not in _opened:
        _opened.clear()
        _opened[run.results] = _open(run)
    return _opened[run.results]


def _open(run: Run) -> Embed:
    registry, wanted = ModelRegistry(run.data), run.conditions
    entry = registry.get(run.model)
    for name, found, expected in (
        ("model_sha256", entry.sha256, wanted.model_sha256),
        ("fed", entry.fed, wanted.fed),
        ("code_version", VERSION, wanted.code_version),
    ):
        if found != expected:
            raise RunError(
                f"The worker on {platform.node()} has {name} {found}, the run {expected}. Results "
                "must not mix: let all workers have one version of the project and one "
                "XFV_DATA_DIR."
            )
    try:
        return open_embedder(
            registry, entry, batch=wanted.batch, threads=wanted.threads, engine=wanted.engine
        )
    except ModelError as error:
        raise ModelError(f"The worker on {platform.node()}: {error}") from error
