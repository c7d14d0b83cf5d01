from __future__ import annotations

from flask import Flask
from sqlalchemy import func, select

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
