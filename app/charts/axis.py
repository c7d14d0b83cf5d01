"""An axis: where values stand in the drawing, and which of them are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", float, NDArray[np.float64])

STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Distances between ticks that people read at a glance, times a power of ten."""


@dataclass(frozen=True)
class Tick:
    """A value that is written beside the axis, and its place in the drawing."""

    value: float
    label: str
    place: float


@dataclass(frozen=True)
class Axis:
    """A linear or a logarithmic axis.

    Attributes
    ----------
    low, high
        Ends of the range of values.
    start, stop
        Places of ``low`` and ``high`` in the drawing; ``start`` is the larger one for an axis
        that points up.
    words
        What the values are, with their unit.
    ticks
        The values that are written, from low to high.
    is_log
        Whether equal ratios, not equal differences, are equally far apart.
    """

    low: float
    high: float
    start: float
    stop: float
    words: str
    ticks: tuple[Tick, ...]
    is_log: bool = False

    def place(self, value: T) -> T:
        """Return where a value stands, or each of an array of values.

        Beyond the ends of the range it goes beyond the axis; NaN is nowhere and stays NaN.
        ``ValueError`` for a value on a logarithmic axis that is not above 0.
        """
        if not self.is_log:
            share = (value - self.low) / (self.high - self.low)
        elif np.any(np.asarray(value) <= 0):
            raise ValueError(f"{value} on a logarithmic axis: expected values above 0.")
        else:
            share = np.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.stop - self.start)


def linear_axis(
    low: float, high: float, *, start: float, stop: float, words: str, most_ticks: int = 6
) -> Axis:
    """Return an axis with up to ``most_ticks`` round ticks within [low, high].

    Raises
    ------
    ValueError
        Where the range is empty or not finite.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"An axis from {low} to {high}: expected two finite, rising numbers.")
    bare = Axis(low, high, start, stop, words, ())
    step = _step((high - low) / max(most_ticks - 1, 1))
    # Count in steps: adding up floats would drift from 0.3 to 0.30000000000000004.
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    ticks = tuple(Tick(value, _label(value, step), bare.place(value)) for value in values)
    return Axis(low, high, start, stop, words, ticks)


def log_axis(low: float, high: float, *, start: float, stop: float, words: str) -> Axis:
    """Return a logarithmic axis with a tick at each power of ten within [low, high], in percent.

    Raises
    ------
    ValueError
        Where the range is empty or not finite, or does not begin above 0.
    """
    if not (math.isfinite(high) and 0 < low < high):
        raise ValueError(f"A logarithmic axis from {low} to {high}: expected 0 < low < high.")
    bare = Axis(low, high, start, stop, words, (), is_log=True)
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    values = [10.0**power for power in range(first, last + 1)]
    ticks = tuple(Tick(value, f"{100 * value:g} %", bare.place(value)) for value in values)
    return Axis(low, high, start, stop, words, ticks, is_log=True)


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in STEPS if step * power >= least * (1 - 1e-9))


def _label(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, decimals) != round(step, decimals + 1):
        decimals += 1  # steps of 2.5 need one more
    return f"{value:,.{decimals}f}".replace("-", "−").removeprefix("−" if value == 0 else "")
