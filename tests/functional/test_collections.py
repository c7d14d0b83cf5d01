"""The collections of the front page: plain URLs, each of which leads to the pairs it promises."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.extensions import db
from app.models import Evaluation, Pair, Result
from app.pages.collections import Collection, collections_of
from app.pages.overview import fetch_overview


def collections_on(app: Flask) -> dict[str, Collection]:
    with app.test_request_context():
        found = collections_of(fetch_overview(db.session()))
        db.session.remove()
    return {each.title: each for each in found}


def test_each_collection_leads_to_the_pairs_it_promises(demo: Flask) -> None:
    client = demo.test_client()
    found = collections_on(demo)
    assert list(found) == [
        "Hardest false accepts",
        "Hardest false rejects",
        "Least sure",
        "Most disputed",
        "Lowest quality",
        "Explained only",
    ]
    for collection in found.values():
        for url in (collection.url, *(url for _, url in collection.more)):
            assert client.get(url).status_code == 200
            assert rows(client, url), url
    accepts = rows(client, found["Hardest false accepts"].url)
    said = [row["models"]["first"] for row in accepts]
    assert all(not row["genuine"] for row in accepts)
    assert all(result["prediction"] == "genuine" for result in said)
    assert [r["distance"] for r in said] == sorted(r["distance"] for r in said)
    for row in rows(client, found["Most disputed"].url):
        assert len({result["prediction"] for result in row["models"].values()}) == 2
    qualities = [row["quality_min"] for row in rows(client, found["Lowest quality"].url)]
    assert qualities == sorted(qualities)


def test_a_collection_without_rows_is_not_offered(demo: Flask) -> None:
    with demo.app_context():
        db.session.execute(update(Pair).values(quality_min=None))
        db.session.execute(update(Result).values(explained=False, correct=True))
        db.session.execute(update(Evaluation).values(explained_count=0))
        db.session.commit()
    assert list(collections_on(demo)) == ["Least sure"]


def test_an_empty_site_has_no_collections(app: Flask) -> None:
    assert collections_on(app) == {}


def rows(client: FlaskClient, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/v1/pairs?{urlsplit(url).query}").get_json()[
        "rows"
    ]
    return found
