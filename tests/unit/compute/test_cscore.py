"""The confidence score: threshold, histogram, fit, fallbacks, cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compute import CScore, cross_validate, fit_cscore
from compute.cscore import best_threshold

Vector = NDArray[np.float64]
STATUSES = {"ok", "few_pairs", "few_bins", "no_convergence", "not_decreasing"}


def overlapping(n: int = 400, seed: int = 0) -> tuple[Vector, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    genuine = np.arange(n) % 2 == 0
    distances = np.where(genuine, rng.normal(0.5, 0.15, n), rng.normal(0.95, 0.15, n))
    return np.clip(distances, 0, 2), genuine


@pytest.mark.parametrize(
    ("distances", "genuine", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.4], [1, 1, 0, 0], 0.2),
        ([0.4, 0.2, 0.3, 0.1], [0, 1, 0, 1], 0.2),  # in any order
        ([0.1, 0.2, 0.3, 0.4], [1, 0, 1, 0], 0.1),  # 0.1 and 0.3 are right of 3: the smallest
        ([0.1, 0.2, 0.2, 0.2, 0.3], [1, 1, 0, 1, 0], 0.2),  # equal distances fall together
        ([0.1, 0.2, 0.2, 0.2, 0.3], [0, 1, 0, 0, 1], 0.1),  # and never apart
        ([0.3, 0.5], [1, 1], 0.5),
        ([0.3, 0.5], [0, 0], 0.3),  # an observed distance, though a smaller one were right
        ([0.7], [True], 0.7),
        ([0.0, 2.0], [1, 0], 0.0),
    ],
)
def test_threshold_by_hand(distances: list[float], genuine: list[int], threshold: float) -> None:
    assert fit_cscore(distances, genuine).threshold == threshold


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30))
def test_threshold_is_the_smallest_of_the_most_accurate(pairs: list[tuple[int, bool]]) -> None:
    distances = [step / 6 for step, _ in pairs]
    labels = [label for _, label in pairs]
    right = {
        t: sum((d <= t) == g for d, g in zip(distances, labels, strict=True)) for t in distances
    }
    best = min(t for t in right if right[t] == max(right.values()))
    assert best_threshold(np.array(distances), np.array(labels)) == best


def test_curve_and_confidence_by_hand() -> None:
    score = CScore(threshold=0.5, L=1.0, d0=0.5, k=-10.0, b=0.0, status="ok")
    high = 1 / (1 + np.exp(-5))
    expected = [high, 0.5, 1 - 1 / (1 + np.exp(1)), high]
    np.testing.assert_allclose(score.confidence(np.array([0.0, 0.5, 0.6, 1.0])), expected)
    assert score.predict(np.array([0.0, 0.5, 0.5 + 1e-12, 1.0])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_one_distance_gives_one_value() -> None:
    score = CScore(threshold=0.5, L=1.0, d0=0.5, k=-10.0, b=0.0, status="ok")
    assert type(score.confidence(0.4)) is float
    assert type(score.predict(0.4)) is bool
    assert score.confidence(np.array([0.4])).shape == (1,)


@pytest.mark.parametrize(
    ("L", "b", "d0", "distance", "confidence"),
    [
        (3.0, 0.0, 0.5, 0.1, 1.0),  # c above 1 is clipped
        (3.0, -1.5, 0.5, 0.9, 1.0),  # c below 0 too
        (1.0, 0.0, 0.2, 0.4, 0.5),  # genuine by t, though c says 0.12: no less than 0.5
        (1.0, 0.0, 0.9, 0.6, 0.5),  # impostor by t, though c says 0.95
    ],
)
def test_clipping(L: float, b: float, d0: float, distance: float, confidence: float) -> None:
    score = CScore(threshold=0.5, L=L, d0=d0, k=-10.0, b=b, status="ok")
    assert score.confidence(distance) == confidence


def test_a_steep_curve_does_not_overflow() -> None:
    score = CScore(threshold=1.0, L=1.0, d0=1.0, k=-1e9, b=0.0, status="ok")
    np.testing.assert_array_equal(score.confidence(np.array([0.0, 2.0])), 1.0)


def captured_fit(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def fake(function: Any, x: Any, y: Any, p0: Any, method: str) -> Any:
        seen.update(x=x, y=y, p0=p0, method=method)
        return np.array(p0), np.eye(4)

    monkeypatch.setattr(scipy.optimize, "curve_fit", fake)
    return seen


def test_histogram_ratio_and_empty_bins_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captured_fit(monkeypatch)
    # Ten bins of 0.2; what is in them: (distance, genuine, impostors). 0, 3, 7 and 8 are empty.
    counts = [(0.3, 30, 0), (0.5, 3, 1), (0.9, 10, 0), (1.1, 1, 4), (1.3, 0, 30), (2.0, 0, 1)]
    distances = np.concatenate([np.full(g + i, d) for d, g, i in counts])
    labels = np.concatenate([np.repeat([True, False], [g, i]) for _, g, i in counts])
    score = fit_cscore(distances, labels, bins=10)
    assert score.threshold == 0.9
    np.testing.assert_allclose(seen["x"], [0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9])
    # empty: 1 at 0.1 and 0.7, up to the threshold; 0 at 1.5 and 1.7, above it
    np.testing.assert_allclose(seen["y"], [1, 1, 0.75, 1, 1, 0.2, 0, 0, 0, 0])
    assert seen["method"] == "dogbox"
    assert score.status == "ok"


def test_400_bins_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captured_fit(monkeypatch)
    fit_cscore(*overlapping())
    assert len(seen["x"]) == 400
    assert seen["x"][0] == pytest.approx(0.0025)
    assert seen["x"][-1] == pytest.approx(1.9975)


def test_a_good_fit_says_how_sure_it_is() -> None:
    score = fit_cscore(*overlapping(4000))
    assert score.status == "ok"
    assert 0.65 < score.threshold < 0.8
    assert score.confidence(0.2) > 0.98
    assert score.confidence(1.4) > 0.98
    assert score.confidence(score.threshold) < 0.75
    c = score.confidence(np.linspace(0, 2, 101))
    assert ((c >= 0.5) & (c <= 1)).all()


def test_separable_pairs() -> None:
    genuine = np.arange(200) < 100
    distances = np.where(genuine, np.linspace(0.1, 0.6, 200), np.linspace(0.9, 1.6, 200))
    score = fit_cscore(distances, genuine)
    assert score.status == "ok"
    assert score.threshold == distances[genuine].max()
    np.testing.assert_allclose(score.confidence(distances[[0, 50, 150, 199]]), 1, atol=1e-3)


@pytest.mark.parametrize(("impostors", "status"), [(19, "few_pairs"), (20, "ok")])
def test_20_pairs_of_a_label_are_enough(impostors: int, status: str) -> None:
    distances = np.concatenate([np.linspace(0.1, 0.6, 60), np.linspace(0.8, 1.4, impostors)])
    genuine = np.arange(len(distances)) < 60
    assert fit_cscore(distances, genuine).status == status
    assert fit_cscore(2 - distances, ~genuine).status == status


@pytest.mark.parametrize(
    ("places", "status"), [([0.2, 0.3, 0.7, 0.8], "few_bins"), ([0.2, 0.3, 0.7, 0.8, 0.9], "ok")]
)
def test_5_filled_bins_are_enough(places: list[float], status: str) -> None:
    distances = np.repeat(places, 30)
    assert fit_cscore(distances, distances < 0.5).status == status


@pytest.mark.parametrize("error", [RuntimeError("maxfev"), ValueError("residuals")])
def test_a_fit_that_fails_falls_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(scipy.optimize, "curve_fit", fail)
    assert_usable(fit_cscore(*overlapping()), "no_convergence")


def test_a_fit_that_is_not_finite_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.array([1.0, np.nan, -1.0, 0.0])
    monkeypatch.setattr(scipy.optimize, "curve_fit", lambda *_, **__: (found, np.eye(4)))
    assert_usable(fit_cscore(*overlapping()), "no_convergence")


def test_reversed_labels_do_not_decrease() -> None:
    distances = np.linspace(0, 2, 400)
    score = fit_cscore(distances, distances > 1)
    assert score.status == "not_decreasing"
    assert score.k < 0


def assert_usable(score: CScore, status: str) -> None:
    """The fallback as documented: it decreases, is finite, and here it knows its way."""
    assert score.status == status
    assert (score.L, score.b) == (1.0, 0.0)
    assert -200 <= score.k <= -1
    assert 0 <= score.d0 <= 2
    assert score.confidence(0.1) > 0.9
    assert score.confidence(1.5) > 0.9
    assert score.confidence(0.72) < 0.8


@pytest.mark.parametrize("status", ["few_pairs", "few_bins"])
def test_the_fallback_is_usable(status: str) -> None:
    distances, genuine = overlapping(38)
    if status == "few_bins":
        distances = np.repeat([0.3, 0.7, 0.75, 1.1], 20)
        genuine = np.repeat([True, True, False, False], 20)
    assert_usable(fit_cscore(distances, genuine), status)


@pytest.mark.parametrize("label", [True, False])
def test_one_label_alone_still_gives_a_score(label: bool) -> None:
    distances = np.linspace(0.2, 1.2, 50)
    score = fit_cscore(distances, np.full(50, label))
    assert score.status == "few_pairs"
    c = score.confidence(np.linspace(0, 2, 50))
    assert ((c >= 0.5) & (c <= 1)).all()


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(4, 160),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(0.0005, 0.7),
    st.integers(1, 3),
)
def test_never_a_nan_never_silence(
    seed: int, n: int, near: float, far: float, spread: float, digits: int
) -> None:
    rng = np.random.default_rng(seed)
    genuine = rng.random(n) < rng.random()
    centre = np.where(genuine, near, far)
    distances = np.round(np.clip(rng.normal(centre, spread), 0, 2), digits)
    folds = np.arange(n) % int(rng.integers(2, 4))
    result = cross_validate(distances, genuine, folds)
    assert np.isfinite(result.threshold).all()
    assert ((result.confidence >= 0.5) & (result.confidence <= 1)).all()
    assert result.prediction.tolist() == (distances <= result.threshold).tolist()
    for score in result.folds.values():
        assert score.status in STATUSES
        assert np.isfinite([score.threshold, score.L, score.d0, score.k, score.b]).all()
        drop = score.L * -score.k
        assert drop > 0, "every curve decreases, the fallback's too"


def test_each_fold_is_judged_by_the_others() -> None:
    distances, genuine = overlapping()
    folds = np.arange(len(distances)) // 2 % 4 + 3
    result = cross_validate(distances, genuine, folds)
    assert sorted(result.folds) == [3, 4, 5, 6]
    assert all(type(name) is int for name in result.folds)
    for name, score in result.folds.items():
        own = folds == name
        assert score == fit_cscore(distances[~own], genuine[~own])
        np.testing.assert_array_equal(result.threshold[own], score.threshold)
        np.testing.assert_array_equal(result.confidence[own], score.confidence(distances[own]))
        np.testing.assert_array_equal(result.prediction[own], score.predict(distances[own]))


def test_a_folds_own_labels_do_not_reach_its_own_fit() -> None:
    distances, genuine = overlapping()
    folds = np.arange(len(distances)) // 2 % 4
    before = cross_validate(distances, genuine, folds)
    own = folds == 2
    after = cross_validate(distances, genuine ^ own, folds)
    assert after.folds[2] == before.folds[2]
    np.testing.assert_array_equal(after.confidence[own], before.confidence[own])
    assert after.folds[1] != before.folds[1]


def test_the_order_of_pairs_does_not_matter() -> None:
    distances, genuine = overlapping()
    folds = np.arange(len(distances)) // 2 % 4
    order = np.random.default_rng(0).permutation(len(distances))
    straight = cross_validate(distances, genuine, folds)
    shuffled = cross_validate(distances[order], genuine[order], folds[order])
    np.testing.assert_array_equal(shuffled.confidence, straight.confidence[order])


def test_bins_reach_the_fit() -> None:
    distances, genuine = overlapping()
    folds = np.arange(len(distances)) // 2 % 4
    coarse = cross_validate(distances, genuine, folds, bins=20)
    assert coarse.folds[0] == fit_cscore(distances[folds != 0], genuine[folds != 0], bins=20)


@pytest.mark.parametrize(
    ("distances", "genuine", "shown"),
    [
        ([], [], "no training pairs"),
        ([0.1, 0.2], [1], r"\(2,\) and labels \(1,\)"),
        ([[0.1]], [[1]], r"\(1, 1\)"),
        ([0.1, 2.1], [1, 0], "distance 1 is 2.1"),
        ([0.1, -0.1], [1, 0], "distance 1 is -0.1"),
        ([np.nan, 0.1], [1, 0], "distance 0 is nan"),
        ([0.1, 0.2], [1, 2], "labels"),
        ([0.1, 0.2], ["genuine", "impostor"], "labels"),
    ],
)
def test_bad_pairs_are_refused(distances: Any, genuine: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        fit_cscore(distances, genuine)


@pytest.mark.parametrize("bins", [0, 1, -400, 2.5, True, None])
def test_bad_bins_are_named(bins: Any) -> None:
    with pytest.raises(ValueError, match=f"bins={bins}"):
        fit_cscore(*overlapping(), bins=bins)


@pytest.mark.parametrize(
    ("folds", "shown"),
    [
        ([0, 0, 0, 0], "1 fold"),
        ([0, 1, 2], r"\(3,\)"),
        ([0.0, 1.0, 0.0, 1.0], "float64"),
        (["a", "b", "a", "b"], "whole numbers"),
    ],
)
def test_bad_folds_are_refused(folds: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        cross_validate([0.1, 0.2, 0.3, 0.4], [1, 1, 0, 0], folds)


def test_inputs_are_not_modified() -> None:
    distances, genuine = overlapping()
    folds = np.arange(len(distances)) % 4
    for array in (distances, genuine, folds):
        array.setflags(write=False)
    cross_validate(distances, genuine, folds)
