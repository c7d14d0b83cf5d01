"""The histogram of distances as it is drawn: wider bins than the fit's, over the distances met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MERGED: Final = 4
"""Bins of the C-Score's histogram in one that is drawn: 0.02 wide, seen and hit by a pointer."""
WIDTH: Final = 0.02


@dataclass(frozen=True)
class Bin:
    """One drawn bin [low, high) and its pairs by label."""

    low: float
    high: float
    genuine: int
    impostor: int


def drawn_bins(histogram: dict[str, Any]) -> list[Bin]:
    """Return the bins from the first to the last that holds a pair."""
    genuine, impostor = _merged(histogram["genuine"]), _merged(histogram["impostor"])
    bins = [
        Bin(round(number * WIDTH, 2), round((number + 1) * WIDTH, 2), one, other)
        for number, (one, other) in enumerate(zip(genuine, impostor, strict=True))
    ]
    filled = [number for number, each in enumerate(bins) if each.genuine or each.impostor]
    return bins[filled[0] : filled[-1] + 1] if filled else []


def _merged(counts: list[int]) -> list[int]:
    return [sum(counts[at : at + MERGED]) for at in range(0, len(counts), MERGED)]
