"""The card of a model: all that is known of it, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from compute.models.feeding import described
from compute.models.known import KnownModel
from compute.registry import ModelEntry
from compute.remote.service import RemoteEndpoint


@dataclass(frozen=True)
class Measured:
    """What this site measured: an evaluation on a dataset, and how many pairs are explained."""

    dataset: str
    pairs: int
    accuracy: float
    accuracy_std: float
    threshold: float
    eer: float
    auc: float
    ece: float | None
    explained: int


def card(
    entry: ModelEntry | None, known: KnownModel | None, measured: Sequence[Measured]
) -> list[str]:
    """Return the card of a model of the registry, a known one, or one that is both."""
    return [f"{label:13} {text}" for label, text in _lines(entry, known, measured) if text]


def _lines(
    entry: ModelEntry | None, known: KnownModel | None, measured: Sequence[Measured]
) -> Iterator[tuple[str, str]]:
    facts: Any = entry or known
    yield "name", facts.name
    yield "title", facts.title
    yield "licence", (entry and entry.licence) or (known.licence if known else "") or "not stated"
    yield "terms", known.terms if known else ""
    yield "source", facts.source
    if entry is not None and entry.endpoint is not None:
        yield from _of_the_service(entry.endpoint)
        yield "SHA-256", f"{entry.sha256} (of the address and of what it answers to the probes)"
    elif entry is not None:
        yield from _of_the_file(entry)
    else:
        yield "state", "known, not in the registry"
    if known is not None:
        yield from _of_others(entry, known)
    for each in measured:
        yield (
            "measured",
            f"{each.dataset}: {each.pairs} pairs, accuracy {each.accuracy:.2%} +- "
            f"{each.accuracy_std:.2%}, threshold {each.threshold:.3f}, EER {each.eer:.2%}, AUC "
            f"{each.auc:.4f}{'' if each.ece is None else f', ECE {each.ece:.3f}'}, "
            f"{each.explained} explained",
        )
    if entry is not None and not measured:
        yield "measured", "nothing yet: flask compute --dataset NAME --model " + entry.name


def _of_the_service(endpoint: RemoteEndpoint) -> Iterator[tuple[str, str]]:
    manners = endpoint.manners
    pace = f", {manners.rate:g} requests per second at most" if manners.rate else ""
    yield "answers", f"{endpoint.url}, batch {endpoint.batch}{pace}"
    if endpoint.dimension:
        yield "output", f"{endpoint.dimension}-D embeddings"
    else:
        yield "output", "distances only: explained by method II, not by I and III"
    yield "key", f"in the environment variable {manners.key_env}" if manners.key_env else ""


def _of_the_file(entry: ModelEntry) -> Iterator[tuple[str, str]]:
    io = entry.io
    batch = f"batches of {io.batch} only" if io.batch else "any batch"
    yield "input", f"{io.input}: {io.layout}, {io.precision}, {batch}"
    yield "output", f"{io.output}: {io.dimension}-D embeddings"
    yield "fed", f"(x - mean) / std, x in 0..255: {described(entry.preprocessing)}"
    yield "SHA-256", entry.sha256
    yield "given as", entry.given_sha256
    for change in entry.changes:
        yield "changed", change


def _of_others(entry: ModelEntry | None, known: KnownModel) -> Iterator[tuple[str, str]]:
    if entry is None:
        if known.preprocessing is not None:
            yield "fed", f"(x - mean) / std, x in 0..255: {described(known.preprocessing)}"
        if known.dimension is not None:
            yield "output", f"{known.dimension}-D embeddings"
        yield "SHA-256", known.sha256
        yield "from", known.url
    elif known.preprocessing != entry.preprocessing and known.preprocessing is not None:
        yield "WARNING", f"its owner feeds it {described(known.preprocessing)}"
    published = ", ".join(f"{name} {share:g} %" for name, share in known.published.items())
    yield "published", f"{published} ({known.figures})" if published else ""
