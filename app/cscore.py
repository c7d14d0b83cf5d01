"""The confidence of a fold at any distance, from its stored parameters (eq. 2 and 3)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


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


def sigmoid_at(fold: Fitted, distances: ArrayLike) -> Floats:
    """Return c(d) of eq. (2), clipped to [0, 1]: the fitted share of genuine pairs."""
    # The exponent is bounded: beyond 500 the sigmoid is 0 or 1 to the last digit.
    exponent = np.clip(-fold.k * (np.asarray(distances, np.float64) - fold.d0), -500, 500)
    return np.clip(fold.L / (1 + np.exp(exponent)) + fold.b, 0, 1)


def confidence_at(fold: Fitted, distances: ArrayLike) -> Floats:
    """Return the C-Score of eq. (3), clipped to [0.5, 1]."""
    c = sigmoid_at(fold, distances)
    return np.clip(np.where(np.asarray(distances) <= fold.threshold, c, 1 - c), 0.5, 1)
