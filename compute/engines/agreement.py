"""Whether an engine says what the plain one says: measured on images, and bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compute.distances import unit_vectors
from compute.embedding import ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.catalogue import PLAIN, ROUNDED, Engine
from compute.errors import EmbeddingError, ModelError
from compute.graphs import onnx_graph
from compute.graphs.probes import probe_images

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Agreement:
    """How far an engine is from the plain one.

    Attributes
    ----------
    embedding
        The largest difference of a coordinate of a unit embedding.
    distance
        The largest difference of a cosine distance, over all pairs of the images.
    """

    embedding: float
    distance: float

    @property
    def worst(self) -> float:
        """The larger of both."""
        return max(self.embedding, self.distance)


def agreement(embed: Embed, reference: Embed, images: NDArray[np.uint8]) -> Agreement:
    """Return how far ``embed`` is from ``reference`` on images, (N, 112, 112, 3) uint8 RGB.

    Raises
    ------
    EmbeddingError
        Where either gives embeddings that are zero or not finite.
    """
    ours, theirs = unit_vectors(embed(images)), unit_vectors(reference(images))
    return Agreement(
        float(np.abs(ours - theirs).max()), float(np.abs(ours @ ours.T - theirs @ theirs.T).max())
    )


def open_agreeing(
    path: Path,
    preprocessing: Preprocessing,
    io: ModelIO,
    *,
    engine: Engine,
    batch: int,
    threads: int,
    cache: Path | None = None,
) -> tuple[OnnxEmbedder, Agreement]:
    """Open a model after running it beside the plain engine on the fixed probe images.

    Raises
    ------
    ModelError
        Where the engine cannot run the model, or is farther from the plain one than its bound.
    """

    def opened(by: Engine) -> OnnxEmbedder:
        return OnnxEmbedder(
            path, preprocessing, io, batch=batch, threads=threads, engine=by, cache=cache
        )

    plain = opened(PLAIN)
    if engine is PLAIN:
        return plain, Agreement(0.0, 0.0)
    embed = opened(engine)
    try:
        found = agreement(embed, plain, probe_images())
    except EmbeddingError as error:
        raise ModelError(f"{path}: engine {engine.name} fails on the probes ({error})") from error
    bound = bound_of(engine, path)
    if found.worst > bound:
        raise ModelError(
            f"{path}: by engine {engine.name}, embeddings differ from the plain engine's by "
            f"{found.embedding:.1e} and distances by {found.distance:.1e}, expected {bound:.0e} at "
            "most. Use another --engine."
        )
    return embed, found


def bound_of(engine: Engine, path: Path) -> float:
    """Return how far an engine may be off for this model: more where it computes in float16."""
    half = onnx_graph.uses_half(onnx_graph.read(path)[0])
    return max(engine.bound, ROUNDED if half else 0.0)
