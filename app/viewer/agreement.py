"""How far the maps of two models agree: Spearman's rank correlation over the pixels of both faces.

Ranks, because a map has no unit that two models share: what can be compared is which places matter
more than others, and with which sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class AgreeingModels:
    """Two models on one pair.

    Attributes
    ----------
    first, second
        Names of the models.
    figures
        One per method, the mean of both faces in [-1, 1]; None where a map is flat.
    """

    first: str
    second: str
    figures: tuple[float | None, ...]


@dataclass(frozen=True)
class Agreement:
    """All models that explain a pair, two by two.

    Attributes
    ----------
    pair_id
        The pair.
    lines
        The two that agree most first.
    means
        One per method, over all lines; None where nothing can be said.
    """

    pair_id: int
    lines: tuple[AgreeingModels, ...]
    means: tuple[float | None, ...]


def agreement_of(
    pair_id: int, models: Sequence[str], maps: Sequence[Sequence[Sequence[NDArray[np.float64]]]]
) -> Agreement:
    """Compare every two models.

    Parameters
    ----------
    pair_id
        The pair.
    models
        Their names.
    maps
        By method, model and side, (112, 112) each; their scale does not matter.
    """
    tables = [_mean_of_sides(of_models) for of_models in maps]
    lines = [
        AgreeingModels(models[a], models[b], tuple(_known(table[a, b]) for table in tables))
        for a, b in combinations(range(len(models)), 2)
    ]
    lines.sort(key=lambda line: -(_mean(line.figures) or 0.0))
    means = tuple(_mean([line.figures[n] for line in lines]) for n in range(len(maps)))
    return Agreement(pair_id, tuple(lines), means)


def rank_correlations(maps: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return Spearman's correlation of every two maps, (n, n) in [-1, 1]; NaN with a flat one."""
    scores = np.array([_standard_ranks(np.asarray(values, np.float64)) for values in maps])
    found: NDArray[np.float64] = np.clip(scores @ scores.T, -1.0, 1.0)
    return found


def _standard_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks of mean 0 and length 1; equal values share the middle of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse.ravel()]
    centred = ranks - ranks.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 0 else np.full(values.size, np.nan)


def _mean_of_sides(of_models: Sequence[Sequence[NDArray[np.float64]]]) -> NDArray[np.float64]:
    sides = [rank_correlations(maps) for maps in zip(*of_models, strict=True)]
    found: NDArray[np.float64] = np.mean(sides, axis=0)
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known else None
