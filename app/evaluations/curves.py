"""The curves of an evaluation: distances, ROC, DET, confidence, reliability. Always bounded.

All are functions of the results and, for the confidence over distance, of the folds' parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.cscore import confidence_at, sigmoid_at
from app.models import FoldScore

BINS: Final = 400
"""Bins of the C-Score's histogram on [0, 2] (the paper's number)."""
POINTS: Final = 400
RELIABILITY_BINS: Final = 10
FALSE_ACCEPT_RATES: Final = (1e-1, 1e-2, 1e-3)
"""Rates at which the operating points are read off."""
SAMPLES: Final = 201
"""Distances at which the confidence of each fold is sampled: every 0.01 of [0, 2]."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def distance_histogram(distances: Floats, genuine: Flags) -> dict[str, Any]:
    """Count distances per bin of [0, 2], by label; 2 itself falls into the last bin."""
    span = (0.0, 2.0)
    return {
        "start": span[0],
        "stop": span[1],
        "bins": BINS,
        "genuine": np.histogram(distances[genuine], BINS, span)[0].tolist(),
        "impostor": np.histogram(distances[~genuine], BINS, span)[0].tolist(),
    }


def roc_points(distances: Floats, genuine: Flags) -> list[dict[str, float]]:
    """Return up to `POINTS` points of the ROC: rates of ``distance <= threshold`` per label.

    One point per distinct distance, and one below them all (threshold 0, nothing accepted unless a
    distance is 0). Where there are more, points at even steps along the curve are kept, the
    ends always.
    """
    thresholds, false_match, true_match = _rates(distances, genuine)
    kept = _spread(true_match + false_match)
    return [
        {"threshold": float(t), "false_match_rate": float(f), "true_match_rate": float(r)}
        for t, f, r in zip(thresholds[kept], false_match[kept], true_match[kept], strict=True)
    ]


def det_points(distances: Floats, genuine: Flags) -> list[dict[str, float]]:
    """Return up to `POINTS` points of the DET curve: both error rates per threshold.

    The same thresholds as those of the ROC, but kept at even steps of the curve on logarithmic
    axes, where a DET curve is read (Martin et al., Eurospeech 1997, take normal deviates; with few
    pairs a logarithm shows the same and is read without a table). A rate of 0 has no place on such
    axes: it stands in the list, and a drawing leaves it out.
    """
    thresholds, false_match, true_match = _rates(distances, genuine)
    if not len(thresholds):
        return []
    false_non_match = 1 - true_match
    # Below half a pair both rates are 0: there the logarithm ends.
    low_match = 0.5 / np.count_nonzero(~genuine)
    low_non_match = 0.5 / np.count_nonzero(genuine)
    along = np.log(np.maximum(false_match, low_match)) - np.log(
        np.maximum(false_non_match, low_non_match)
    )
    kept = _spread(along)
    return [
        {"threshold": float(t), "false_match_rate": float(f), "false_non_match_rate": float(n)}
        for t, f, n in zip(thresholds[kept], false_match[kept], false_non_match[kept], strict=True)
    ]


def rates_at(distances: Floats, genuine: Flags, threshold: float) -> dict[str, float | None]:
    """Return the rates of ``distance <= threshold`` per label; None where a label is missing."""
    accepted = distances <= threshold
    return {
        "false_match_rate": _share(accepted[~genuine]),
        "true_match_rate": _share(accepted[genuine]),
    }


def operating_points(distances: Floats, genuine: Flags) -> list[dict[str, float | None]]:
    """Return threshold and rates at each false accept rate that the impostors can resolve.

    The threshold is the largest observed distance with a false match rate of at most the wanted
    one. All but ``far`` is None with fewer than 1 / far impostors; ``threshold`` alone is None
    where already the nearest distance accepts too many, so that nothing may be accepted.
    """
    thresholds, false_match, true_match = _rates(distances, genuine)
    impostors = int(np.count_nonzero(~genuine))
    points: list[dict[str, float | None]] = []
    for far in FALSE_ACCEPT_RATES:
        point: dict[str, float | None] = {
            "far": far,
            "threshold": None,
            "false_match_rate": None,
            "true_match_rate": None,
        }
        if len(thresholds) and impostors * far >= 1 - 1e-9:
            allowed = np.flatnonzero(false_match <= far)
            last = allowed[-1] if len(allowed) else None
            observed = last is not None and thresholds[last] in distances
            point["threshold"] = float(thresholds[last]) if observed else None
            point["false_match_rate"] = float(false_match[last]) if observed else 0.0
            point["true_match_rate"] = float(true_match[last]) if observed else 0.0
        points.append(point)
    return points


def confidence_samples(folds: Sequence[FoldScore]) -> dict[str, Any]:
    """Return c (eq. 2, clipped to [0, 1]) and C (eq. 3) of every fold over the distances [0, 2]."""
    distances = [step / 100 for step in range(SAMPLES)]
    return {
        "distance": distances,
        "folds": [
            {
                "fold": fold.fold,
                "c": sigmoid_at(fold, distances).tolist(),
                "confidence": confidence_at(fold, distances).tolist(),
            }
            for fold in folds
        ],
    }


def accuracy_above(confidence: Floats, correct: Flags) -> list[dict[str, Any]]:
    """Return, for each confidence from 0.5 to 1 by 0.01, how right the pairs from it on are.

    This is what setting the least sure pairs aside gains (an accuracy-rejection curve: Nadeem et
    al., MLSB 2009): ``share`` of the pairs is kept, and ``accuracy`` of those is right.
    """
    order = np.argsort(confidence, kind="stable")
    ranked, right = confidence[order], np.cumsum(correct[order][::-1])
    points = []
    for step in range(51):
        least = (50 + step) / 100
        count = len(ranked) - int(np.searchsorted(ranked, least, side="left"))
        points.append(
            {
                "confidence": least,
                "count": count,
                "share": count / len(ranked) if len(ranked) else 0.0,
                "accuracy": float(right[count - 1] / count) if count else None,
            }
        )
    return points


def reliability_bins(confidence: Floats, correct: Flags) -> list[dict[str, Any]]:
    """Return mean confidence and share of right predictions per tenth of [0.5, 1]."""
    edges = np.linspace(0.5, 1.0, RELIABILITY_BINS + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, RELIABILITY_BINS - 1)
    bins = []
    for number in range(RELIABILITY_BINS):
        inside = place == number
        filled = bool(inside.any())
        bins.append(
            {
                "start": float(edges[number]),
                "stop": float(edges[number + 1]),
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()) if filled else None,
                "accuracy": float(correct[inside].mean()) if filled else None,
            }
        )
    return bins


def _rates(distances: Floats, genuine: Flags) -> tuple[Floats, Floats, Floats]:
    """Return every threshold that makes a difference, its false and its true match rate."""
    if len(distances) == 0 or genuine.all() or not genuine.any():
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(distances, kind="stable")
    ranked, labels = distances[order], genuine[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    thresholds = ranked[last]
    false_match = np.cumsum(~labels)[last] / (~labels).sum()
    true_match = np.cumsum(labels)[last] / labels.sum()
    if thresholds[0] > 0:
        thresholds = np.insert(thresholds, 0, 0.0)
        false_match, true_match = np.insert(false_match, 0, 0.0), np.insert(true_match, 0, 0.0)
    return thresholds, false_match, true_match


def _share(flags: Flags) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _spread(along: Floats) -> NDArray[np.intp]:
    """Return the indexes of up to `POINTS` entries at even steps of a rising sequence."""
    if len(along) <= POINTS:
        return np.arange(len(along))
    steps = np.linspace(along[0], along[-1], POINTS)
    return np.unique(np.clip(np.searchsorted(along, steps), 0, len(along) - 1))
