"""Black boxes behind an HTTP address, as the pipeline uses them; and how one is pinned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.distances import cosine_distances
from compute.errors import ModelError, RemoteError
from compute.graphs.probes import probe_images
from compute.remote.addresses import parse_url
from compute.remote.protocol import (
    PROTOCOL,
    Answers,
    largest_answer,
    read_distances,
    read_embeddings,
    request_distances,
    request_embeddings,
)
from compute.remote.transport import Manners, Transport

LARGEST_BATCH: Final = 1024
TOLERANCE: Final = 1e-3
"""How far an answer to the probes may move, in distance, before it is another model's."""


@dataclass(frozen=True)
class RemoteEndpoint:
    """A black box of the registry: where it is, how it is spoken to, what pins it.

    Attributes
    ----------
    answers
        ``embeddings`` or ``distances``.
    batch
        Images, or pairs, per request.
    dimension
        D, the length of an embedding; 0 for a service that gives distances.
    probes
        Distances of the six pairs of probe images when the service was added. There is no file to
        hash: this is what tells whether the same model answers.
    """

    url: str
    answers: Answers
    batch: int
    manners: Manners = field(default_factory=Manners)
    dimension: int = 0
    probes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        parse_url(self.url, allow_private=self.manners.allow_private)
        if self.answers not in ("embeddings", "distances"):
            raise ModelError(f"answers={self.answers!r}: expected embeddings or distances.")
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise ModelError(f"--batch {self.batch}: expected 1 to {LARGEST_BATCH}.")

    @property
    def sha256(self) -> str:
        """A name for what was pinned: SHA-256 of address, kind of answer and answers to probes."""
        pinned = [PROTOCOL, self.url, self.answers, self.dimension, *self.probes]
        return hashlib.sha256(json.dumps(pinned).encode()).hexdigest()

    @property
    def engine(self) -> str:
        """What runs the model, as it is stored with results."""
        return f"HTTP black box, protocol {PROTOCOL}, {self.answers}"

    @property
    def pinned(self) -> dict[str, Any]:
        """What was found out when the service was added."""
        return {"dimension": self.dimension, "probes": self.probes}

    def asks_as(self, other: RemoteEndpoint) -> bool:
        """Tell whether both ask the same URL for the same kind of answer."""
        return (self.url, self.answers) == (other.url, other.answers)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> RemoteEndpoint:
        """Read what ``dataclasses.asdict`` gave: the registry's, which never holds a key."""
        return cls(
            **{
                **stored,
                "manners": Manners(**stored["manners"]),
                "probes": tuple(float(value) for value in stored["probes"]),
            }
        )


class RemoteEmbedder:
    """uint8 (N, 112, 112, 3) RGB -> float32 (N, D) by a service that gives embeddings."""

    def __init__(self, endpoint: RemoteEndpoint, transport: Transport | None = None) -> None:
        self.batch = endpoint.batch
        self._url = endpoint.url
        self._dimension = endpoint.dimension
        self._transport = transport or Transport(endpoint.url, endpoint.manners)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed any number of images; rows of images that the service refuses are NaN.

        Raises
        ------
        RemoteError
            Where the service cannot be reached or answers otherwise than it must: the run stops,
            no image is blamed.
        """
        parts = [
            self._ask(images[start : start + self.batch])
            for start in range(0, len(images), self.batch)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self._dimension), np.float32)

    def _ask(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        limit = largest_answer("embeddings", len(images))
        data = self._transport.post(request_embeddings(images), limit=limit)
        rows = read_embeddings(data, len(images), url=self._url)
        if rows.shape[1] == 0 and self._dimension:
            rows = np.full((len(images), self._dimension), np.nan, dtype=np.float32)
        if self._dimension and rows.shape[1] != self._dimension:
            raise RemoteError(
                f"{self._url}: gives embeddings of length {rows.shape[1]}, expected "
                f"{self._dimension} as when it was added. Another model answers there: add it "
                "under another name."
            )
        self._dimension = rows.shape[1]
        return rows


class RemoteScorer:
    """Distances of pairs of images by a service that gives nothing else."""

    def __init__(self, endpoint: RemoteEndpoint, transport: Transport | None = None) -> None:
        self.batch = endpoint.batch
        self._url = endpoint.url
        self._transport = transport or Transport(endpoint.url, endpoint.manners)

    def __call__(
        self, images: NDArray[np.uint8], pairs: Sequence[tuple[int, int]]
    ) -> NDArray[np.float64]:
        """Return the distances of ``pairs`` of places in ``images``, (N,) float64 in [0, 2].

        Pairs that the service refuses are NaN. Raises ``RemoteError`` as ``RemoteEmbedder`` does.
        """
        parts = [
            self._ask(images, pairs[start : start + self.batch])
            for start in range(0, len(pairs), self.batch)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _ask(
        self, images: NDArray[np.uint8], pairs: Sequence[tuple[int, int]]
    ) -> NDArray[np.float64]:
        used = sorted({place for pair in pairs for place in pair})
        renumbered = {place: number for number, place in enumerate(used)}
        body = request_distances(images[used], [(renumbered[a], renumbered[b]) for a, b in pairs])
        data = self._transport.post(body, limit=largest_answer("distances", len(pairs)))
        return read_distances(data, len(pairs), url=self._url)


def probe_service(endpoint: RemoteEndpoint, transport: Transport | None = None) -> RemoteEndpoint:
    """Ask a service for the probe images, check what it answers, and return it pinned.

    Raises
    ------
    RemoteError
        Where it cannot be reached or breaks the protocol.
    ModelError
        Where it gives nothing for the probes, the same for all, other answers for one image than
        for several, or similarities in place of distances.
    """
    if endpoint.answers == "distances":
        return _probe_distances(endpoint, transport)
    return _probe_embeddings(endpoint, transport)


def require_same(endpoint: RemoteEndpoint, transport: Transport | None = None) -> None:
    """Raise ``ModelError`` unless a service answers the probes as when it was added."""
    found = probe_service(endpoint, transport)
    moved = float(np.abs(np.subtract(found.probes, endpoint.probes)).max())
    if moved > TOLERANCE:
        raise ModelError(
            f"{endpoint.url}: its answers to the probe images moved by {moved:.2g} in distance "
            f"since it was added, expected at most {TOLERANCE:g}. Another model answers there: add "
            "it under another name, so that results do not mix."
        )


def _probe_embeddings(endpoint: RemoteEndpoint, transport: Transport | None) -> RemoteEndpoint:
    images = probe_images()
    embed = RemoteEmbedder(endpoint, transport)
    together = embed(images)
    alone = embed(images[:1])
    _require_values(endpoint, together)
    if not together.any(axis=1).all():
        raise ModelError(f"{endpoint.url}: gives a zero embedding for a probe image.")
    _require_steady(endpoint, float(cosine_distances(together[:1], alone)[0]))
    first, second = (list(places) for places in zip(*_probe_pairs(), strict=True))
    distances = cosine_distances(together[first], together[second])
    return _pinned(endpoint, distances, dimension=together.shape[1])


def _probe_distances(endpoint: RemoteEndpoint, transport: Transport | None) -> RemoteEndpoint:
    images = probe_images()
    same = [(place, place) for place in range(len(images))]
    score = RemoteScorer(endpoint, transport)
    distances = score(images, [*_probe_pairs(), *same])
    alone = score(images, _probe_pairs()[:1])
    _require_values(endpoint, distances)
    _require_steady(endpoint, float(abs(distances[0] - alone[0])))
    different, equal = distances[: -len(same)], distances[-len(same) :]
    if equal.mean() > different.mean():
        raise ModelError(
            f"{endpoint.url}: an image is farther from itself ({equal.mean():.3f} on average) than "
            f"from others ({different.mean():.3f}): these are similarities. Answer with distances, "
            "such as 1 - similarity."
        )
    return _pinned(endpoint, different, dimension=0)


def _probe_pairs() -> list[tuple[int, int]]:
    return list(combinations(range(len(probe_images())), 2))


def _require_values(endpoint: RemoteEndpoint, values: NDArray[Any]) -> None:
    if not np.isfinite(values).all() or values.size == 0:
        raise ModelError(
            f"{endpoint.url}: gives null for a probe image. The probes are colour noise and the "
            "pictures of a run are partly hidden: let the service take every picture as a face "
            "that is aligned already."
        )


def _require_steady(endpoint: RemoteEndpoint, moved: float) -> None:
    if moved > TOLERANCE:
        raise ModelError(
            f"{endpoint.url}: the same probe image gets another answer alone than among others (by "
            f"{moved:.2g} in distance). Run the model in inference mode."
        )


def _pinned(
    endpoint: RemoteEndpoint, distances: NDArray[np.float64], *, dimension: int
) -> RemoteEndpoint:
    if np.ptp(distances) == 0 and distances[0] == 0:
        raise ModelError(
            f"{endpoint.url}: gives {len(probe_images())} different images the same answer. Check "
            "that the service reads the pictures that it is sent."
        )
    rounded = tuple(round(float(value), 6) for value in distances)
    return replace(endpoint, dimension=dimension, probes=rounded)
