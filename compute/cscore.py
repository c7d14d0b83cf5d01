"""The confidence score, C-Score (eq. 2 and 3), fitted and applied fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

DISTANCE_RANGE: Final = (0.0, 2.0)
MIN_PAIRS: Final = 20
MIN_FILLED_BINS: Final = 5
START_SLOPE: Final = -20.0
"""Start of k: the published code's; L = 1, d0 = t and b = 0 start beside it."""
FALLBACK_SLOPES: Final = (-200.0, -1.0)

FitStatus = Literal["ok", "few_pairs", "few_bins", "no_convergence", "not_decreasing"]


@dataclass(frozen=True)
class CScore:
    """Threshold and confidence curve of one fold.

    Attributes
    ----------
    threshold
        t: ``d <= t`` predicts genuine.
    L, d0, k, b
        Parameters of c(d) = L / (1 + exp(-k (d - d0))) + b (eq. 2).
    status
        ``ok``, or why the fallback was used: ``few_pairs``, ``few_bins``, ``no_convergence`` or
        ``not_decreasing``.
    """

    threshold: float
    L: float
    d0: float
    k: float
    b: float
    status: FitStatus

    @overload
    def confidence(self, distance: float) -> float: ...
    @overload
    def confidence(self, distance: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def confidence(self, distance: Any) -> Any:
        """Return C (eq. 3) in [0.5, 1] for one distance or an array of them.

        c is clipped to [0, 1] first; C = c up to the threshold and 1 - c above it. ``ValueError``
        for a distance that is not finite.
        """
        d = _finite(distance)
        c = np.clip(_logistic(d, self.L, self.d0, self.k, self.b), 0.0, 1.0)
        result = np.clip(np.where(d <= self.threshold, c, 1.0 - c), 0.5, 1.0)
        return float(result) if result.ndim == 0 else result

    @overload
    def predict(self, distance: float) -> bool: ...
    @overload
    def predict(self, distance: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def predict(self, distance: Any) -> Any:
        """Return whether the prediction is genuine, for one distance or an array of them.

        ``ValueError`` for a distance that is not finite.
        """
        result = _finite(distance) <= self.threshold
        return bool(result) if result.ndim == 0 else result


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation says of each pair, and the fit of each fold.

    Attributes
    ----------
    threshold, confidence
        (N,) float64: of the pair's own fold, fitted on the other folds.
    prediction
        (N,) bool: True is genuine.
    folds
        The ``CScore`` of each fold.
    """

    threshold: NDArray[np.float64]
    prediction: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    folds: dict[int, CScore]


def _finite(distance: ArrayLike) -> NDArray[np.float64]:
    d = np.asarray(distance, dtype=np.float64)
    if not np.isfinite(d).all():
        raise ValueError("distance is not finite: expected 0 to 2.")
    return d


def _logistic(
    d: NDArray[np.float64], L: float, d0: float, k: float, b: float
) -> NDArray[np.float64]:
    """Return eq. (2); the exponent is bounded so that a steep curve does not overflow."""
    return L / (1.0 + np.exp(np.clip(-k * (d - d0), -700.0, 700.0))) + b


def best_threshold(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Return the observed distance of highest accuracy for ``d <= t``, the smallest on ties."""
    order = np.argsort(distances, kind="stable")
    ordered, label = distances[order], genuine[order]
    # right[i]: genuine pairs up to i, and impostors after it
    right = np.cumsum(label) + np.count_nonzero(~label) - np.cumsum(~label)
    last_of_value = np.append(ordered[1:] != ordered[:-1], True)
    candidates = np.flatnonzero(last_of_value)
    return float(ordered[candidates[np.argmax(right[candidates])]])


def fit_cscore(distances: ArrayLike, genuine: ArrayLike, *, bins: int = 400) -> CScore:
    """Fit threshold and confidence curve on training pairs (paper, section 3.1).

    The ratio of genuine counts g / (g + i) in ``bins`` equal bins on [0, 2], at the bin centres,
    with empty bins 1 up to the threshold and 0 above, is fitted by eq. (2) with SciPy's dogbox,
    started at L = 1, d0 = t, k = -20, b = 0 (another start moves the fourth digit).

    A fit that fails or does not decrease, or that has fewer than 20 pairs of a label or fewer than
    5 filled bins, falls back to a logistic regression of the labels on the distance with Platt's
    smoothed targets (J. Platt, 1999): L = 1, b = 0, k bounded to [-200, -1] and d0 to [0, 2]. It
    always exists, always decreases, and ``status`` says why it was used.

    Parameters
    ----------
    distances
        (N,) in [0, 2].
    genuine
        (N,) bool, or 0 and 1.
    bins
        Number of bins, 2 or more.

    Raises
    ------
    ValueError
        For no pairs, other shapes, or distances outside [0, 2].
    """
    d, label = _checked_pairs(distances, genuine)
    if d.size == 0:
        raise ValueError("no training pairs: a C-Score needs at least one.")
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 2:
        raise ValueError(f"bins={bins!r}: expected a whole number from 2 on.")
    t = best_threshold(d, label)
    genuine_count, edges = np.histogram(d[label], bins=bins, range=DISTANCE_RANGE)
    impostor_count, _ = np.histogram(d[~label], bins=bins, range=DISTANCE_RANGE)
    filled = genuine_count + impostor_count
    if min(np.count_nonzero(label), np.count_nonzero(~label)) < MIN_PAIRS:
        return _fallback(d, label, t, "few_pairs")
    if np.count_nonzero(filled) < MIN_FILLED_BINS:
        return _fallback(d, label, t, "few_bins")
    centres = (edges[:-1] + edges[1:]) / 2
    ratio = np.where(filled > 0, genuine_count / np.maximum(filled, 1), centres <= t)
    parameters = _fit_dogbox(centres, ratio, t)
    if parameters is None:
        return _fallback(d, label, t, "no_convergence")
    # What counts is the curve as it is used: clipped to [0, 1]
    start, end = np.clip(_logistic(np.array(DISTANCE_RANGE), *parameters), 0.0, 1.0)
    if not start > end:
        return _fallback(d, label, t, "not_decreasing")
    return CScore(t, *parameters, status="ok")


def _fit_dogbox(
    centres: NDArray[np.float64], ratio: NDArray[np.float64], t: float
) -> tuple[float, float, float, float] | None:
    """Return L, d0, k, b of eq. (2), or None where the fit does not converge."""
    # Loaded here: the site imports this package for its maps and must not load SciPy.
    import warnings

    from scipy.optimize import OptimizeWarning, curve_fit

    with warnings.catch_warnings():
        # Only the covariance can be undetermined; the parameters are checked below.
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found, _ = curve_fit(
                _logistic, centres, ratio, p0=(1.0, t, START_SLOPE, 0.0), method="dogbox"
            )
        except (RuntimeError, ValueError, np.linalg.LinAlgError):
            return None
    if not np.isfinite(found).all():
        return None
    L, d0, k, b = (float(value) for value in found)
    return L, d0, k, b


def _fallback(
    d: NDArray[np.float64], label: NDArray[np.bool_], t: float, status: FitStatus
) -> CScore:
    from scipy.optimize import minimize

    positives, negatives = np.count_nonzero(label), np.count_nonzero(~label)
    # Platt's targets: never exactly 0 or 1, so that separable pairs have a finite slope
    target = np.where(label, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        d0, k = parameters
        z = k * (d - d0)
        return float(np.sum(np.logaddexp(0.0, z) - target * z))

    found = minimize(
        loss, (t, START_SLOPE), method="L-BFGS-B", bounds=(DISTANCE_RANGE, FALLBACK_SLOPES)
    )
    d0, k = (float(value) for value in found.x)
    return CScore(t, 1.0, d0, k, 0.0, status)


def cross_validate(
    distances: ArrayLike, genuine: ArrayLike, folds: ArrayLike, *, bins: int = 400
) -> CrossValidation:
    """Judge every pair by the C-Score fitted on the other folds (paper, section 3.1).

    Parameters
    ----------
    distances, genuine
        As for ``fit_cscore``.
    folds
        (N,) whole numbers: the fold of each pair.
    bins
        As for ``fit_cscore``.

    Raises
    ------
    ValueError
        For other shapes, distances outside [0, 2], or fewer than two folds.
    """
    d, label = _checked_pairs(distances, genuine)
    fold = np.asarray(folds)
    if fold.shape != d.shape or not np.issubdtype(fold.dtype, np.integer):
        raise ValueError(
            f"folds are {fold.dtype} of shape {fold.shape}, expected whole numbers of {d.shape}."
        )
    names = np.unique(fold).tolist()
    if len(names) < 2:
        raise ValueError(f"{len(names)} fold(s) given: cross-validation needs two or more.")
    threshold, confidence = np.empty_like(d), np.empty_like(d)
    prediction = np.empty(d.shape, dtype=np.bool_)
    scores: dict[int, CScore] = {}
    for name in names:
        held_out = fold == name
        score = fit_cscore(d[~held_out], label[~held_out], bins=bins)
        scores[name] = score
        threshold[held_out] = score.threshold
        prediction[held_out] = score.predict(d[held_out])
        confidence[held_out] = score.confidence(d[held_out])
    return CrossValidation(threshold, prediction, confidence, scores)


def _checked_pairs(
    distances: ArrayLike, genuine: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    d = np.asarray(distances, dtype=np.float64)
    label = np.asarray(genuine)
    if d.ndim != 1 or label.shape != d.shape:
        raise ValueError(f"distances {d.shape} and labels {label.shape}: expected (N,) for both.")
    if not np.isin(label, (0, 1)).all():
        raise ValueError("labels: expected only True and False, or 1 and 0.")
    outside = np.flatnonzero(~((d >= DISTANCE_RANGE[0]) & (d <= DISTANCE_RANGE[1])))
    if outside.size:
        raise ValueError(f"distance {outside[0]} is {d[outside[0]]}: expected 0 to 2.")
    return d, label.astype(np.bool_)
