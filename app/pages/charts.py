"""Small charts as SVG paths; the templates draw, these functions only place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from app.models import FoldScore


@dataclass(frozen=True)
class Curve:
    """The C-Score of one fold as two SVG paths, left and right of its threshold."""

    fold: int
    genuine: str
    impostor: str


def confidence_at(fold: FoldScore, distance: float) -> float:
    """Return the C-Score of a fold at a distance (eq. 2 and 3), clipped to [0.5, 1]."""
    # The exponent is bounded: beyond 500 the sigmoid is 0 or 1 to the last digit.
    exponent = min(500.0, max(-500.0, -fold.k * (distance - fold.d0)))
    c = min(1.0, max(0.0, fold.L / (1 + exp(exponent)) + fold.b))
    return min(1.0, max(0.5, c if distance <= fold.threshold else 1 - c))


def confidence_curves(
    folds: Sequence[FoldScore], *, width: float = 640, height: float = 160, points: int = 200
) -> list[Curve]:
    """Place the C-Score of every fold over the distances [0, 2]; up is sure."""

    def path(fold: FoldScore, start: float, stop: float) -> str:
        steps = [start + (stop - start) * i / points for i in range(points + 1)]
        # The right branch starts just above the threshold, where the prediction changes.
        steps = [d if stop <= fold.threshold else max(d, fold.threshold + 1e-9) for d in steps]
        places = (
            f"{d / 2 * width:.1f},{height - (confidence_at(fold, d) - 0.5) * 2 * height:.1f}"
            for d in steps
        )
        return "M" + "L".join(places)

    return [
        Curve(fold.fold, path(fold, 0.0, fold.threshold), path(fold, fold.threshold, 2.0))
        for fold in folds
    ]
