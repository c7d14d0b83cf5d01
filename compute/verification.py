"""Metrics of a verification run: accuracy by fold, EER, AUC, TAR at FAR, ECE.

Pure functions of distances and labels, or of confidences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.cscore import CrossValidation, cross_validate

CALIBRATION_BINS: Final = 10
"""Bins of the calibration error on [0.5, 1]."""


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
    tar_at_far_1e2, tar_at_far_1e3
        True accept rate at a false accept rate of at most 1e-2 and 1e-3 (``true_accept_rate``).
    ece
        Expected calibration error of the confidence (``expected_calibration_error``).
    """

    accuracy: float
    accuracy_std: float
    threshold_mean: float
    eer: float
    auc: float
    confidence_right: float | None
    confidence_wrong: float | None
    tar_at_far_1e2: float | None
    tar_at_far_1e3: float | None
    ece: float


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
        tar_at_far_1e2=true_accept_rate(distances, genuine, far=1e-2),
        tar_at_far_1e3=true_accept_rate(distances, genuine, far=1e-3),
        ece=expected_calibration_error(validation.confidence, correct),
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


def true_accept_rate(
    distances: NDArray[np.float64], genuine: NDArray[np.bool_], *, far: float
) -> float | None:
    """Return the share of genuine pairs accepted where few impostors are: TAR at FAR.

    The threshold is the largest observed distance (of either label) at which the share of all
    impostor pairs with ``d <= t`` is at most ``far``; nothing is interpolated. Where even the
    smallest observed distance accepts more, nothing may be accepted, and the rate is 0. The
    threshold is one for all folds, as in the protocol of IJB-A (Klare et al., CVPR 2015).

    Parameters
    ----------
    distances
        (N,) float64 in [0, 2].
    genuine
        (N,) bool.
    far
        False accept rate in (0, 1).

    Returns
    -------
    float or None
        In [0, 1]; None where the pairs cannot resolve the rate: fewer than 1 / ``far`` impostors
        (a single one accepted would already be too many), or no genuine pair.
    """
    near, impostor = np.sort(distances[genuine]), np.sort(distances[~genuine])
    if not near.size or impostor.size * far < 1 - 1e-9:
        return None
    candidates = np.unique(distances)
    # Rates are compared, not counts: far * N may fall just below a whole number.
    false_accept = np.searchsorted(impostor, candidates, side="right") / impostor.size
    allowed = candidates[false_accept <= far]
    if not allowed.size:
        return 0.0
    return float(np.searchsorted(near, allowed[-1], side="right") / near.size)


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> float:
    """Return the ECE: how far confidence is from accuracy, on average over the pairs.

    Ten bins of equal width on [0.5, 1], each with its lower edge, the last with 1 too. The
    absolute difference of the share of right predictions and the mean confidence in a bin is
    weighted by the share of pairs in it (Naeini et al., AAAI 2015; Guo et al., ICML 2017, there on
    [0, 1]: the confidence of a binary prediction is at least 0.5).

    Parameters
    ----------
    confidence
        (N,) float64 in [0.5, 1]; N > 0.
    correct
        (N,) bool.

    Returns
    -------
    float
        In [0, 1].
    """
    edges = np.linspace(0.5, 1.0, CALIBRATION_BINS + 1)
    places = np.searchsorted(edges, confidence, side="right") - 1
    places = np.clip(places, 0, CALIBRATION_BINS - 1)
    # share * |accuracy - mean| is |sum of right - sum of confidence| / N
    gaps = np.bincount(places, correct - confidence, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None
