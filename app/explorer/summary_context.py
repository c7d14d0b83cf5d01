"""The summary as its template draws it: facets, histograms and confusion, every number a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.charts import Bar, Plot, make_plot, rectangle
from app.explorer.catalogue import Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, ColumnRef
from app.explorer.facets import (
    Facet,
    FacetValue,
    model_facets,
    pair_facets,
    range_filters,
)
from app.explorer.filters import Filter, make_filter
from app.explorer.queries import Count
from app.explorer.sentence import describe
from app.explorer.summary import (
    CONFIDENCE_EDGES,
    DISTANCE_EDGES,
    JointSummary,
    ModelSummary,
    Summary,
)
from app.explorer.urls import Links, explorer_url

WIDTH: Final = 440.0
HEIGHT: Final = 132.0
LABELS: Final = ((True, "genuine"), (False, "impostor"))
GENUINE: Final = ColumnRef(PAIR_COLUMNS["genuine"])


@dataclass(frozen=True)
class LinkedBar:
    """A bar of a histogram that leads to its pairs."""

    count: int
    hit: str
    """SVG path of what a pointer can hit, as high as the plot."""
    outline: str
    """SVG path of the bar."""
    url: str
    words: str
    """What a screen reader says of it, and a pointer that rests on it."""


@dataclass(frozen=True)
class Histogram:
    """Counts of one column of one model, over pairs of one label."""

    genuine: bool
    label: str
    plot: Plot
    bars: tuple[LinkedBar, ...]
    threshold: float | None
    words: str

    @property
    def total(self) -> int:
        """How many pairs it holds."""
        return sum(each.count for each in self.bars)


@dataclass(frozen=True)
class Cell:
    """A number of a table that leads to its pairs; no link where there are none."""

    count: int
    url: str | None
    share: float
    """Of all pairs of the table, in [0, 1]."""
    words: str
    right: bool | None = None


@dataclass(frozen=True)
class CrossTable:
    """Counts by two yes-or-no questions."""

    caption: str
    columns: tuple[str, str]
    rows: tuple[tuple[str, tuple[Cell, Cell]], ...]


@dataclass(frozen=True)
class ModelPart:
    """Everything that the summary shows of one model."""

    model: Named
    total: int
    facets: tuple[Facet, ...]
    distances: tuple[Histogram, ...]
    confidences: tuple[Histogram, ...]
    confusion: CrossTable
    accuracy: float | None
    """Share of right predictions among the matching pairs."""


@dataclass(frozen=True)
class JointPart:
    """Two models against each other."""

    first: Named
    second: Named
    total: int
    by_result: CrossTable
    by_prediction: CrossTable
    others: tuple[tuple[str, str], ...]
    """Name and URL of the models to set in place of the second."""


@dataclass(frozen=True)
class SummaryContext:
    """Everything that ``explorer/summary.html`` reads."""

    title: str
    """The query in words, with its count where it is known."""
    facets: tuple[Facet, ...]
    highlights: tuple[FacetValue, ...]
    """The counts that are looked at most, for one line."""
    models: tuple[ModelPart, ...]
    joint: JointPart | None
    unfinished: tuple[str, ...]
    explorer_url: str
    """The list itself."""
    retry_url: str


def summary_context(summary: Summary, *, retry_url: str) -> SummaryContext:
    """Build the context."""
    query = summary.query
    links = Links(query)
    parts = tuple(
        _model_part(summary, summary.models[model.name], links)
        for model in query.models
        if model.name in summary.models
    )
    facets = pair_facets(summary, links)
    return SummaryContext(
        title=_title(summary),
        facets=facets,
        highlights=_highlights(facets, parts),
        models=parts,
        joint=_joint_part(summary.joint, links) if summary.joint else None,
        unfinished=summary.unfinished,
        explorer_url=explorer_url(query),
        retry_url=retry_url,
    )


def _title(summary: Summary) -> str:
    if summary.total is None:
        return "Pairs in numbers"
    return describe(summary.query.sorted_by(), Count(summary.total, exact=True))


def _highlights(facets: Sequence[Facet], parts: Sequence[ModelPart]) -> tuple[FacetValue, ...]:
    """Return the labels, the mistakes of each model, and the pairs that models dispute.

    What the query asks for already stands among its conditions.
    """
    found = [value for facet in facets if facet.title == "Label" for value in facet.values]
    for part in parts:
        for facet in part.facets:
            found += [
                FacetValue(f"{part.model.name} wrong", value.count, value.url, value.active)
                for value in facet.values
                if (facet.title, value.words) == ("Result", "wrong")
            ]
    found += [
        FacetValue("models disagree", value.count, value.url, value.active)
        for facet in facets
        if facet.title == "Models"
        for value in facet.values
        if value.words == "disagree"
    ]
    return tuple(value for value in found if not value.active)


def _model_part(summary: Summary, of: ModelSummary, links: Links) -> ModelPart:
    right = of.count(correct=True)
    return ModelPart(
        model=of.model,
        total=of.total,
        facets=model_facets(summary, of, links),
        distances=_histograms(of, "distance", links),
        confidences=_histograms(of, "confidence", links),
        confusion=_confusion(of, links),
        accuracy=right / of.total if of.total else None,
    )


def _histograms(of: ModelSummary, column: str, links: Links) -> tuple[Histogram, ...]:
    """Return a histogram per label that occurs, under one scale each way."""
    edges = DISTANCE_EDGES if column == "distance" else CONFIDENCE_EDGES
    counts = {genuine: of.histogram(column, genuine=genuine) for genuine, _ in LABELS}
    # Distances seldom come near 2: the axis ends a bin beyond the largest one.
    filled = [number for each in counts.values() for number, count in enumerate(each) if count]
    if not filled:
        return ()
    last = max(filled) + 2 if column == "distance" else len(edges)
    high = edges[min(last, len(edges) - 1)]
    threshold = of.threshold if column == "distance" else None
    ref = ColumnRef(MODEL_COLUMNS[column], of.model)
    found = []
    for genuine, label in LABELS:
        if not any(counts[genuine]):
            continue
        plot = make_plot(
            (edges[0], max(high, threshold or 0.0), column),
            (0, max(counts[genuine]), f"{label} pairs"),
            width=WIDTH,
            height=HEIGHT,
        )
        of_label = make_filter(GENUINE, "exact", str(int(genuine)))
        bars = []
        for bar in plot.bars(edges, counts[genuine]):
            between = range_filters(ref, edges, edges.index(bar.low))
            words = f"{int(bar.count):,} {label}, {column} {bar.low:g} to {bar.high:g}"
            bars.append(_linked(plot, bar, links.narrowed(of_label, *between), words))
        words = f"{of.model.name}: {column} of {sum(counts[genuine]):,} {label} pairs"
        if threshold is not None:
            words += f", mean threshold {threshold:.3f}"
        found.append(Histogram(genuine, label, plot, tuple(bars), threshold, words))
    return tuple(found)


def _linked(plot: Plot, bar: Bar, url: str, words: str) -> LinkedBar:
    """Return a bar that can be hit at any height, and seen however few pairs it holds."""
    floor, top = plot.y.start, plot.y.stop
    return LinkedBar(
        count=int(bar.count),
        hit=rectangle(bar.x, top, bar.width, floor - top),
        outline=rectangle(
            bar.x + 0.5, min(bar.y, floor - 1.5), bar.width - 1, max(bar.height, 1.5)
        ),
        url=url,
        words=words,
    )


def _confusion(of: ModelSummary, links: Links) -> CrossTable:
    prediction = ColumnRef(MODEL_COLUMNS["prediction"], of.model)

    def cell(genuine: bool, predicted: bool) -> Cell:  # noqa: FBT001
        label, said = ("genuine" if flag else "impostor" for flag in (genuine, predicted))
        wanted = [
            make_filter(GENUINE, "exact", str(int(genuine))),
            make_filter(prediction, "exact", said),
        ]
        count = of.count(prediction=predicted, correct=genuine == predicted)
        words = f"{label} pairs that {of.model.name} calls {said}"
        return _cell(links, wanted, count, of.total, words, right=genuine == predicted)

    return CrossTable(
        caption=f"Confusion of {of.model.name}",
        columns=("called genuine", "called impostor"),
        rows=tuple(
            (label, (cell(genuine, True), cell(genuine, False)))  # noqa: FBT003
            for genuine, label in LABELS
        ),
    )


def _joint_part(joint: JointSummary, links: Links) -> JointPart:
    one, two = joint.first, joint.second

    def table(
        caption: str, column: str, fields: tuple[str, str], texts: dict[bool, str], words: str
    ) -> CrossTable:
        first, second = (ColumnRef(MODEL_COLUMNS[column], model) for model in (one, two))

        def cell(a: bool, b: bool) -> Cell:  # noqa: FBT001
            wanted = [
                make_filter(first, "exact", texts[a]),
                make_filter(second, "exact", texts[b]),
            ]
            count = joint.count(**{fields[0]: a, fields[1]: b})
            said = [_spoken(column, flag) for flag in (a, b)]
            about = f"pairs that {one.name} {words} {said[0]} and {two.name} {words} {said[1]}"
            return _cell(links, wanted, count, joint.total, about, right=None)

        sides = [_spoken(column, flag) for flag in (True, False)]
        return CrossTable(
            caption=caption,
            columns=(f"{two.name} {sides[0]}", f"{two.name} {sides[1]}"),
            rows=tuple(
                (f"{one.name} {side}", (cell(flag, True), cell(flag, False)))  # noqa: FBT003
                for flag, side in zip((True, False), sides, strict=True)
            ),
        )

    # The other models take the second place, the first one stays.
    query = links.query
    others = tuple(
        (model.name, explorer_url(query.with_models(one, model))) for model in query.models[2:]
    )
    return JointPart(
        first=one,
        second=two,
        total=joint.total,
        by_result=table(
            "Who is right",
            "correct",
            ("first_correct", "second_correct"),
            {True: "1", False: "0"},
            "gets",
        ),
        by_prediction=table(
            "What they call the pair",
            "prediction",
            ("first", "second"),
            {True: "genuine", False: "impostor"},
            "calls",
        ),
        others=others,
    )


def _spoken(column: str, flag: bool) -> str:  # noqa: FBT001
    if column == "correct":
        return "right" if flag else "wrong"
    return "genuine" if flag else "impostor"


def _cell(
    links: Links,
    wanted: list[Filter],
    count: int,
    total: int,
    words: str,
    *,
    right: bool | None,
) -> Cell:
    url = links.narrowed(*wanted) if count else None
    return Cell(count, url, count / total if total else 0.0, words, right)
