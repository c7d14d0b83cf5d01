"""The curves of an evaluation, from its results: distances, ROC, reliability. Always bounded."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 400
"""Bins of the C-Score's histogram on [0, 2] (the paper's number)."""
POINTS: Final = 400
RELIABILITY_BINS: Final = 10

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
    order = np.argsort(distances, kind="stable")
    ranked, labels = distances[order], genuine[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), max(len(ranked) - 1, 0))
    if len(ranked) == 0 or labels.all() or not labels.any():
        return []
    true_rate = np.cumsum(labels)[last] / labels.sum()
    false_rate = np.cumsum(~labels)[last] / (~labels).sum()
    thresholds = ranked[last]
    if thresholds[0] > 0:
        thresholds = np.insert(thresholds, 0, 0.0)
        true_rate, false_rate = np.insert(true_rate, 0, 0.0), np.insert(false_rate, 0, 0.0)
    kept = _spread(true_rate + false_rate)
    return [
        {"threshold": float(t), "false_match_rate": float(f), "true_match_rate": float(r)}
        for t, f, r in zip(thresholds[kept], false_rate[kept], true_rate[kept], strict=True)
    ]


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


def _spread(along: Floats) -> NDArray[np.intp]:
    """Return the indexes of up to `POINTS` entries at even steps of a rising sequence."""
    if len(along) <= POINTS:
        return np.arange(len(along))
    steps = np.linspace(along[0], along[-1], POINTS)
    kept = np.searchsorted(along, steps)
    return np.unique(np.clip(np.append(kept, [0, len(along) - 1]), 0, len(along) - 1))[:]
