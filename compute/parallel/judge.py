"""Judging in this process and explaining in many: pairs are cut into shards, files are taken in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.version import VERSION
from compute.datasets.store import PairRecord, Skipped, StoredDataset
from compute.errors import RunError
from compute.judging import Deviations, EmbeddingJudge, Judged, told_of_obstacle
from compute.occlusion import OcclusionSpec
from compute.parallel.shard import (
    Explained,
    Run,
    Shard,
    explain_shard,
    read_explained,
    seen_dataset,
)
from compute.parallel.work import Workers, finished
from compute.progress import say
from compute.runs import Conditions
from compute.schedule import cut

IMAGES_PER_SHARD: Final = 32
"""Up to twice as many are in one. On LFW 8 of 7,701 images are embedded again then, at 16 79."""


@dataclass(frozen=True)
class _Part:
    """A shard as planned: its pairs, and how many forwards they take."""

    pairs: list[PairRecord]
    forwards: int


class ShardedJudge:
    """An ``EmbeddingJudge`` whose pairs are explained by workers.

    Parameters
    ----------
    judge
        Judges here, before workers explain.
    workers
        Who explains; they must see ``data``.
    dataset, model
        What is explained, and the model's name.
    conditions
        Those of the run.
    data, folder
        ``XFV_DATA_DIR``, and the folder of the run in it.
    memory
        Bytes that occluded embeddings may take in one worker.
    settle
        Called before the file is deleted from which pairs were taken: writes those still held.
    """

    def __init__(
        self,
        judge: EmbeddingJudge,
        workers: Workers,
        dataset: StoredDataset,
        model: str,
        conditions: Conditions,
        data: Path,
        folder: Path,
        *,
        memory: float,
        settle: Callable[[], object],
    ) -> None:
        self._judge = judge
        self._workers = workers
        self._dataset = dataset
        self._model = model
        self._conditions = conditions
        self._data = data
        self._folder = folder
        self._memory = memory
        self._settle = settle
        self._embedded_at = 0
        self._computed = self._distinct = 0
        self._obstacle = ""

    def judge(self, *, batch: int, threads: int) -> Judged:
        """Measure every pair in this process; workers read the embeddings back."""
        self._embedded_at = batch
        for worker, wrong in self._workers.everywhere(
            seen_dataset, self._data, self._dataset.name, self._dataset.sha256
        ).items():
            if wrong:
                raise RunError(
                    f"The worker {worker} does not see the run's data: {wrong} XFV_DATA_DIR must "
                    "be one folder, under one path, for all machines (a shared file system)."
                )
        return self._judge.judge(batch=batch, threads=threads)

    def planned(self, pairs: Sequence[PairRecord], spec: OcclusionSpec) -> int:
        """Return how many occluded images the workers will embed."""
        return sum(part.forwards for part in self._parts(pairs, spec))

    def explain(
        self,
        pairs: Sequence[PairRecord],
        spec: OcclusionSpec,
        *,
        batch: int,
        threads: int,
        advance: Callable[[int], object],
    ) -> Generator[tuple[PairRecord, Deviations | Skipped], None, None]:
        """Yield what earlier workers left, then what these leave, shard by shard as they finish."""
        run = Run(
            data=self._data,
            dataset=self._dataset.name,
            model=self._model,
            folder=self._folder,
            embedded_at=self._embedded_at,
            image_count=len(self._dataset.images),
            conditions=replace(
                self._conditions, batch=batch, threads=threads, code_version=VERSION
            ),
            spec=spec,
            memory=self._memory,
        )
        parts = self._parts(pairs, spec)
        self._computed = sum(part.forwards for part in parts) // spec.count
        self._distinct = len({i for pair in pairs for i in (pair.image1, pair.image2)})
        missing = {pair.id: pair for pair in pairs}
        for path in sorted(run.results.glob("*.npz")):
            found = read_explained(path)
            if found is None:
                say(f"{path}: damaged; its pairs are explained again.")
            else:
                yield from _take(found, missing)
                self._settle()
            path.unlink()
        forwards: dict[Path, int] = {}

        def tasks() -> Iterator[Shard]:
            for part in parts:
                left = tuple(pair for pair in part.pairs if pair.id in missing)
                if not left:
                    advance(part.forwards)
                    continue
                shard = self._shard(run, left)
                forwards[shard.file] = part.forwards
                yield shard

        for shard, written in finished(self._workers, explain_shard, tasks()):
            found = read_explained(shard.file)
            if found is None:
                raise RunError(
                    f"{written}: a worker left its results here, and they cannot be read. "
                    "XFV_DATA_DIR must be one folder for all machines (a shared file system)."
                )
            self._obstacle = found.obstacle or self._obstacle
            yield from _take(found, missing)
            self._settle()
            shard.file.unlink(missing_ok=True)
            advance(forwards.pop(shard.file))
        shutil.rmtree(run.results, ignore_errors=True)

    def told(self, spec: OcclusionSpec) -> str:
        """Return how many images were embedded, and how many in more than one shard."""
        again = self._computed - self._distinct
        said = f"{again} images embedded again" if again else "no image twice"
        told = f"{self._computed} images under {spec.count} occlusions each, {said}"
        return told + told_of_obstacle(self._obstacle)

    def _parts(self, pairs: Sequence[PairRecord], spec: OcclusionSpec) -> list[_Part]:
        """Cut pairs so that all is done soonest: small shards share out well, but meet more."""
        best: list[_Part] = []
        size = IMAGES_PER_SHARD
        while size and pairs:
            parts = [_Part(part, self._judge.planned(part, spec)) for part in cut(pairs, size)]
            if best and self._duration(best) <= self._duration(parts):
                break
            best = parts
            size //= 2
        return best

    def _duration(self, parts: Sequence[_Part]) -> float:
        """Return the forwards of the last worker: its share, and half a shard that it is late."""
        forwards = [part.forwards for part in parts]
        return sum(forwards) / self._workers.room() + max(forwards) / 2

    def _shard(self, run: Run, pairs: tuple[PairRecord, ...]) -> Shard:
        images = sorted({image for pair in pairs for image in (pair.image1, pair.image2)})
        return Shard(run, pairs, {image: self._dataset.records[image] for image in images})


def _take(
    found: Explained, missing: dict[int, PairRecord]
) -> Iterator[tuple[PairRecord, Deviations | Skipped]]:
    """Yield what was found of the missing pairs, which are so no longer."""
    results: list[tuple[int, Deviations | Skipped]] = [*found.deviations.items()]
    for number, result in [*results, *found.skipped.items()]:
        pair = missing.pop(number, None)
        if pair is not None:
            yield pair, result
