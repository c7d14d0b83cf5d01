"""Facets: how many of the matching pairs have which value, each count a link to just those."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef
from app.explorer.filters import Filter, make_filter
from app.explorer.summary import CONFIDENCE_EDGES, ModelSummary, Summary
from app.explorer.urls import Links, explorer_url

CONFIDENCE_BANDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the confidence facet: each is one of `CONFIDENCE_EDGES`."""


@dataclass(frozen=True)
class FacetValue:
    """A value, how many pairs have it, and where it leads."""

    words: str
    count: int
    url: str
    active: bool = False
    """Whether the query asks for this value already: the link then leads back."""
    genuine: bool | None = None
    """The label it stands for, if it is one: those have a colour."""


@dataclass(frozen=True)
class Facet:
    """All values of a column that occur."""

    title: str
    values: tuple[FacetValue, ...]


def pair_facets(summary: Summary, links: Links) -> tuple[Facet, ...]:
    """Return the facets of the pairs themselves; those with a choice, or with one made."""
    if summary.pairs is None:
        return ()
    label = ColumnRef(PAIR_COLUMNS["genuine"])
    fold = ColumnRef(PAIR_COLUMNS["fold"])
    genuine, folds = summary.by("genuine"), summary.by("fold")
    found = [
        Facet("Dataset", tuple(_datasets(summary))),
        Facet(
            "Label",
            tuple(
                _value(links, label, str(int(flag)), words, genuine[flag], genuine=flag)
                for flag, words in ((True, "genuine"), (False, "impostor"))
                if genuine[flag]
            ),
        ),
        Facet(
            "Fold",
            tuple(
                _value(links, fold, str(number), str(number), folds[number])
                for number in sorted(folds)
            ),
        ),
        Facet("Lower quality", tuple(_quality(summary, links))),
    ]
    if summary.agreeing is not None and summary.disagreeing is not None:
        found.append(Facet("Models", tuple(_agreement(summary))))
    return tuple(facet for facet in found if _says_something(facet))


def model_facets(summary: Summary, of: ModelSummary, links: Links) -> tuple[Facet, ...]:
    """Return the facets of one model."""

    def flag(name: str, texts: tuple[tuple[str, str, bool], ...]) -> Facet:
        ref = ColumnRef(MODEL_COLUMNS[name], of.model)
        values = tuple(
            _value(
                links,
                ref,
                text,
                words,
                of.count(**{name: wanted}),
                genuine=wanted if name == "prediction" else None,
            )
            for text, words, wanted in texts
        )
        title = {"correct": "Result", "explained": "X-Maps"}.get(name, "Prediction")
        return Facet(title, tuple(value for value in values if value.count))

    found = [
        flag("prediction", (("genuine", "genuine", True), ("impostor", "impostor", False))),
        flag("correct", (("1", "right", True), ("0", "wrong", False))),
        flag("explained", (("1", "there", True), ("0", "not yet", False))),
        Facet("Confidence", tuple(_confidence(of, links))),
    ]
    unseen = 0 if summary.total is None else summary.total - of.total
    if unseen:
        ref = ColumnRef(MODEL_COLUMNS["distance"], of.model)
        missing = make_filter(ref, "isnull", "1")
        value = _condition(links, [missing], "not evaluated", unseen)
        found.append(Facet("Unseen", (value,)))
    return tuple(facet for facet in found if facet.values)


def _says_something(facet: Facet) -> bool:
    return len(facet.values) > 1 or any(value.active for value in facet.values)


def _value(
    links: Links,
    ref: ColumnRef,
    text: str,
    words: str,
    count: int,
    *,
    genuine: bool | None = None,
) -> FacetValue:
    found = _condition(links, [make_filter(ref, "exact", text)], words, count)
    return replace(found, genuine=genuine)


def _condition(links: Links, wanted: list[Filter], words: str, count: int) -> FacetValue:
    """Return the value that adds conditions, or, where the query has them all, takes them away."""
    # By meaning, not by text: 0.50 is 0.5.
    meant = {(item.ref, item.operator, item.value) for item in wanted}
    there = [item for item in links.query.filters if (item.ref, item.operator, item.value) in meant]
    if len({(item.ref, item.operator) for item in there}) < len(meant):
        return FacetValue(words, count, links.narrowed(*wanted))
    back = links.query
    for item in there:
        back = back.without_filter(item)
    return FacetValue(words, count, explorer_url(back), active=True)


def _datasets(summary: Summary) -> Iterable[FacetValue]:
    query = summary.query
    counts = summary.by("dataset_id")
    for dataset in query.known_datasets:
        if counts[dataset.id]:
            active = query.datasets == (dataset,)
            target = replace(query.place(), datasets=() if active else (dataset,))
            yield FacetValue(dataset.name, counts[dataset.id], explorer_url(target), active)


def _quality(summary: Summary, links: Links) -> Iterable[FacetValue]:
    ref = ColumnRef(PAIR_COLUMNS["quality_min"])
    edges = summary.quality_edges
    counts = summary.by("band")
    for band in range(len(edges) - 1):
        if counts[band]:
            wanted, words = _between(ref, edges, band)
            yield _condition(links, wanted, words, counts[band])
    if counts[None] and edges:
        missing = make_filter(ref, "isnull", "1")
        yield _condition(links, [missing], "missing", counts[None])


def _confidence(of: ModelSummary, links: Links) -> Iterable[FacetValue]:
    ref = ColumnRef(MODEL_COLUMNS["confidence"], of.model)
    for band in range(len(CONFIDENCE_BANDS) - 1):
        low, high = (CONFIDENCE_EDGES.index(e) for e in CONFIDENCE_BANDS[band : band + 2])
        count = of.sure(low, high)
        if count:
            wanted, words = _between(ref, CONFIDENCE_BANDS, band)
            yield _condition(links, wanted, words, count)


def _between(ref: ColumnRef, edges: tuple[float, ...], band: int) -> tuple[list[Filter], str]:
    """Return the conditions of one gap of ``edges``, the last of which holds its upper end."""
    return range_filters(ref, edges, band), f"{edges[band]:g} to {edges[band + 1]:g}"


def range_filters(ref: ColumnRef, edges: tuple[float, ...], band: int) -> list[Filter]:
    """Return the conditions that leave the values of one gap of ``edges``."""
    upper = "lte" if band == len(edges) - 2 else "lt"
    return [
        make_filter(ref, "gte", repr(edges[band])),
        make_filter(ref, upper, repr(edges[band + 1])),
    ]


def _agreement(summary: Summary) -> Iterable[FacetValue]:
    query = summary.query
    counts = ((True, "agree", summary.agreeing), (False, "disagree", summary.disagreeing))
    for agree, words, count in counts:
        if count:
            active = query.agree is agree
            target = query.without_agreement() if active else query.with_agreement(agree)
            yield FacetValue(words, count, explorer_url(target), active)
