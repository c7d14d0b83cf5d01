"""Checks of a model of the registry, told in lines: against what is on record, and on a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.datasets.store import read_dataset
from compute.embedding import DEFAULT_BATCH, Preprocessing
from compute.engines.agreement import agreement, bound_of
from compute.engines.catalogue import engine_named
from compute.errors import ModelError
from compute.graphs.probes import probe_images
from compute.models.checks import (
    Better,
    Embed,
    Labelled,
    accuracy,
    better_way,
    check_probes,
    labelled,
)
from compute.models.feeding import add_again, described, ways_to_feed, what_is_wrong
from compute.models.known import KnownModel
from compute.opening import open_embedder
from compute.progress import progress_bar
from compute.registry import ModelEntry, ModelRegistry

MINIMUM: Final = 40
"""Pairs that a check on a dataset needs."""
FEW_IMAGES: Final = 400
"""Pairs of so few images share most of them, and say less than their number promises."""


def check_on_record(
    registry: ModelRegistry, entry: ModelEntry, known: KnownModel | None
) -> str | None:
    """Compare answers on the probe images with those on record; a line that says so.

    Returns
    -------
    str or None
        None where nothing is on record for this file.

    Raises
    ------
    ModelError
        Where they differ; names the wrong colour order or normalisation where that is why.
    """
    if known is None or not known.probes:
        return None
    check_probes(entry.name, entry.preprocessing, known.probes, partial(_embed_as, registry, entry))
    return (
        f"{entry.name}: answers on the probe images are those on record ({known.title}, fed "
        f"{described(entry.preprocessing)})."
    )


def check_on_dataset(
    data: Path,
    registry: ModelRegistry,
    entry: ModelEntry,
    known: KnownModel | None,
    dataset: str,
    count: int,
) -> Iterator[str]:
    """Compare accuracy with what is published, and the way a model is fed with all others.

    Raises
    ------
    ModelError
        Where accuracy falls short, or another way to feed it sets pairs apart better.
    """
    if count < MINIMUM:
        raise ModelError(f"--pairs {count}: expected {MINIMUM} or more.")
    pairs = labelled(read_dataset(data, dataset), count)
    title = f"{entry.name} on {dataset}"
    published = known.published.get(dataset) if known is not None else None
    embed_as = partial(_embed_as, registry, entry)
    others = [way for way in ways_to_feed() if way != entry.preprocessing]
    with progress_bar(f"check {title}", (1 + len(others)) * len(pairs.images), "image") as progress:
        own = pairs.distances(embed_as(entry.preprocessing))
        progress.update(len(pairs.images))
        better = better_way(pairs, entry.preprocessing, own, embed_as, advance=progress.update)
    if better is not None:
        raise ModelError(f"{title}: {_told(entry, better, pairs)}")
    yield f"{title}: no other usual way to feed it sets {len(pairs.genuine)} pairs apart better."
    found = accuracy(pairs, own, published and published / 100)
    if found.published is None:
        yield f"{title}: accuracy {found.measured:.2%} on {found.pairs} pairs; none is published."
        return
    said = (
        f"{title}: accuracy {found.measured:.2%} on {found.pairs} pairs, published "
        f"{found.published:.2%}"
    )
    if found.is_short:
        raise ModelError(
            f"{said}: short by more than {found.tolerance:.2%}, which chance and another alignment "
            "explain. Check the file, and how its owner feeds and aligns."
        )
    yield f"{said} (within {found.tolerance:.2%})."


def check_engine(
    data: Path,
    registry: ModelRegistry,
    entry: ModelEntry,
    name: str,
    dataset: str | None,
    count: int,
) -> str:
    """Compare an engine's distances with the plain one's; a line that says how far they are.

    Parameters
    ----------
    name
        Of the engine.
    dataset, count
        Take the images of so many pairs of a dataset; without one, the fixed probe images.

    Raises
    ------
    ModelError
        Where the engine is not here, or farther from the plain one than its bound.
    """
    engine = engine_named(name)
    images = probe_images()
    if dataset is not None:
        images = labelled(read_dataset(data, dataset), count).images
    open_by = partial(open_embedder, registry, entry, batch=DEFAULT_BATCH, threads=0)
    found = agreement(open_by(engine=engine.title()), open_by(), images)
    bound = bound_of(engine, registry.path(entry))
    said = (
        f"{entry.name}: by engine {name}, distances between {len(images)} images are off by "
        f"{found.distance:.1e} at most, embeddings by {found.embedding:.1e} (allowed {bound:.0e})"
    )
    if found.worst > bound:
        raise ModelError(f"{said}: too far. Use another --engine.")
    return f"{said}."


def _told(entry: ModelEntry, better: Better, pairs: Labelled) -> str:
    """Say what is probably wrong, how that shows, how far to trust it, and what to do."""
    doubt = ""
    if better.others:
        others = " or ".join(described(way) for way in better.others)
        doubt = f" These {len(pairs.genuine)} pairs do not tell it from {others}."
    if len(pairs.images) < FEW_IMAGES:
        doubt += f" {len(pairs.images)} images are few: make sure on more, as of lfw."
    return (
        f"probably wrong {what_is_wrong(entry.preprocessing, better.way)}. Fed "
        f"{described(entry.preprocessing)}, genuine and impostor pairs lie {better.own:.2f} "
        f"standard deviations apart; fed {described(better.way)} they lie {better.separation:.2f} "
        f"apart.{doubt} {add_again(entry.name)}"
    )


def _embed_as(registry: ModelRegistry, entry: ModelEntry, way: Preprocessing) -> Embed:
    """Return the model fed in another way; it is loaded when it is called."""

    def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        fed = replace(entry, preprocessing=way)
        return open_embedder(registry, fed, batch=DEFAULT_BATCH, threads=0)(images)

    return embed
