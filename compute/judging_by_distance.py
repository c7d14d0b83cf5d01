"""How a service that gives distances only judges and explains the pairs of a dataset: method II.

Method I would take a distance for every pair of occlusions, a million and more for one pair of
faces; method III is left out with it, so that such a model has one kind of map, plainly named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.datasets.store import PairRecord, Skipped, StoredDataset
from compute.files import write_array
from compute.judging import Deviations, Explained, Judged
from compute.occlusion import OcclusionSpec, occluded_batches
from compute.progress import progress_bar
from compute.remote.service import RemoteScorer

_BATCHES_PER_SHARD: Final = 16


class DistanceJudge:
    """Judges by the distances that a service gives, and explains by method II (eq. 7).

    Parameters
    ----------
    dataset
        The images and pairs.
    title
        Model and dataset, for the progress bar.
    open_score
        Opens the service at a batch, in pairs.
    folder
        Where distances are kept.
    """

    def __init__(
        self,
        dataset: StoredDataset,
        title: str,
        open_score: Callable[[int], RemoteScorer],
        folder: Path,
    ) -> None:
        self._dataset = dataset
        self._title = title
        self._open = open_score
        self._folder = folder
        self._original: dict[int, float] = {}

    def judge(self, *, batch: int, threads: int) -> Judged:  # noqa: ARG002  the service's own
        """Ask for the distance of every pair; finished shards are read back."""
        pairs = self._dataset.pairs
        score = self._open(batch)
        size = batch * _BATCHES_PER_SHARD
        shards = [np.empty(0)]
        with progress_bar(f"measure {self._title}", len(pairs), "pair") as progress:
            for start in range(0, len(pairs), size):
                path = self._folder / f"distances-{start // size:05d}.npy"
                wanted = pairs[start : start + size]
                distances = _stored_shard(path, len(wanted))
                if distances is None:
                    distances = self._measure(score, wanted, batch)
                    write_array(path, distances)
                shards.append(distances)
                progress.update(len(wanted))
        distances = np.concatenate(shards)
        known = np.isfinite(distances)
        usable = [pair for pair, good in zip(pairs, known, strict=True) if good]
        skipped = [
            Skipped(f"pair {pair.id}", "the service gives no distance")
            for pair, good in zip(pairs, known, strict=True)
            if not good
        ]
        judged = Judged(usable, distances[known], skipped)
        self._original = {
            pair.id: float(d) for pair, d in zip(usable, judged.distances, strict=True)
        }
        return judged

    def _measure(
        self, score: RemoteScorer, pairs: Sequence[PairRecord], batch: int
    ) -> NDArray[np.float64]:
        parts = []
        for start in range(0, len(pairs), batch):
            asked = pairs[start : start + batch]
            rows = sorted({image for pair in asked for image in (pair.image1, pair.image2)})
            place = {row: number for number, row in enumerate(rows)}
            images = np.asarray(self._dataset.images[rows])
            parts.append(score(images, [(place[p.image1], place[p.image2]) for p in asked]))
        return np.concatenate(parts)

    def planned(self, pairs: Sequence[PairRecord], spec: OcclusionSpec) -> int:
        """Return how many distances will be asked for."""
        return 2 * spec.count * len(pairs)

    def explain(
        self,
        pairs: Sequence[PairRecord],
        spec: OcclusionSpec,
        *,
        batch: int,
        threads: int,  # noqa: ARG002  the service's own
        advance: Callable[[int], object],
    ) -> Explained:
        """Measure every occlusion of each image against the other image as it is."""
        score = self._open(batch)
        for pair in pairs:
            deviations: Deviations = {}
            for side in (1, 2):
                parts = []
                for distances in self._occluded(score, pair, side, spec, batch):
                    parts.append(distances)
                    advance(len(distances))
                deviations["II", 1 if side == 1 else 2] = (
                    np.concatenate(parts) - self._original[pair.id]
                )
            missing = sum(int(np.isnan(values).sum()) for values in deviations.values())
            if missing:
                of = f"{missing} of {2 * spec.count} occlusions"
                yield pair, Skipped(f"pair {pair.id}", f"the service gives no distance for {of}")
            else:
                yield pair, deviations

    def _occluded(
        self, score: RemoteScorer, pair: PairRecord, side: int, spec: OcclusionSpec, batch: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield the distances of a side's occlusions, batch by batch; always first to second."""
        own, other = pair.image1, pair.image2
        if side == 2:
            own, other = other, own
        still = np.asarray(self._dataset.images[other])[None]
        for copies in occluded_batches(np.asarray(self._dataset.images[own]), spec, batch=batch):
            last = len(copies)
            asked = [(place, last) if side == 1 else (last, place) for place in range(last)]
            yield score(np.concatenate([copies, still]), asked)

    def told(self, spec: OcclusionSpec) -> str:
        """Return how many distances a pair took, and what is not offered."""
        return (
            f"2 x {spec.count} distances each, method II only: methods I and III need embeddings, "
            "which this service does not give"
        )


def _stored_shard(path: Path, length: int) -> NDArray[np.float64] | None:
    if not path.is_file():
        return None
    try:
        found: NDArray[np.float64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        # Our own intermediate file, damaged on disk: it is asked for again.
        return None
    return found if found.shape == (length,) and found.dtype == np.float64 else None
