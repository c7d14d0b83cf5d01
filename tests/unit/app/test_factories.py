from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Executable, delete, func, select, update
from sqlalchemy.exc import DBAPIError

from app.extensions import db
from app.models import Explanation, Pair, Result


def test_the_demo_site_has_ties_and_gaps(demo: Flask) -> None:
    with demo.app_context():
        pairs = db.session.scalar(select(func.count()).select_from(Pair))
        results = db.session.scalar(select(func.count()).select_from(Result))
        assert pairs == 90
        assert results is not None
        assert 150 < results < 240
        assert db.session.scalar(select(func.count()).select_from(Explanation)) == 19


@pytest.mark.parametrize("statement", [delete(Result), update(Pair).values(fold=0)])
def test_the_site_that_tests_share_cannot_be_changed(
    statement: Executable, backend: str, request: pytest.FixtureRequest
) -> None:
    site: Flask = request.getfixturevalue(f"read_{backend}")
    with site.app_context(), pytest.raises(DBAPIError, match=r"read-?only"):
        db.session.execute(statement)
