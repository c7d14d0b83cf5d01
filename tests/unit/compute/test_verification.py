"""Metrics against cases by hand and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compute.verification import area_under_roc, equal_error_rate, verify


def labelled(
    genuine: list[float], impostor: list[float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    labels = np.array([True] * len(genuine) + [False] * len(impostor))
    return np.array([*genuine, *impostor]), labels


@pytest.mark.parametrize(
    ("genuine", "impostor", "eer", "auc"),
    [
        ([0.1, 0.2], [0.8, 0.9], 0.0, 1.0),
        ([0.8, 0.9], [0.1, 0.2], 1.0, 0.0),
        ([0.5, 0.5], [0.5, 0.5], 0.5, 0.5),
        ([0.1, 0.2, 0.3, 0.7], [0.4, 0.8, 0.9, 1.0], 0.25, 15 / 16),
        ([0.1, 0.5], [0.5, 0.9], 0.25, 7 / 8),
    ],
)
def test_cases_by_hand(genuine: list[float], impostor: list[float], eer: float, auc: float) -> None:
    distances, labels = labelled(genuine, impostor)
    assert equal_error_rate(distances, labels) == pytest.approx(eer)
    assert area_under_roc(distances, labels) == pytest.approx(auc)


some = st.lists(st.integers(0, 20).map(lambda n: n / 10), min_size=1, max_size=20)


@given(some, some)
def test_auc_is_the_share_of_pairs_in_order(genuine: list[float], impostor: list[float]) -> None:
    wins = sum((g < i) + (g == i) / 2 for g in genuine for i in impostor)
    expected = wins / (len(genuine) * len(impostor))
    assert area_under_roc(*labelled(genuine, impostor)) == pytest.approx(expected)


@given(some, some)
def test_eer_is_where_both_rates_are_nearest(genuine: list[float], impostor: list[float]) -> None:
    rates = [
        (sum(i <= t for i in impostor) / len(impostor), sum(g > t for g in genuine) / len(genuine))
        for t in sorted({*genuine, *impostor})
    ]
    gap = min(abs(match - non_match) for match, non_match in rates)
    nearest = {
        round((match + non_match) / 2, 9)
        for match, non_match in rates
        if abs(abs(match - non_match) - gap) < 1e-9
    }
    assert round(equal_error_rate(*labelled(genuine, impostor)), 9) in nearest


def test_every_fold_is_judged_by_the_others() -> None:
    random = np.random.default_rng(0)
    genuine = np.tile([True, False], 500)
    folds = np.arange(1000) * 10 // 1000
    distances = np.clip(np.where(genuine, 0.5, 1.0) + random.normal(0, 0.12, 1000), 0, 2)
    result = verify(distances, genuine, folds)
    right = result.correct
    assert set(result.fold_accuracy) == set(range(10))
    for fold, accuracy in result.fold_accuracy.items():
        own = folds == fold
        assert accuracy == pytest.approx(right[own].mean())
        threshold = result.validation.folds[fold].threshold
        assert (result.validation.threshold[own] == threshold).all()
        assert np.array_equal(right[own], (distances[own] <= threshold) == genuine[own])
    metrics = result.metrics
    accuracies = list(result.fold_accuracy.values())
    assert metrics.accuracy == pytest.approx(np.mean(accuracies))
    assert metrics.accuracy_std == pytest.approx(np.std(accuracies))
    assert metrics.threshold_mean == pytest.approx(
        np.mean([score.threshold for score in result.validation.folds.values()])
    )
    confidence = result.validation.confidence
    assert ((confidence >= 0.5) & (confidence <= 1)).all()
    assert metrics.confidence_right == pytest.approx(confidence[right].mean())
    assert metrics.confidence_wrong == pytest.approx(confidence[~right].mean())
    assert metrics.confidence_right is not None
    assert metrics.confidence_wrong is not None
    assert metrics.confidence_right > metrics.confidence_wrong + 0.05


def test_without_wrong_predictions_there_is_no_mean_of_them() -> None:
    genuine = np.tile([True, False], 100)
    spread = np.tile(np.linspace(0, 0.3, 20), 10)
    result = verify(np.where(genuine, 0.2, 1.2) + spread, genuine, np.arange(200) * 10 // 200)
    assert result.metrics.accuracy == 1
    assert result.metrics.confidence_wrong is None
    assert result.metrics.confidence_right is not None
