"""The curves of an evaluation, by hand and against the metrics of the library."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flask import Flask

from app.evaluations.bins import drawn_bins
from app.evaluations.curves import (
    POINTS,
    accuracy_above,
    det_points,
    distance_histogram,
    operating_points,
    rates_at,
    roc_points,
)
from app.evaluations.figures import build_figures
from app.evaluations.links import PairLinks
from app.evaluations.results import Curves
from app.explorer.routes import blueprint
from compute.verification import true_accept_rate

GENUINE = np.array([True, True, True, False, False, False])
DISTANCES = np.array([0.1, 0.3, 0.6, 0.5, 0.8, 0.9])


def many(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    genuine = np.arange(count) % 2 == 0
    distances = np.clip(random.normal(np.where(genuine, 0.5, 1.0), 0.18), 0, 2)
    return distances, genuine


def test_det_by_hand() -> None:
    points = [
        (point["threshold"], point["false_match_rate"], point["false_non_match_rate"])
        for point in det_points(DISTANCES, GENUINE)
    ]
    third = pytest.approx(1 / 3)
    assert points == [
        (0.0, 0, 1),
        (0.1, 0, pytest.approx(2 / 3)),
        (0.3, 0, third),
        (0.5, third, third),
        (0.6, third, 0),
        (0.8, pytest.approx(2 / 3), 0),
        (0.9, 1, 0),
    ]


def test_det_and_roc_are_the_same_rates_and_bounded() -> None:
    distances, genuine = many(5000)
    det, roc = det_points(distances, genuine), roc_points(distances, genuine)

    assert len(det) <= POINTS
    assert len(roc) <= POINTS
    for point in det:
        rates = rates_at(distances, genuine, point["threshold"])
        assert point["false_match_rate"] == rates["false_match_rate"]
        assert point["false_non_match_rate"] == pytest.approx(1 - (rates["true_match_rate"] or 0))
    # on logarithmic axes the steps are even: also the smallest rate met is there
    smallest = min(p["false_match_rate"] for p in det if p["false_match_rate"] > 0)
    assert smallest == pytest.approx(1 / np.count_nonzero(~genuine), rel=2)


@pytest.mark.parametrize("count", [50, 300, 3000])
def test_operating_points_are_the_metrics(count: int) -> None:
    distances, genuine = many(count)
    for point in operating_points(distances, genuine):
        far = point["far"]
        assert far is not None
        assert point["true_match_rate"] == true_accept_rate(distances, genuine, far=far)
        if point["threshold"] is not None:
            assert rates_at(distances, genuine, point["threshold"]) == {
                "false_match_rate": point["false_match_rate"],
                "true_match_rate": point["true_match_rate"],
            }
            assert (point["false_match_rate"] or 0) <= far


def test_where_the_nearest_are_impostors_nothing_is_accepted() -> None:
    distances = np.array([0.5] + [0.1] * 5 + [0.9] * 5)
    (tenth, *_rest) = operating_points(distances, np.arange(11) == 0)

    assert tenth == {
        "far": 0.1,
        "threshold": None,
        "false_match_rate": 0.0,
        "true_match_rate": 0.0,
    }


def test_accuracy_of_the_pairs_kept_by_hand() -> None:
    confidence = np.array([0.5, 0.75, 0.75, 1.0])
    points = accuracy_above(confidence, np.array([False, True, False, True]))

    by_confidence = {point["confidence"]: point for point in points}
    assert len(points) == 51
    assert by_confidence[0.5] == {"confidence": 0.5, "count": 4, "share": 1, "accuracy": 0.5}
    assert by_confidence[0.51]["accuracy"] == pytest.approx(2 / 3)
    assert by_confidence[0.75]["count"] == 3
    assert by_confidence[0.76] == {"confidence": 0.76, "count": 1, "share": 0.25, "accuracy": 1}


def test_the_drawn_bins_hold_every_pair() -> None:
    distances, genuine = many(500)
    bins = drawn_bins(distance_histogram(distances, genuine))

    assert sum(each.genuine for each in bins) == np.count_nonzero(genuine)
    assert bins[0].low <= distances.min()
    assert distances.max() <= bins[-1].high
    for each in bins:
        inside = (distances >= each.low) & (distances < each.high)
        assert each.impostor == np.count_nonzero(inside & ~genuine)


def test_an_empty_evaluation_has_curves_and_figures() -> None:
    nothing, none = np.empty(0), np.empty(0, dtype=bool)
    histogram = distance_histogram(nothing, none)
    curves = Curves(
        distance_histogram=histogram,
        roc=roc_points(nothing, none),
        det=det_points(nothing, none),
        operating_points=operating_points(nothing, none),
        fold_points=[],
        confidence={"distance": [], "folds": []},
        reliability=[],
        accuracy_above=accuracy_above(nothing, none),
    )

    figures = build_figures(curves, drawn_bins(histogram), PairLinks("a", "b"))

    assert list(figures) == ["confidence"]
    json.dumps(curves.to_dict(), allow_nan=False)


def test_links_name_their_end_where_the_range_is_closed() -> None:
    site = Flask(__name__)
    site.register_blueprint(blueprint)
    links = PairLinks("lfw", "a b")

    with site.test_request_context():
        assert "a+b.distance__lte=2" in links.distances(1.98, 2.0, genuine=False)
        assert "a+b.distance__lt=0.52" in links.distances(0.5, 0.52, genuine=True)
        assert "confidence__lt" not in links.confidences(0.95, 1.0)
