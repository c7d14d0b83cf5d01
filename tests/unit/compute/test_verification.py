"""Metrics against cases by hand and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compute.verification import (
    area_under_roc,
    equal_error_rate,
    expected_calibration_error,
    true_accept_rate,
    verify,
)


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


@pytest.mark.parametrize(
    ("genuine", "impostor", "far", "rate"),
    [
        # one of four impostors may be accepted: the largest threshold with that is 0.6
        ([0.1, 0.3, 0.6, 0.9], [0.2, 0.7, 0.8, 1.0], 0.25, 0.75),
        # none may: just below the nearest impostor
        ([0.1, 0.3, 0.6, 0.9], [0.2, 0.7, 0.8, 1.0], 0.2499, None),
        ([0.1, 0.3, 0.6, 0.9], [0.2, 0.7, 0.8, 1.0, 1.1], 0.2, 0.75),
        # an impostor as near as a genuine pair is accepted with it
        ([0.1, 0.2], [0.2, 0.2, 0.9, 0.9], 0.25, 0.5),
        # the two nearest are impostors at one distance: nothing may be accepted
        ([0.5], [0.1, 0.1, 0.9, 0.9], 0.25, 0.0),
        ([0.1, 0.2], [0.8, 0.9], 0.5, 1.0),
        ([], [0.8, 0.9], 0.5, None),
        ([0.5], [], 0.5, None),
    ],
)
def test_true_accept_rate_by_hand(
    genuine: list[float], impostor: list[float], far: float, rate: float | None
) -> None:
    assert true_accept_rate(*labelled(genuine, impostor), far=far) == rate


@pytest.mark.parametrize(("impostors", "known"), [(99, False), (100, True), (700, True)])
def test_a_rate_needs_enough_impostors(impostors: int, *, known: bool) -> None:
    distances, labels = labelled([0.1, 1.0], list(np.linspace(0.5, 1.5, impostors)))
    rate = true_accept_rate(distances, labels, far=1e-2)
    assert (rate is not None) == known
    # exactly one in a hundred is accepted: a product that rounds down must not lose it
    hundredth = np.sort(distances[~labels])[max(impostors // 100 - 1, 0)]
    if known:
        near = [float(hundredth), 1.6]
        assert true_accept_rate(*labelled(near, list(distances[~labels])), far=1e-2) == 0.5


@given(some, some, st.integers(1, 20))
def test_true_accept_rate_follows_its_definition(
    genuine: list[float], impostor: list[float], parts: int
) -> None:
    far = 1 / parts
    allowed = [
        t for t in {*genuine, *impostor} if sum(i <= t for i in impostor) * parts <= len(impostor)
    ]
    t = max(allowed, default=-1.0)
    expected = sum(g <= t for g in genuine) / len(genuine) if len(impostor) >= parts else None
    assert true_accept_rate(*labelled(genuine, impostor), far=far) == expected


@pytest.mark.parametrize(
    ("confidence", "correct", "error"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [True, False], 0.5),
        # one bin [0.6, 0.65): mean 0.62, half right
        ([0.61, 0.63], [True, False], 0.12),
        # two bins, three pairs in one and one in the other: (3 |2/3 - 0.9| + |0 - 0.5|) / 4
        ([0.9, 0.9, 0.9, 0.5], [True, True, False, False], (3 * (0.9 - 2 / 3) + 0.5) / 4),
        # too sure here, too unsure there: within one bin that cancels out, between bins it adds up
        ([0.52, 0.98], [True, False], 0.48 / 2 + 0.98 / 2),
    ],
)
def test_calibration_error_by_hand(
    confidence: list[float], correct: list[bool], error: float
) -> None:
    found = expected_calibration_error(np.array(confidence), np.array(correct))
    assert found == pytest.approx(error)


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
    assert metrics.tar_at_far_1e2 == true_accept_rate(distances, genuine, far=1e-2)
    assert metrics.tar_at_far_1e3 is None  # 500 impostors
    assert metrics.ece == expected_calibration_error(confidence, right)
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
