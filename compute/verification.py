"""Metrics of a verification run: accuracy by fold, EER, AUC (pure functions of distances)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compute.cscore import CrossValidation, cross_validate


@dataclass(frozen=True)
class VerificationMetrics:
    """What one model achieves on one dataset.

    Attributes
    ----------
    accuracy, accuracy_std
        Mean and population standard deviation over folds of the share of right predictions.
    threshold_mean
        Mean threshold over folds.
    eer
        Rate at which false match rate and false non-match rate are equal, in [0, 1].
    auc
        Probability that a genuine pair is nearer than an impostor pair, ties counted half.
    confidence_right, confidence_wrong
        Mean confidence of right and of wrong predictions; None where there are none.
    """

    accuracy: float
    accuracy_std: float
    threshold_mean: float
    eer: float
    auc: float
    confidence_right: float | None
    confidence_wrong: float | None


@dataclass(frozen=True)
class Verification:
    """Every pair judged, every fold fitted, and the metrics over all."""

    distances: NDArray[np.float64]
    genuine: NDArray[np.bool_]
    folds: NDArray[np.int64]
    validation: CrossValidation
    fold_accuracy: dict[int, float]
    metrics: VerificationMetrics

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) whether each prediction is right."""
        right: NDArray[np.bool_] = self.validation.prediction == self.genuine
        return right


def verify(
    distances: NDArray[np.float64], genuine: NDArray[np.bool_], folds: NDArray[np.int64]
) -> Verification:
    """Cross-validate distances over the given folds; shapes and errors as ``cross_validate``."""
    validation = cross_validate(distances, genuine, folds)
    correct = validation.prediction == genuine
    fold_accuracy = {fold: float(correct[folds == fold].mean()) for fold in validation.folds}
    accuracies = np.array(list(fold_accuracy.values()))
    thresholds = [score.threshold for score in validation.folds.values()]
    metrics = VerificationMetrics(
        accuracy=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        threshold_mean=float(np.mean(thresholds)),
        eer=equal_error_rate(distances, genuine),
        auc=area_under_roc(distances, genuine),
        confidence_right=_mean(validation.confidence[correct]),
        confidence_wrong=_mean(validation.confidence[~correct]),
    )
    return Verification(distances, genuine, folds, validation, fold_accuracy, metrics)


def equal_error_rate(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Return the EER over the observed thresholds: the mean of both rates where they are nearest.

    Both labels must occur.
    """
    candidates = np.unique(distances)
    accepted_genuine = np.searchsorted(np.sort(distances[genuine]), candidates, side="right")
    accepted_impostor = np.searchsorted(np.sort(distances[~genuine]), candidates, side="right")
    false_non_match = 1 - accepted_genuine / np.count_nonzero(genuine)
    false_match = accepted_impostor / np.count_nonzero(~genuine)
    nearest = np.argmin(np.abs(false_match - false_non_match))
    return float((false_match[nearest] + false_non_match[nearest]) / 2)


def area_under_roc(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Return the AUC as the Mann-Whitney statistic; both labels must occur."""
    impostor = np.sort(distances[~genuine])
    near = distances[genuine]
    farther = len(impostor) - np.searchsorted(impostor, near, side="right")
    ties = np.searchsorted(impostor, near, side="right") - np.searchsorted(impostor, near)
    return float((farther + ties / 2).sum() / (len(near) * len(impostor)))


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None
