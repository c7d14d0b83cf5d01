"""Opening a model of the registry: what turns faces into embeddings, or pairs into distances."""

from __future__ import annotations

from dataclasses import replace

from compute.embedding import OnnxEmbedder
from compute.engines.agreement import open_agreeing
from compute.engines.catalogue import PLAIN, engine_titled
from compute.errors import ModelError
from compute.registry import ModelEntry, ModelRegistry
from compute.remote.service import RemoteEmbedder, RemoteScorer, require_same


def gives_distances(entry: ModelEntry) -> bool:
    """Tell whether a model is a black box that gives distances and no embeddings."""
    return entry.endpoint is not None and entry.endpoint.answers == "distances"


def open_embedder(
    registry: ModelRegistry,
    entry: ModelEntry,
    *,
    batch: int,
    threads: int,
    engine: str | None = None,
) -> OnnxEmbedder | RemoteEmbedder:
    """Open a model of the registry after checking its file's hash, or that its service is the same.

    Parameters
    ----------
    engine
        What runs a file, as stored with results; None for the plain engine.

    Raises
    ------
    ModelError
        Also for a service that gives distances only, and for an engine that does not agree with the
        plain one on the probe images.
    """
    if entry.endpoint:
        if gives_distances(entry):
            raise ModelError(f"Model {entry.name!r} gives distances, expected embeddings.")
        require_same(entry.endpoint)
        return RemoteEmbedder(replace(entry.endpoint, batch=batch))
    embedder, _ = open_agreeing(
        registry.path(entry),
        entry.preprocessing,
        entry.io,
        engine=PLAIN if engine is None else engine_titled(engine),
        batch=batch,
        threads=threads,
        cache=registry.engines,
    )
    return embedder


def open_scorer(entry: ModelEntry, *, batch: int) -> RemoteScorer:
    """Open a service that gives distances, after checking that it is the same."""
    if entry.endpoint is None or not gives_distances(entry):
        raise ModelError(f"Model {entry.name!r} gives embeddings, expected distances.")
    require_same(entry.endpoint)
    return RemoteScorer(replace(entry.endpoint, batch=batch))
