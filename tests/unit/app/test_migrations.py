"""The migrated database is the models' database, and can be taken down again."""

from __future__ import annotations

import hashlib

import flask_migrate
import numpy as np
import pytest
from flask import Flask
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.extensions import db
from app.models import Evaluation, PairColumn, Result, ResultColumn
from compute.verification import expected_calibration_error, true_accept_rate
from tests import factories


def test_models_and_migrations_agree(app: Flask) -> None:
    with app.app_context():
        flask_migrate.check()


def test_the_first_migration_goes_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        flask_migrate.upgrade()
        assert "result" in inspect(db.engine).get_table_names()


def test_metrics_are_computed_for_evaluations_that_are_there(app: Flask) -> None:
    with app.app_context():
        session = db.session()
        dataset = factories.make_dataset(session, "alpha", pairs=240, first_id=1)
        for number, name in enumerate(("first", "second")):
            model = factories.make_model(session, name)
            factories.make_evaluation(session, dataset, model, seed=number, missing=0.3 * number)
        session.commit()
        flask_migrate.downgrade(revision="0003")
        flask_migrate.upgrade()

        for evaluation in session.scalars(select(Evaluation)):
            rows = session.execute(
                select(Result.distance, Result.confidence, Result.prediction, Result.correct).where(
                    Result.model_id == evaluation.model_id
                )
            ).all()
            distance, confidence, prediction, correct = map(np.array, zip(*rows, strict=True))
            genuine = prediction == correct
            expected = true_accept_rate(distance, genuine, far=1e-2)
            assert evaluation.tar_at_far_1e2 == expected
            assert (expected is None) == (np.count_nonzero(~genuine) < 100)
            assert evaluation.tar_at_far_1e3 is None
            assert evaluation.ece == pytest.approx(expected_calibration_error(confidence, correct))


def test_columns_that_are_there_are_hashed_but_what_a_former_version_may_still_write(
    demo: Flask, session: Session
) -> None:
    factories.pack_columns(session)
    flask_migrate.downgrade(revision="0008")
    flask_migrate.upgrade()

    columns: list[PairColumn | ResultColumn] = list(session.scalars(select(PairColumn)))
    columns += session.scalars(select(ResultColumn))
    for column in columns:
        expected = None if column.name == "explained" else hashlib.sha256(column.data)
        assert column.sha256 == (expected and expected.hexdigest())
