"""The confidence curve of a fold, from its stored parameters."""

from __future__ import annotations

from math import exp

from app.models import FoldScore


def sigmoid_at(fold: FoldScore, distance: float) -> float:
    """Return c(d) of a fold (eq. 2), clipped to [0, 1]: how genuine a distance looks."""
    # The exponent is bounded: beyond 500 the sigmoid is 0 or 1 to the last digit.
    exponent = min(500.0, max(-500.0, -fold.k * (distance - fold.d0)))
    return min(1.0, max(0.0, fold.L / (1 + exp(exponent)) + fold.b))


def confidence_at(fold: FoldScore, distance: float) -> float:
    """Return the C-Score of a fold at a distance (eq. 2 and 3), clipped to [0.5, 1]."""
    c = sigmoid_at(fold, distance)
    return min(1.0, max(0.5, c if distance <= fold.threshold else 1 - c))
