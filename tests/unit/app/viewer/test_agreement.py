"""How far maps agree, on cases that are computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from app.viewer.agreement import agreement_of, rank_correlations


def test_equal_values_share_the_middle_of_their_ranks() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
    found = rank_correlations([[0.1, 0.2, 0.2, 0.9], [5.0, 7.0, 6.0, 8.0]])

    assert found[0, 1] == pytest.approx(4.5 / np.sqrt(22.5))
    assert np.diag(found) == pytest.approx([1.0, 1.0])


def test_only_the_order_counts() -> None:
    values = np.random.default_rng(1).normal(size=(112, 112))

    found = rank_correlations([values, 1e-6 * values**3, -values])

    assert found[0] == pytest.approx([1.0, 1.0, -1.0])


def test_models_that_agree_most_come_first_and_a_flat_map_says_nothing() -> None:
    values = np.arange(12.0).reshape(3, 4)
    flat = np.zeros((3, 4))
    method = [[values, values], [-values, -values], [values, -values], [flat, flat]]

    found = agreement_of(7, ("a", "b", "c", "d"), [method])

    known = {(line.first, line.second): line.figures for line in found.lines}
    assert known["a", "b"] == pytest.approx((-1.0,))
    assert known["a", "c"] == pytest.approx((0.0,))
    assert known["c", "d"] == (None,)
    assert found.lines[-1].figures == pytest.approx((-1.0,))
    assert found.means == pytest.approx((-1 / 3,))
