"""How a model that gives embeddings judges and explains the pairs of a dataset.

``compute/judging_by_distance.py`` is the same for services that give distances only; the pipeline
takes either.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compute.ahead import ahead
from compute.datasets.store import PairRecord, Skipped, StoredDataset
from compute.distances import cosine_distances
from compute.errors import EmbeddingError
from compute.explanation import (
    Embed,
    Method,
    OccludedFace,
    Occluder,
    Side,
    embed_occlusions,
    pair_deviations,
)
from compute.occlusion import OcclusionSpec
from compute.progress import progress_bar
from compute.runs import Embeddings, embed_dataset
from compute.schedule import ImageCache, planned_computations

_AT_A_TIME: Final = 8192
"""Pairs whose embeddings are gathered at a time: memory does not grow with their number."""

Deviations = dict[tuple[Method, Side], NDArray[np.float64]]
"""(K,) float64 for each method and side that the model allows (``pair_deviations``)."""

Explained = Generator[tuple[PairRecord, Deviations | Skipped], None, None]
"""Pairs with their deviations, or why they have none; to be closed if not taken to the end."""


@dataclass(frozen=True)
class Judged:
    """The pairs of a dataset that a model can judge.

    Attributes
    ----------
    pairs
        Those with a distance, in the dataset's order.
    distances
        (N,) float64 in [0, 2], one per pair.
    skipped
        The others, and why.
    """

    pairs: list[PairRecord]
    distances: NDArray[np.float64]
    skipped: list[Skipped]


class Judge(Protocol):
    """Judges all pairs of a dataset, then explains some."""

    def judge(self, *, batch: int, threads: int) -> Judged:
        """Measure every pair; what was measured before is read back."""

    def planned(self, pairs: Sequence[PairRecord], spec: OcclusionSpec) -> int:
        """Return how many images, or pairs, the model will be asked for by ``explain``."""

    def explain(
        self,
        pairs: Sequence[PairRecord],
        spec: OcclusionSpec,
        *,
        batch: int,
        threads: int,
        advance: Callable[[int], object],
    ) -> Explained:
        """Yield each pair with its deviations, or why it has none; to be called after ``judge``."""

    def told(self, spec: OcclusionSpec) -> str:
        """Return what ``explain`` asked the model for, in words."""


class AheadJudge:
    """A judge that explains the next pairs in a thread while the last ones are published."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.judge = judge.judge
        self.planned = judge.planned
        self.told = judge.told

    def explain(
        self,
        pairs: Sequence[PairRecord],
        spec: OcclusionSpec,
        *,
        batch: int,
        threads: int,
        advance: Callable[[int], object],
    ) -> Explained:
        """Yield what the judge yields; every batch looks whether it is still wanted."""

        def work(check: Callable[[], None]) -> Explained:
            def advanced(count: int) -> None:
                check()
                advance(count)

            return self._judge.explain(pairs, spec, batch=batch, threads=threads, advance=advanced)

        return ahead(work)


class EmbeddingJudge:
    """Judges by cosine distance (eq. 1) and explains by methods I, II and III from one pass.

    Parameters
    ----------
    dataset
        The images and pairs.
    title
        Model and dataset, for the progress bar.
    open_embed
        Opens the model at a batch and a number of threads.
    folder
        Where embeddings are kept.
    dimension
        D, the length of an embedding.
    memory
        Bytes that occluded embeddings may take.

    Attributes
    ----------
    obstacle
        How images were occluded otherwise than by windows, and why; empty else.
    """

    def __init__(
        self,
        dataset: StoredDataset,
        title: str,
        open_embed: Callable[[int, int], Embed],
        folder: Path,
        *,
        dimension: int,
        memory: float,
    ) -> None:
        self._dataset = dataset
        self._title = title
        self._open = open_embed
        self._folder = folder
        self._dimension = dimension
        self._memory = memory
        self._embeddings = Embeddings(np.empty((0, dimension), np.float32), {})
        self._computed = self._again = 0
        self.obstacle = ""

    def judge(self, *, batch: int, threads: int) -> Judged:
        """Embed every image and measure every pair whose images both have an embedding."""
        images = self._dataset.images
        embed = self._open(batch, threads)
        with progress_bar(f"embed {self._title}", len(images), "image") as progress:
            self._embeddings = embed_dataset(
                self._folder, embed, images, batch=batch, advance=progress.update
            )
        found = self._embeddings
        pairs, skipped = [], []
        for pair in self._dataset.pairs:
            bad = found.failed_of(pair)
            if bad is None:
                pairs.append(pair)
            else:
                skipped.append(self._skipped(pair, bad, found.failed[bad]))
        distances = np.empty(0)
        if pairs:
            first = np.array([pair.image1 for pair in pairs])
            second = np.array([pair.image2 for pair in pairs])
            parts = [slice(i, i + _AT_A_TIME) for i in range(0, len(pairs), _AT_A_TIME)]
            distances = np.concatenate(
                [cosine_distances(found.rows[first[i]], found.rows[second[i]]) for i in parts]
            )
        return Judged(pairs, distances, skipped)

    def recall(self, embeddings: NDArray[np.float32]) -> None:
        """Take in what ``judge`` measured elsewhere: (M, D), one row for each image."""
        self._embeddings = Embeddings(embeddings, {})

    def planned(self, pairs: Sequence[PairRecord], spec: OcclusionSpec) -> int:
        """Return how many occluded images will be embedded."""
        return planned_computations(_uses(pairs), self._capacity(spec)) * spec.count

    def explain(
        self,
        pairs: Sequence[PairRecord],
        spec: OcclusionSpec,
        *,
        batch: int,
        threads: int,
        advance: Callable[[int], object],
    ) -> Explained:
        """Embed the occlusions of an image once, and use them for its pairs and all methods."""
        embed = self._open(batch, threads)
        failed: dict[int, str] = {}

        def face(image: int) -> OccludedFace | None:
            pixels = np.asarray(self._dataset.images[image])
            try:
                occluded = embed_occlusions(embed, pixels, spec, batch=batch, advance=advance)
            except EmbeddingError as error:
                failed[image] = str(error)
                return None
            return OccludedFace(self._embeddings.rows[image], occluded)

        uses = _uses(pairs)
        cache = ImageCache(uses, self._capacity(spec), face)
        for step, pair in enumerate(pairs):
            first, second = cache.get(step, uses[step])
            self._computed, self._again = cache.computed, cache.again
            self.obstacle = embed.obstacle if isinstance(embed, Occluder) else ""
            if first is None or second is None:
                image = pair.image1 if first is None else pair.image2
                yield pair, self._skipped(pair, image, failed[image])
            else:
                yield pair, pair_deviations(first, second, spec)

    def told(self, spec: OcclusionSpec) -> str:
        """Return how many images were embedded, and what stood in the way of doing it fast."""
        again = f"{self._again} images embedded again" if self._again else "no image twice"
        told = f"{self._computed} images under {spec.count} occlusions each, {again}"
        return told + told_of_obstacle(self.obstacle)

    def _capacity(self, spec: OcclusionSpec) -> int:
        return int(self._memory // (spec.count * self._dimension * 4))

    def _skipped(self, pair: PairRecord, image: int, reason: str) -> Skipped:
        return Skipped(f"pair {pair.id}", f"{self._dataset.records[image].name}: {reason}")


def told_of_obstacle(obstacle: str) -> str:
    """Return the end of what a judge says: how images were occluded, where not by windows."""
    return f", occluded {obstacle}" if obstacle else ""


def _uses(pairs: Sequence[PairRecord]) -> list[tuple[int, int]]:
    return [(pair.image1, pair.image2) for pair in pairs]
