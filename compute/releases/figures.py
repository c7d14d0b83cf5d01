"""Whether what a release states of its scores follows from them: every figure is made again.

The site shows these figures beside those of its own runs, so a release is not taken at its word.
What was stored twice must be the same; what was computed may differ by `TOLERANCE`, since sums in
another order and another processor's exponential differ in the last places.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.cscore import CScore
from compute.errors import ReleaseError
from compute.releases.layout import FOLDS, MANIFEST, PAIRS, SCORES
from compute.releases.manifest import Manifest
from compute.verification import (
    area_under_roc,
    equal_error_rate,
    expected_calibration_error,
    true_accept_rate,
)

TOLERANCE: Final = 1e-9
"""Absolute; distances, confidences, rates and shares are all of the order of 1."""

Columns = dict[str, list[Any]]
Table = dict[str, NDArray[Any]]


class Figures:
    """The scores and folds of a release beside what it states of them.

    Parameters
    ----------
    genuine, fold
        (N,) of the pairs of ``scores``, in its order.
    scores, folds
        Columns of their tables, sound in themselves: finite, each key once.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        genuine: NDArray[np.bool_],
        fold: NDArray[np.int64],
        scores: Columns,
        folds: Columns,
    ) -> None:
        self._folder = folder
        self._name = f"{manifest.model['name']} on {manifest.dataset['name']}"
        self._stated = manifest.evaluation
        self._genuine, self._fold = genuine, fold
        self._scores: Table = {name: np.array(values) for name, values in scores.items()}
        self._folds: Table = {name: np.array(values) for name, values in folds.items()}

    def check(self) -> None:
        """Make every figure again.

        Raises
        ------
        ReleaseError
            For the first that is not as stated: it names file, evaluation, figure and both values.
        """
        if self._genuine.all() or not self._genuine.any():
            raise ReleaseError(
                f"{self._folder / SCORES.file}: {self._name} has results of "
                f"{'no' if not len(self._genuine) else 'one'} label; rates need both."
            )
        self._check_folds()
        self._check_pairs()
        self._check_accuracies()
        self._check_metrics()

    def _check_folds(self) -> None:
        present = np.unique(self._fold)
        listed = self._folds["fold"]
        if not np.array_equal(present, listed):
            raise self._contradiction(
                FOLDS.file, "folds", listed.tolist(), present.tolist(), PAIRS.file
            )

    def _check_pairs(self) -> None:
        scores = self._scores
        distance = scores["distance"]
        place = np.searchsorted(self._folds["fold"], self._fold)
        self._require_same("threshold", self._folds["threshold"][place])
        self._require_same("prediction", distance <= scores["threshold"])
        self._require_same("correct", scores["prediction"] == self._genuine)
        confidence = np.empty(len(distance))
        for row, fold in enumerate(self._folds["fold"]):
            here = self._fold == fold
            confidence[here] = self._curve(row).confidence(distance[here])
        far = np.abs(confidence - scores["confidence"]) > TOLERANCE
        self._require_none("confidence", far, confidence)

    def _check_accuracies(self) -> None:
        correct = self._scores["correct"]
        for fold, stated in zip(self._folds["fold"], self._folds["accuracy"], strict=True):
            share = float(correct[self._fold == fold].mean())
            self._require_close(FOLDS.file, f"accuracy of fold {fold}", stated, share)

    def _curve(self, row: int) -> CScore:
        numbers = {name: float(self._folds[name][row]) for name in ("threshold", *"Lkb", "d0")}
        return CScore(**numbers, status="ok")

    def _check_metrics(self) -> None:
        distance, confidence = self._scores["distance"], self._scores["confidence"]
        correct, accuracy = self._scores["correct"], self._folds["accuracy"]
        found: dict[str, float | None] = {
            "accuracy": float(accuracy.mean()),
            "accuracy_std": float(accuracy.std()),
            "threshold_mean": float(self._folds["threshold"].mean()),
            "eer": equal_error_rate(distance, self._genuine),
            "auc": area_under_roc(distance, self._genuine),
            "confidence_right": _mean(confidence[correct]),
            "confidence_wrong": _mean(confidence[~correct]),
            "tar_at_far_1e2": true_accept_rate(distance, self._genuine, far=1e-2),
            "tar_at_far_1e3": true_accept_rate(distance, self._genuine, far=1e-3),
            "ece": expected_calibration_error(confidence, correct),
        }
        for name, value in found.items():
            if name in self._stated:  # an older release does not know the newer ones
                self._require_close(MANIFEST, name, self._stated[name], value)

    def _require_same(self, column: str, found: NDArray[Any]) -> None:
        self._require_none(column, self._scores[column] != found, found)

    def _require_none(self, column: str, differs: NDArray[np.bool_], found: NDArray[Any]) -> None:
        if differs.any():
            row = int(np.argmax(differs))
            what = f"{column} of pair {self._scores['pair_id'][row]}"
            stated = self._scores[column][row].item()
            raise self._contradiction(SCORES.file, what, stated, found[row].item(), FOLDS.file)

    def _require_close(self, file: str, what: str, stated: Any, found: float | None) -> None:
        if found is None or stated is None:
            holds = found is None and stated is None
        else:
            number = isinstance(stated, int | float | np.floating) and not isinstance(stated, bool)
            holds = number and math.isclose(stated, found, rel_tol=0, abs_tol=TOLERANCE)
        if not holds:
            shown = stated.item() if isinstance(stated, np.generic) else stated
            raise self._contradiction(file, what, shown, found, SCORES.file)

    def _contradiction(
        self, file: str, what: str, stated: object, found: object, source: str
    ) -> ReleaseError:
        return ReleaseError(
            f"{self._folder / file}: {self._name}: {what} is stated as {stated!r:.200}, but "
            f"{source} gives {found!r:.200} (tolerance {TOLERANCE:g}). The release contradicts "
            "itself: fetch it again."
        )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None
