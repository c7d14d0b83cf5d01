"""A plot: two axes and the shapes between them, in the units of its drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from app.charts.axis import Axis, linear_axis

LEFT: Final = 46.0
RIGHT: Final = 12.0
TOP: Final = 24.0
BOTTOM: Final = 38.0


def rectangle(x: float, y: float, width: float, height: float) -> str:
    """Return a rectangle as an SVG path; a page of bars has one attribute for each, not four."""
    return f"M{x:.2f},{y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"


@dataclass(frozen=True)
class Bar:
    """One bin of a histogram: its rectangle, its range [low, high) and its count."""

    x: float
    y: float
    width: float
    height: float
    low: float
    high: float
    count: float

    @property
    def outline(self) -> str:
        """The rectangle as an SVG path."""
        return rectangle(self.x, self.y, self.width, self.height)


@dataclass(frozen=True)
class Plot:
    """A drawing of ``width`` x ``height`` with its axes; y points up."""

    width: float
    height: float
    x: Axis
    y: Axis

    def path(self, xs: ArrayLike, ys: ArrayLike) -> str:
        """Return a line through the points as an SVG path; a value that is NaN leaves a gap."""
        x = self.x.place(np.asarray(xs, np.float64))
        y = self.y.place(np.asarray(ys, np.float64))
        there = ~(np.isnan(x) | np.isnan(y))
        goes_on = np.append(False, there[:-1])[there]
        points = zip(goes_on.tolist(), x[there].tolist(), y[there].tolist(), strict=True)
        return "".join(f"{'L' if on else 'M'}{x:.2f},{y:.2f}" for on, x, y in points)

    def bars(self, edges: Sequence[float], counts: Sequence[float]) -> tuple[Bar, ...]:
        """Return a rectangle per bin that is not empty; there is one edge more than counts."""
        floor = self.y.place(max(self.y.low, 0.0))
        found = []
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                left, right, top = self.x.place(low), self.x.place(high), self.y.place(count)
                found.append(Bar(left, top, right - left, floor - top, low, high, count))
        return tuple(found)


def make_plot(
    x: tuple[float, float, str],
    y: tuple[float, float, str],
    *,
    width: float = 440.0,
    height: float = 240.0,
    most_ticks: int = 6,
) -> Plot:
    """Return a plot with axes of round ticks; ``x`` and ``y`` are (low, high, words).

    Raises
    ------
    ValueError
        Where a range is empty or not finite.
    """
    return Plot(
        width,
        height,
        linear_axis(x[0], x[1], start=LEFT, stop=width - RIGHT, words=x[2], most_ticks=most_ticks),
        linear_axis(y[0], y[1], start=height - BOTTOM, stop=TOP, words=y[2], most_ticks=5),
    )
