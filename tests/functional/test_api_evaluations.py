"""The API's evaluations, datasets and models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Pair, Result


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return json.loads(response.text)


def test_evaluations_are_listed_by_name(demo_client: FlaskClient) -> None:
    rows = get(demo_client, "/api/v1/evaluations")["rows"]
    assert [(row["model"], row["dataset"]) for row in rows] == [
        ("first", "alpha"),
        ("first", "beta"),
        ("second", "alpha"),
        ("second", "beta"),
        ("third", "alpha"),
    ]
    assert {"accuracy", "accuracy_std", "eer", "auc", "threshold_mean"} <= rows[0].keys()
    assert get(demo_client, rows[0]["url"])["metrics"]["accuracy"] == rows[0]["accuracy"]
    narrowed = get(demo_client, "/api/v1/evaluations?dataset=beta&model=first")["rows"]
    assert [(row["model"], row["dataset"]) for row in narrowed] == [("first", "beta")]


def test_one_evaluation_holds_folds_curves_metrics_and_provenance(demo: Flask) -> None:
    body = get(demo.test_client(), "/api/v1/evaluations/first/alpha")
    assert (body["model"], body["dataset"]) == ("first", "alpha")
    assert [fold["fold"] for fold in body["folds"]] == list(range(10))
    keys = ["fold", "threshold", "L", "d0", "k", "b", "status", "accuracy"]
    assert list(body["folds"][0]) == keys
    assert body["provenance"]["finished"] == "2026-01-02T03:04:05+00:00"
    with demo.app_context():
        rows = db.session.execute(
            select(Result.distance, Pair.genuine, Result.correct, Result.confidence)
            .join(Pair, Pair.id == Result.pair_id)
            .where(Result.model_id == 1, Pair.dataset_id == 1)
        ).all()
    distance, genuine, correct, confidence = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    histogram = body["curves"]["distance_histogram"]
    assert histogram["bins"] == len(histogram["genuine"]) == len(histogram["impostor"]) == 400
    assert sum(histogram["genuine"]) == genuine.sum() == 30
    edges = np.linspace(0, 2, 401)
    assert histogram["impostor"] == np.histogram(distance[~genuine], edges)[0].tolist()
    roc = body["curves"]["roc"]
    assert len(roc) <= 400
    assert (roc[-1]["false_match_rate"], roc[-1]["true_match_rate"]) == (1, 1)
    for point in roc:
        accepted = distance <= point["threshold"]
        assert point["true_match_rate"] == pytest.approx(accepted[genuine].mean())
        assert point["false_match_rate"] == pytest.approx(accepted[~genuine].mean())
    bins = body["curves"]["reliability"]
    assert sum(b["count"] for b in bins) == len(rows)
    top = confidence >= bins[-1]["start"]
    assert bins[-1]["accuracy"] == pytest.approx(correct[top].mean())
    assert all(b["accuracy"] is None for b in bins if not b["count"])


@pytest.mark.parametrize(
    ("path", "named", "listed"),
    [
        ("fourth/alpha", "fourth", "second"),
        ("first/gamma", "gamma", "beta"),
        ("third/beta", "third", "`flask compute --dataset beta --model third`"),
    ],
)
def test_an_unknown_evaluation_is_404(
    demo_client: FlaskClient, path: str, named: str, listed: str
) -> None:
    response = demo_client.get(f"/api/v1/evaluations/{path}")
    assert response.status_code == 404
    message = json.loads(response.text)["error"]["message"]
    assert named in message
    assert listed in message


def test_lists_of_datasets_and_models(demo_client: FlaskClient) -> None:
    datasets = get(demo_client, "/api/v1/datasets")["rows"]
    assert [row["name"] for row in datasets] == ["alpha", "beta"]
    assert get(demo_client, datasets[1]["pairs"])["count"] == 30
    models = get(demo_client, "/api/v1/models")["rows"]
    assert [row["name"] for row in models] == ["first", "second", "third"]
    assert models[0]["preprocessing"]["color"] == "rgb"


@pytest.mark.parametrize("path", ["evaluations", "evaluations/first/alpha", "datasets", "models"])
def test_unknown_parameters_are_refused(demo_client: FlaskClient, path: str) -> None:
    assert demo_client.get(f"/api/v1/{path}?colour=1").status_code == 400
