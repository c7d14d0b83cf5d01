"""The confidence of a fold at any distance, from its stored parameters (eq. 2 and 3)."""

from __future__ import annotations

from math import exp
from typing import Protocol


class Fitted(Protocol):
    """Threshold and parameters of one fold, as ``FoldScore`` holds them."""

    @property
    def threshold(self) -> float: ...  # noqa: D102
    @property
    def L(self) -> float: ...  # noqa: D102
    @property
    def d0(self) -> float: ...  # noqa: D102
    @property
    def k(self) -> float: ...  # noqa: D102
    @property
    def b(self) -> float: ...  # noqa: D102


def sigmoid_at(fold: Fitted, distance: float) -> float:
    """Return c(d) of eq. (2), clipped to [0, 1]: the fitted share of genuine pairs."""
    # The exponent is bounded: beyond 500 the sigmoid is 0 or 1 to the last digit.
    exponent = min(500.0, max(-500.0, -fold.k * (distance - fold.d0)))
    return min(1.0, max(0.0, fold.L / (1 + exp(exponent)) + fold.b))


def confidence_at(fold: Fitted, distance: float) -> float:
    """Return the C-Score of eq. (3), clipped to [0.5, 1]."""
    c = sigmoid_at(fold, distance)
    return min(1.0, max(0.5, c if distance <= fold.threshold else 1 - c))
