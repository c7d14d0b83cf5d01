"""Is a model fed as it was trained? Fixed probes, a dataset at hand, and the other ways to feed it.

Accuracy hides a wrong colour order: on LFW it may cost a good model nothing. How far genuine and
impostor distances lie apart shows it, pair for pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.cscore import best_threshold
from compute.datasets.store import StoredDataset
from compute.distances import cosine_distances, unit_vectors
from compute.embedding import Preprocessing
from compute.errors import EmbeddingError, ModelError
from compute.graphs.probes import probe_images
from compute.models.feeding import add_again, described, differences, ways_to_feed, what_is_wrong
from compute.schedule import in_turn

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_PROBE_TOLERANCE: Final = 5e-5  # processors sum in different orders
_PUBLISHED_TOLERANCE: Final = 0.005  # alignment and flips differ from the owner's
_RESAMPLES: Final = 400
_SURE: Final = 0.025  # share of resamples in which the other way is no better
_BETTER: Final = 1.01  # and by how much it is, at least: 127.5 and 128 are one


def probe_distances(embed: Embed) -> tuple[float, ...]:
    """Return the cosine distances between the fixed probe images, pair by pair."""
    units = unit_vectors(embed(probe_images()))
    first, second = np.triu_indices(len(units), 1)
    return tuple(float(value) for value in cosine_distances(units[first], units[second]))


def check_probes(
    name: str,
    fed: Preprocessing,
    expected: Sequence[float],
    embed_as: Callable[[Preprocessing], Embed],
) -> None:
    """Compare a model's answers on the probes with what is stored of it.

    Raises
    ------
    ModelError
        Where they differ; says which other way to feed it would meet the expectation.
    """
    wanted = np.array(expected)
    off = np.abs(np.array(probe_distances(embed_as(fed))) - wanted).max()
    if off <= _PROBE_TOLERANCE:
        return
    for way in ways_to_feed():
        try:
            distances = probe_distances(embed_as(way))
        except EmbeddingError:
            continue
        if np.abs(np.array(distances) - wanted).max() <= _PROBE_TOLERANCE:
            raise ModelError(
                f"Model {name!r}: wrong {what_is_wrong(fed, way)}. It is fed "
                f"{described(fed)}, and its answers on the probe images are off by {off:.3f}; with "
                f"{described(way)} they are those on record. {add_again(name)}"
            )
    raise ModelError(
        f"Model {name!r}: its answers on the probe images are off by {off:.3f} from those on "
        f"record, fed {described(fed)}, and no usual way to feed it mends that. Check the file and "
        "how its owner feeds it."
    )


@dataclass(frozen=True)
class Labelled:
    """Pairs of a dataset to check a model on.

    Attributes
    ----------
    images
        (M, 112, 112, 3) uint8 RGB.
    first, second
        (N,) rows of ``images``.
    genuine, folds
        (N,) label and fold of each pair.
    """

    images: NDArray[np.uint8]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    genuine: NDArray[np.bool_]
    folds: NDArray[np.int64]

    def distances(self, embed: Embed) -> NDArray[np.float64]:
        """Return the distance of every pair, (N,)."""
        rows = embed(self.images)
        return cosine_distances(rows[self.first], rows[self.second])


def labelled(dataset: StoredDataset, count: int) -> Labelled:
    """Return ``count`` pairs of a dataset, folds and labels in turn."""
    chosen = in_turn(dataset.pairs)[:count]
    rows = sorted({row for pair in chosen for row in (pair.image1, pair.image2)})
    place = {row: i for i, row in enumerate(rows)}
    return Labelled(
        np.asarray(dataset.images[rows]),
        np.array([place[pair.image1] for pair in chosen]),
        np.array([place[pair.image2] for pair in chosen]),
        np.array([pair.genuine for pair in chosen]),
        np.array([pair.fold for pair in chosen]),
    )


def separation(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Return d': the difference of both means in units of the pooled standard deviation."""
    near, far = distances[genuine], distances[~genuine]
    spread = np.sqrt((near.var() + far.var()) / 2)
    return float((far.mean() - near.mean()) / spread) if spread > 0 else 0.0


@dataclass(frozen=True)
class Better:
    """Another way to feed a model, which sets pairs apart better.

    Attributes
    ----------
    separation, own
        d' of this way, and of the way the model is fed.
    others
        Ways that these pairs cannot tell from the best: as likely to be the right one.
    """

    way: Preprocessing
    separation: float
    own: float
    others: list[Preprocessing]


def better_way(
    pairs: Labelled,
    fed: Preprocessing,
    own: NDArray[np.float64],
    embed_as: Callable[[Preprocessing], Embed],
    *,
    advance: Callable[[int], object] = lambda _images: None,
) -> Better | None:
    """Return the way to feed a model that sets pairs apart better than how it is fed, if any.

    Every other way is compared with the given one on the same pairs, resampled with replacement
    (seeded); it is better where it is so in 39 of 40 samples, by 1 % or more. Of those that the
    best of them does not beat by the same measure, it is the one that changes least.

    Parameters
    ----------
    own
        (N,) distances of the pairs, fed as it is.
    advance
        Called with the number of images embedded since the last call.
    """
    drawn = [np.arange(len(pairs.genuine)), *_resampled(pairs.genuine)]

    def separations(distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return d' of the pairs, then of each resample."""
        return np.array([separation(distances[rows], pairs.genuine[rows]) for rows in drawn])

    ours = separations(own)
    better: dict[Preprocessing, NDArray[np.float64]] = {}
    for way in ways_to_feed():
        if way == fed:
            continue
        try:
            theirs = separations(pairs.distances(embed_as(way)))
        except EmbeddingError:
            continue
        finally:
            advance(len(pairs.images))
        if _surely_above(theirs, ours):
            better[way] = theirs
    if not better:
        return None
    best = max(better.values(), key=lambda each: each[0])
    likely = [way for way, theirs in better.items() if not _surely_above(best, theirs)]
    chosen = min(likely, key=lambda way: (len(differences(fed, way)), -better[way][0]))
    reached = better[chosen][0]
    others = [
        way
        for way in likely
        if way != chosen and not 1 / _BETTER < better[way][0] / reached < _BETTER
    ]
    return Better(chosen, float(reached), float(ours[0]), others)


def _surely_above(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether d' of one way is above another's in nearly all resamples, which come second."""
    return bool(np.mean(one[1:] > _BETTER * other[1:]) >= 1 - _SURE)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on some pairs beside the published one, both as shares.

    Attributes
    ----------
    tolerance
        Three standard errors, and half a percent for another alignment.
    """

    pairs: int
    measured: float
    published: float | None
    tolerance: float

    @property
    def is_short(self) -> bool:
        """Whether it falls short of what is published by more than chance."""
        return self.published is not None and self.measured < self.published - self.tolerance


def accuracy(pairs: Labelled, distances: NDArray[np.float64], published: float | None) -> Accuracy:
    """Return the cross-validated accuracy on pairs, beside the published one (a share)."""
    shares = []
    for fold in np.unique(pairs.folds):
        out = pairs.folds == fold
        threshold = best_threshold(distances[~out], pairs.genuine[~out])
        shares.append(np.mean((distances[out] <= threshold) == pairs.genuine[out]))
    measured = float(np.mean(shares))
    expected = measured if published is None else published
    error = np.sqrt(expected * (1 - expected) / len(pairs.genuine))
    return Accuracy(
        len(pairs.genuine), measured, published, 3 * float(error) + _PUBLISHED_TOLERANCE
    )


def _resampled(genuine: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Draw pairs with replacement, as many of each label as there are."""
    generator = np.random.default_rng(0)
    labels = [np.flatnonzero(genuine), np.flatnonzero(~genuine)]
    return [
        np.concatenate([generator.choice(rows, len(rows)) for rows in labels])
        for _ in range(_RESAMPLES)
    ]
