"""Labelled pairs and their folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FOLDS: Final = 10


@dataclass(frozen=True)
class NamedPair:
    """Two images by name, as a pair list gives them."""

    image1: str
    image2: str
    identity1: str
    identity2: str
    genuine: bool


def folds_of(genuine: Sequence[bool]) -> list[int]:
    """Return the fold of each pair: 10 * (ordinal within its label) // (number with that label).

    It gives every fold its share of both labels, for lists that are ordered by fold and for lists
    that put all genuine pairs first.
    """
    totals = Counter(genuine)
    seen: Counter[bool] = Counter()
    folds = []
    for label in genuine:
        folds.append(FOLDS * seen[label] // totals[label])
        seen[label] += 1
    return folds
