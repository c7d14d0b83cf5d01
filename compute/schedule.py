"""In which order pairs are explained, so that every image's occlusions are embedded once.

Pairs form a graph over images. Connected components are worked off one after another; inside one,
images are renumbered by reverse Cuthill-McKee, which keeps the images in use at a time few. What
cannot be held is dropped by Belady's rule (farthest next use), the best there is for a known order.
Where several processes share the work, the same order is cut into shards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from compute.datasets.store import PairRecord

T = TypeVar("T")
NEVER: Final = 2**62


def in_turn(pairs: Sequence[PairRecord]) -> list[PairRecord]:
    """Order pairs so that any first N take folds and labels in turn.

    First the first genuine and the first impostor pair of each fold, then the second ones.
    """
    seen: dict[tuple[int, bool], int] = {}
    keyed = []
    for pair in sorted(pairs, key=lambda pair: pair.id):
        place = seen.get((pair.fold, pair.genuine), 0)
        seen[pair.fold, pair.genuine] = place + 1
        keyed.append(((place, pair.fold, not pair.genuine), pair))
    return [pair for _, pair in sorted(keyed, key=lambda item: item[0])]


def by_component(pairs: Sequence[PairRecord]) -> list[PairRecord]:
    """Order pairs by connected component, and inside one so that shared images meet soon."""
    if not pairs:
        return []
    images = sorted({image for pair in pairs for image in (pair.image1, pair.image2)})
    place = {image: i for i, image in enumerate(images)}
    rows = [place[pair.image1] for pair in pairs]
    columns = [place[pair.image2] for pair in pairs]
    graph = csr_array(coo_array((np.ones(len(pairs)), (rows, columns)), (len(images),) * 2))
    _, component = connected_components(graph, directed=False)
    order = reverse_cuthill_mckee(csr_array(graph + graph.T), symmetric_mode=True)
    rank = np.empty(len(images), dtype=np.int64)
    rank[order] = np.arange(len(images))
    first_pair: dict[int, int] = {}
    for position, row in enumerate(rows):
        first_pair.setdefault(int(component[row]), position)

    def key(position: int) -> tuple[int, int, int, int]:
        a, b = sorted((int(rank[rows[position]]), int(rank[columns[position]])))
        # b: a pair is due as soon as its later image is
        return first_pair[int(component[rows[position]])], b, a, pairs[position].id

    return [pairs[position] for position in sorted(range(len(pairs)), key=key)]


def cut(pairs: Sequence[PairRecord], size: int) -> list[list[PairRecord]]:
    """Cut pairs, ordered ``by_component``, into shards that meet in few images.

    A shard has ``size`` to ``2 * size`` images (the last one may have fewer). It ends with a
    component where one ends in that range; else where the fewest images are needed on both sides,
    each of which two shards will embed.
    """
    crossing = _images_on_both_sides(pairs)
    shards: list[list[PairRecord]] = []
    start = 0
    while start < len(pairs):
        images: set[int] = set()
        best = position = start
        for position in range(start, len(pairs)):
            images |= {pairs[position].image1, pairs[position].image2}
            if len(images) > 2 * size:
                break
            if len(images) >= size and (best == start or crossing[position] < crossing[best - 1]):
                best = position + 1
                if crossing[position] == 0:
                    break
        else:
            best = len(pairs)
        shards.append(list(pairs[start:best]))
        start = best
    return shards


def _images_on_both_sides(pairs: Sequence[PairRecord]) -> list[int]:
    """Return, for each pair, how many images are used up to it and after it, too."""
    last = {image: i for i, pair in enumerate(pairs) for image in (pair.image1, pair.image2)}
    open_images: set[int] = set()
    counts = []
    for position, pair in enumerate(pairs):
        open_images |= {pair.image1, pair.image2}
        open_images -= {i for i in (pair.image1, pair.image2) if last[i] == position}
        counts.append(len(open_images))
    return counts


class ImageCache(Generic[T]):
    """Holds what was computed for images, at most ``capacity`` of them, over a known order of use.

    Attributes
    ----------
    computed
        How many times ``compute`` was called.
    again
        How many of these were for an image that had been dropped.
    """

    def __init__(
        self, uses: Sequence[Sequence[int]], capacity: int, compute: Callable[[int], T]
    ) -> None:
        self._uses: dict[int, list[int]] = {}
        for step, images in reversed(list(enumerate(uses))):
            for image in images:
                self._uses.setdefault(image, []).append(step)
        self._capacity = max(capacity, max((len(set(images)) for images in uses), default=1))
        self._compute = compute
        self._held: dict[int, T] = {}
        # Farthest next use first, as (-step, image); entries of images used since are stale.
        self._due: list[tuple[int, int]] = []
        self._known: set[int] = set()
        self.computed = 0
        self.again = 0

    def get(self, step: int, images: Sequence[int]) -> list[T]:
        """Return what belongs to ``images`` at ``step``; steps must be asked for in order."""
        for image in images:
            if image not in self._held:
                self._make_room()
                self.again += image in self._known
                self.computed += 1
                self._known.add(image)
                self._held[image] = self._compute(image)
        found = [self._held[image] for image in images]
        for image in set(images):
            due = self._next_use(image, after=step)
            if due == NEVER:
                del self._held[image]
            elif self._capacity < len(self._uses):
                heappush(self._due, (-due, image))
        if len(self._due) > 2 * self._capacity + 100:
            self._due = [(-self._uses[image][-1], image) for image in self._held]
            heapify(self._due)
        return found

    def _next_use(self, image: int, *, after: int) -> int:
        upcoming = self._uses[image]
        while upcoming and upcoming[-1] <= after:
            upcoming.pop()
        return upcoming[-1] if upcoming else NEVER

    def _make_room(self) -> None:
        """Drop what is needed farthest ahead; what is needed at this step never is."""
        while len(self._held) >= self._capacity:
            due, image = heappop(self._due)
            if image in self._held and self._uses[image][-1] == -due:
                del self._held[image]


def planned_computations(uses: Sequence[Sequence[int]], capacity: int) -> int:
    """Return how many computations an ``ImageCache`` will make, without making any."""
    cache: ImageCache[None] = ImageCache(uses, capacity, lambda _: None)
    for step, images in enumerate(uses):
        cache.get(step, images)
    return cache.computed
