"""The curves of an evaluation's page say what the library says."""

from __future__ import annotations

import numpy as np
import pytest

from app.cscore import confidence_at
from app.models import FoldScore
from compute.cscore import CScore


@pytest.mark.parametrize("k", [-24.0, -0.5, -1e6])
def test_the_curve_is_the_library_s_confidence(k: float) -> None:
    fold = FoldScore(fold=0, threshold=0.62, L=0.98, d0=0.64, k=k, b=0.02)
    score = CScore(threshold=0.62, L=0.98, d0=0.64, k=k, b=0.02, status="ok")

    for d in np.linspace(0, 2, 41):
        assert confidence_at(fold, float(d)) == pytest.approx(float(score.confidence(float(d))))
