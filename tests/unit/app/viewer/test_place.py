"""The distribution that a pair stands in: counted as numpy counts, judged as the library judges."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.cscore import confidence_at, sigmoid_at
from app.models import Evaluation, FoldScore, Pair, Result
from app.viewer.distribution import EDGES, TrainingDistances, fetch_training
from app.viewer.place import draw_place, place_of
from compute.cscore import fit_cscore


@pytest.fixture
def evaluation(demo: Flask, session: Session) -> Evaluation:
    """Return one evaluation of two, with distances on the edges of bins and at both ends."""
    found = session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
    assert found is not None
    edges = [0.0, 0.005, 0.035, 0.07, 0.57, 0.575, 1.145, 1.995, 2.0]
    for pair_id, distance in enumerate(edges, start=10):
        session.get_one(Result, (pair_id, found.model_id)).distance = distance
    session.flush()
    return found


def rows_of(session: Session, evaluation: Evaluation) -> tuple[np.ndarray, ...]:
    rows = session.execute(
        select(Result.distance, Pair.genuine, Pair.fold)
        .join(Pair, Pair.id == Result.pair_id)
        .where(Result.model_id == evaluation.model_id, Result.dataset_id == evaluation.dataset_id)
    ).all()
    distance, genuine, fold = (np.array(column) for column in zip(*rows, strict=True))
    return distance, genuine, fold


@pytest.mark.parametrize("fold", [0, 3, 9])
def test_training_counts_are_numpys_over_the_other_folds(
    session: Session, evaluation: Evaluation, fold: int
) -> None:
    distance, genuine, folds = rows_of(session, evaluation)
    training = folds != fold

    counts = fetch_training(session, evaluation, fold)

    for label, found in ((True, counts.genuine), (False, counts.impostor)):
        wanted, edges = np.histogram(distance[training & (genuine == label)], 400, (0, 2))
        assert np.array_equal(found, wanted)
        assert np.array_equal(edges, EDGES)
    filled = counts.genuine + counts.impostor > 0
    assert counts.centres == pytest.approx((np.arange(400)[filled] + 0.5) / 200)
    assert np.array_equal(
        counts.ratio, counts.genuine[filled] / (counts.genuine + counts.impostor)[filled]
    )


def test_a_pair_is_found_in_the_bin_that_counts_it() -> None:
    for distance in [*EDGES.tolist(), 0.1234, 1.99999]:
        counts, _ = np.histogram([distance], 400, (0, 2))

        assert counts[TrainingDistances.bin_of(distance)] == 1


def test_the_distances_are_read_once_until_the_evaluation_is_made_again(
    session: Session, evaluation: Evaluation
) -> None:
    statements: list[str] = []
    event.listen(
        session.get_bind(),
        "before_cursor_execute",
        lambda connection, cursor, statement, *rest: statements.append(statement),
    )
    before = fetch_training(session, evaluation, 0)
    read = len(statements)
    fetch_training(session, evaluation, 5)
    # Packed columns of the pairs and of the results; their rows, too, as none are packed here.
    assert len(statements) == read == 4

    for result in session.scalars(select(Result).where(Result.model_id == evaluation.model_id)):
        result.distance = 1.5
    evaluation.finished += timedelta(seconds=1)
    session.flush()
    after = fetch_training(session, evaluation, 0)

    assert after.impostor[300] == before.impostor.sum()


def test_curve_and_point_are_the_library_s(session: Session) -> None:
    random = np.random.default_rng(3)
    genuine = np.arange(400) % 2 == 0
    distance = np.clip(random.normal(np.where(genuine, 0.5, 0.95), 0.15), 0, 2)
    score = fit_cscore(distance, genuine)
    fold = FoldScore(
        fold=0,
        threshold=score.threshold,
        L=score.L,
        d0=score.d0,
        k=score.k,
        b=score.b,
        status=score.status,
    )
    counts = TrainingDistances(
        *(np.histogram(distance[genuine == label], 400, (0, 2))[0] for label in (True, False))
    )
    own = Result(pair_id=1, model_id=1, distance=0.7012, threshold=score.threshold, confidence=0.8)

    place = draw_place(fold, own, counts)

    wanted = score.confidence(0.7012)
    assert confidence_at(fold, 0.7012) == pytest.approx(wanted)
    assert max(place.share, 1 - place.share) == pytest.approx(wanted)
    points = [point.split(",") for point in place.curve.removeprefix("M").split("L")]
    assert len(points) == 401
    for i in (0, 100, 140, 200, 400):
        x, y = map(float, points[i])
        assert x == pytest.approx(place.curve_plot.x.place(i / 200), abs=0.006)
        c = sigmoid_at(fold, i / 200)
        assert y == pytest.approx(place.curve_plot.y.place(c), abs=0.006)
    assert place.dots.count("M") == np.count_nonzero(counts.genuine + counts.impostor)
    assert sum(bar.count for bar in place.genuine_bars) == place.genuine_count == 200
    assert sum(row.impostor for row in place.table) == place.impostor_count == 200
    assert place.nearer_genuine == pytest.approx(np.mean(distance[genuine] < EDGES[140]))
    assert place.nearer_impostor == pytest.approx(np.mean(distance[~genuine] < EDGES[140]))


def test_a_fold_without_a_fit_has_no_place(session: Session, evaluation: Evaluation) -> None:
    pair = session.get_one(Pair, 1)
    result = session.get_one(Result, (1, evaluation.model_id))
    assert place_of(session, pair, result) is not None

    session.delete(session.get_one(FoldScore, (evaluation.id, pair.fold)))
    session.flush()

    assert place_of(session, pair, result) is None
