"""The charts of an evaluation as SVG, placed by ``app.charts``: what is there without scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.charts import Axis, Bar, Plot, linear_axis, log_axis
from app.charts.plot import BOTTOM, LEFT, TOP
from app.evaluations.bins import Bin
from app.evaluations.results import Curves

WIDTH: Final = 500.0
HEIGHT: Final = 290.0
RIGHT: Final = 36.0
"""Room for the numbers of a second axis."""


@dataclass(frozen=True)
class FoldLine:
    """The curve of one fold and the place of its threshold."""

    fold: int
    path: str
    threshold: float


@dataclass(frozen=True)
class Mark:
    """A point in a plot, what it says, and where it leads."""

    x: float
    y: float
    words: str
    url: str = ""


@dataclass(frozen=True)
class HistogramDrawing:
    """Distances by label, with c of every fold on an axis of its own at the right."""

    plot: Plot
    share: Axis
    """The axis of c, at the right."""
    genuine: tuple[Bar, ...]
    impostor: tuple[Bar, ...]
    folds: tuple[FoldLine, ...]


@dataclass(frozen=True)
class CurveDrawing:
    """A curve with marks on it; ``diagonal`` is what it is compared with, where there is such."""

    plot: Plot
    path: str
    operating: tuple[Mark, ...] = ()
    folds: tuple[Mark, ...] = ()
    diagonal: str = ""
    second: str = ""
    share: Axis | None = None
    """The axis of ``second``, at the right."""


@dataclass(frozen=True)
class Drawings:
    """All charts of the page; None where there is nothing to draw."""

    histogram: HistogramDrawing | None
    roc: CurveDrawing | None
    det: CurveDrawing | None
    confidence: tuple[Plot, tuple[FoldLine, ...]]
    reliability: CurveDrawing | None
    above: CurveDrawing | None


def draw(curves: Curves, bins: Sequence[Bin], *, log_roc: bool = False) -> Drawings:
    """Place all charts; ``log_roc`` gives the ROC a logarithmic false match rate."""
    return Drawings(
        histogram=_histogram(curves, bins) if bins else None,
        roc=_roc(curves, is_log=log_roc) if curves.roc else None,
        det=_det(curves) if len(_on_log_axes(curves)) > 1 else None,
        confidence=_confidence(curves, bins),
        reliability=_reliability(curves) if bins else None,
        above=_above(curves) if bins else None,
    )


def distance_range(bins: Sequence[Bin]) -> tuple[float, float]:
    """Return round ends of the distances met, all of [0, 2] where there are none."""
    if not bins:
        return 0.0, 2.0
    return math.floor(bins[0].low * 10) / 10, min(2.0, math.ceil(bins[-1].high * 10 - 1e-9) / 10)


def _plot(x: tuple[float, float, str], y: tuple[float, float, str]) -> Plot:
    return Plot(
        WIDTH,
        HEIGHT,
        linear_axis(x[0], x[1], start=LEFT, stop=WIDTH - RIGHT, words=x[2]),
        linear_axis(y[0], y[1], start=HEIGHT - BOTTOM, stop=TOP, words=y[2]),
    )


def _folds(plot: Plot, curves: Curves, key: str, y: Axis) -> tuple[FoldLine, ...]:
    on_y = Plot(plot.width, plot.height, plot.x, y)
    low, high = plot.x.low, plot.x.high
    inside = [i for i, d in enumerate(curves.confidence["distance"]) if low <= d <= high]
    distances = [curves.confidence["distance"][i] for i in inside]
    thresholds = {point["fold"]: point["threshold"] for point in curves.fold_points}
    return tuple(
        FoldLine(
            each["fold"],
            on_y.path(distances, [each[key][i] for i in inside]),
            plot.x.place(thresholds[each["fold"]]),
        )
        for each in curves.confidence["folds"]
    )


def _histogram(curves: Curves, bins: Sequence[Bin]) -> HistogramDrawing:
    most = max(max(each.genuine, each.impostor) for each in bins)
    plot = _plot((*distance_range(bins), "cosine distance"), (0, most, "pairs"))
    edges = [bins[0].low, *(each.high for each in bins)]
    share = linear_axis(0, 1, start=plot.y.start, stop=plot.y.stop, words="c(d)", most_ticks=3)
    return HistogramDrawing(
        plot,
        share,
        plot.bars(edges, [each.genuine for each in bins]),
        plot.bars(edges, [each.impostor for each in bins]),
        _folds(plot, curves, "c", share),
    )


def _confidence(curves: Curves, bins: Sequence[Bin]) -> tuple[Plot, tuple[FoldLine, ...]]:
    plot = _plot((*distance_range(bins), "cosine distance"), (0.5, 1, "confidence C"))
    return plot, _folds(plot, curves, "confidence", plot.y)


def roc_corner(curves: Curves) -> tuple[float, float]:
    """Return where the axes of a logarithmic ROC begin: the rates of the least threshold on it.

    The false match rate at a power of ten of 0.1 or below, the true match rate at a tenth: at low
    false match rates curves differ in the last percents.
    """
    shown = [point for point in curves.roc if point["false_match_rate"] > 0]
    false_match = min(point["false_match_rate"] for point in shown)
    true_match = min(point["true_match_rate"] for point in shown)
    return (
        min(10.0 ** math.floor(math.log10(false_match) + 1e-9), 0.1),
        min(math.floor(10 * true_match) / 10, 0.9),
    )


def _roc(curves: Curves, *, is_log: bool) -> CurveDrawing:
    least, low = roc_corner(curves) if is_log else (0.0, 0.0)
    plot = _plot((0, 1, "false match rate"), (low, 1, "true match rate"))
    if is_log:
        x = log_axis(least, 1, start=LEFT, stop=WIDTH - RIGHT, words="false match rate")
        plot = replace(plot, x=x)
    # A rate below the axis has no place on it.
    shown = [point for point in curves.roc if point["false_match_rate"] >= least]
    folds = [point for point in curves.fold_points if point["false_match_rate"] >= least]
    operating = [
        point
        for point in curves.operating_points
        if point["threshold"] is not None and (point["false_match_rate"] or 0) >= least
    ]
    steps = [10.0 ** (-number / 20) for number in range(201)]
    diagonal = [step for step in steps if step >= max(least, low)] if is_log else [0.0, 1.0]
    return CurveDrawing(
        plot,
        plot.path(
            [point["false_match_rate"] for point in shown],
            [point["true_match_rate"] for point in shown],
        ),
        operating=tuple(
            Mark(
                plot.x.place(point["false_match_rate"] or 0),
                plot.y.place(point["true_match_rate"] or 0),
                f"{100 * (point['true_match_rate'] or 0):.2f} % at FAR {100 * far:g} %",
            )
            for point in operating
            if (far := point["far"])
        ),
        folds=tuple(
            Mark(
                plot.x.place(point["false_match_rate"]),
                plot.y.place(point["true_match_rate"]),
                f"Threshold {point['threshold']:.4f} of fold {point['fold']}",
            )
            for point in folds
        ),
        diagonal=plot.path(diagonal, diagonal),
    )


def _on_log_axes(curves: Curves) -> list[dict[str, float]]:
    return [
        point
        for point in curves.det
        if point["false_match_rate"] > 0 and point["false_non_match_rate"] > 0
    ]


def _det(curves: Curves) -> CurveDrawing:
    points = _on_log_axes(curves)

    def axis(key: str, words: str, start: float, stop: float) -> Axis:
        low = 10.0 ** math.floor(math.log10(min(point[key] for point in points)) + 1e-9)
        return log_axis(min(low, 0.1), 1.0, start=start, stop=stop, words=words)

    plot = Plot(
        WIDTH,
        HEIGHT,
        axis("false_match_rate", "false match rate", LEFT, WIDTH - RIGHT),
        axis("false_non_match_rate", "false non-match rate", HEIGHT - BOTTOM, TOP),
    )
    low = max(plot.x.low, plot.y.low)
    return CurveDrawing(
        plot,
        plot.path(
            [point["false_match_rate"] for point in points],
            [point["false_non_match_rate"] for point in points],
        ),
        folds=tuple(
            Mark(
                plot.x.place(point["false_match_rate"]),
                plot.y.place(1 - point["true_match_rate"]),
                f"Threshold {point['threshold']:.4f} of fold {point['fold']}",
            )
            for point in curves.fold_points
            if point["false_match_rate"] and point["true_match_rate"] < 1
        ),
        diagonal=plot.path((low, 1), (low, 1)),
    )


def _reliability(curves: Curves) -> CurveDrawing:
    filled = [each for each in curves.reliability if each["count"]]
    low = math.floor(10 * min(0.5, *(each["accuracy"] for each in filled), 0.5)) / 10
    plot = _plot((0.5, 1, "confidence"), (low, 1, "share right"))
    return CurveDrawing(
        plot,
        plot.path([each["confidence"] for each in filled], [each["accuracy"] for each in filled]),
        operating=tuple(
            Mark(
                plot.x.place(each["confidence"]),
                plot.y.place(each["accuracy"]),
                f"{each['count']:,} pairs of confidence {each['start']:.2f} to {each['stop']:.2f}: "
                f"{100 * each['accuracy']:.1f} % right",
            )
            for each in filled
        ),
        diagonal=plot.path((0.5, 1), (0.5, 1)),
    )


def _above(curves: Curves) -> CurveDrawing:
    filled = [each for each in curves.accuracy_above if each["count"]]
    low = math.floor(100 * min(each["accuracy"] for each in filled)) / 100
    plot = _plot((0.5, 1, "least confidence kept"), (min(low, 0.99), 1, "share right"))
    share = linear_axis(0, 1, start=plot.y.start, stop=plot.y.stop, words="share kept")
    of_share = Plot(plot.width, plot.height, plot.x, share)
    xs = [each["confidence"] for each in filled]
    return CurveDrawing(
        plot,
        plot.path(xs, [each["accuracy"] for each in filled]),
        second=of_share.path(xs, [each["share"] for each in filled]),
        share=share,
    )
