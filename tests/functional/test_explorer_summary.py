"""The summary of a query: each of its numbers is the number of pairs behind its link."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, update

from app.explorer import summary as counting
from app.explorer.catalogue import load_catalogue
from app.explorer.page import fetch_page
from app.explorer.parsing import parse_query
from app.explorer.summary import CONFIDENCE_EDGES, DISTANCE_EDGES, Summary, round_edges, summarise
from app.extensions import db
from app.models import Dataset, Result
from tests import factories
from tests.functional.test_explorer import PageParser, page

QUERIES = [
    "",
    "dataset=alpha&model=first&model=second",
    "model=second&model=third&agree=0",
    "genuine=0&first.prediction=genuine&first.distance__gte=0.52",
    "second.confidence__lt=0.9&fold__in=1,2,3&identity1__contains=a&sort=-first.distance",
    "first.distance__isnull=1",
    "quality_min__gte=0.2&dataset=beta&first.correct=1",
    "id__in=1,2,3,6001",
    "fold=99",
]


def rows_of(client: FlaskClient, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    url: str | None = f"/api/v1/pairs?{query}&size=200"
    while url:
        body = client.get(url).get_json()
        rows += body["rows"]
        url = body["next"]
    return rows


def summary_of(app: Flask, query: str) -> Summary:
    with app.app_context():
        parameters = [tuple(part.split("=")) for part in query.split("&") if part]
        parsed = parse_query([(a, b) for a, b in parameters], load_catalogue(db.session()))
        found = summarise(db.session(), parsed, seconds=60)
        db.session.remove()
        return found


def test_the_counts_are_those_of_a_naive_reading(demo: Flask) -> None:
    client = demo.test_client()
    for query in QUERIES:
        compare_counts(rows_of(client, query), summary_of(demo, query))


def compare_counts(rows: list[dict[str, Any]], found: Summary) -> None:
    assert found.unfinished == ()
    assert found.total == len(rows)
    for name in ("genuine", "fold"):
        counts = found.by(name)
        assert {value: counts[value] for value in counts} == {
            value: sum(row[name] == value for row in rows) for value in {r[name] for r in rows}
        }
    for name, each in found.models.items():
        seen = [row for row in rows if row["models"].get(name)]
        assert each.total == len(seen)
        for genuine in (True, False):
            said = [row["models"][name] for row in seen if row["genuine"] is genuine]
            for predicted in ("genuine", "impostor"):
                called = predicted == "genuine"
                assert each.count(prediction=called, correct=called is genuine) == sum(
                    result["prediction"] == predicted for result in said
                )
            for column, edges in (("distance", DISTANCE_EDGES), ("confidence", CONFIDENCE_EDGES)):
                assert each.histogram(column, genuine=genuine) == naive_histogram(
                    [result[column] for result in said], edges
                )
    if len(found.query.models) > 1:
        names = [model.name for model in found.query.models]
        every = [[row["models"].get(name) for name in names] for row in rows]
        calls = [{r["prediction"] for r in each} for each in every if all(each)]
        assert found.agreeing == sum(len(each) == 1 for each in calls)
        assert found.disagreeing == sum(len(each) == 2 for each in calls)
        assert found.joint is not None
        both = [(a, b) for a, b, *_ in every if a and b]
        assert found.joint.total == len(both)
        for one in (True, False):
            for two in (True, False):
                assert found.joint.count(first_correct=one, second_correct=two) == sum(
                    a["correct"] is one and b["correct"] is two for a, b in both
                )


def naive_histogram(values: list[float], edges: tuple[float, ...]) -> list[int]:
    last = len(edges) - 2
    return [
        sum(low <= v < high or (n == last and v == high) for v in values)
        for n, (low, high) in enumerate(pairwise(edges))
    ]


def test_behind_every_number_are_as_many_pairs(demo_client: FlaskClient) -> None:
    for query in QUERIES[1:5]:
        compare_links(demo_client, query)


def compare_links(client: FlaskClient, query: str) -> None:
    shown = page(client, f"/explorer/summary?{query}")
    told = {}
    for link in shown.all("a"):
        label = link.attributes.get("aria-label", "") or link.text
        number = re.search(r"[0-9][0-9,]*(?= (?:genuine|impostor|pairs))", label)
        if number and "aria-current" not in link.attributes:
            told[link["href"]] = int(number.group().replace(",", ""))
    assert len(told) > 20
    for url, count in list(told.items())[:: max(1, len(told) // 25)]:
        answer = client.get(f"/api/v1/pairs?{urlsplit(url).query}").get_json()
        assert answer["count"] == count, url


def test_values_on_the_edges_of_bins_are_in_the_bin_that_the_link_asks_for(demo: Flask) -> None:
    with demo.app_context():
        results = db.session.query(Result).filter_by(model_id=1).order_by(Result.pair_id).all()
        for number, result in enumerate(results):
            result.distance = DISTANCE_EDGES[number % 41]
            result.confidence = CONFIDENCE_EDGES[number % 21]
        db.session.commit()
    client = demo.test_client()
    found = summary_of(demo, "model=first").models["first"]
    for column, edges in (("distance", DISTANCE_EDGES), ("confidence", CONFIDENCE_EDGES)):
        both = [
            a + b
            for a, b in zip(
                found.histogram(column, genuine=True),
                found.histogram(column, genuine=False),
                strict=True,
            )
        ]
        for band, count in enumerate(both):
            upper = "lte" if band == len(both) - 1 else "lt"
            query = (
                f"first.{column}__gte={edges[band]!r}&first.{column}__{upper}={edges[band + 1]!r}"
            )
            assert client.get(f"/api/v1/pairs?{query}").get_json()["count"] == count


def test_an_active_facet_leads_back(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer/summary?dataset=alpha&genuine=1&first.correct=0&sort=-id")
    back = {a["href"] for a in shown.all("a", aria_current="true")}
    assert "/explorer?dataset=alpha&first.correct=0&sort=-id" in back
    assert "/explorer?dataset=alpha&genuine=1&sort=-id" in back
    assert "/explorer?genuine=1&first.correct=0&sort=-id" in back


def test_a_bar_keeps_the_tighter_bound_of_the_query(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer/summary?model=first&first.distance__gte=0.52")
    bars = [a["href"] for a in shown.all("a", aria_label="distance 0.5 to 0.55")]
    assert bars
    assert all("first.distance__gte=0.52&" in url for url in bars)
    assert all("first.distance__lt=0.55" in url for url in bars)


def test_what_is_not_counted_in_time_is_named(demo: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = demo.test_client()
    monkeypatch.setattr(counting, "SECONDS", 0.0)
    monkeypatch.setattr(
        "app.explorer.routes.summarise",
        lambda session, query: summarise(session, query, seconds=0.0),
    )
    text = client.get("/explorer/summary?model=first&model=second").text
    assert "Not counted within the time" in text
    assert "first against second" in text
    monkeypatch.undo()
    # Nothing half counted is kept.
    assert "Not counted" not in client.get("/explorer/summary?model=first&model=second").text


def test_the_database_stops_a_summary_that_is_late(demo: Flask) -> None:
    with demo.test_request_context():
        session = db.session()
        query = parse_query([], load_catalogue(session))
        found = summarise(session, query, seconds=1e-4)
        assert found.unfinished
        assert found.models == {}
        # The session goes on, under the limit of the setting again.
        assert fetch_page(session, query).count.number == 90
        assert summarise(session, query, seconds=60).unfinished == ()


def test_a_summary_is_counted_once_until_the_data_changes(demo: Flask) -> None:
    client = demo.test_client()
    statements: list[str] = []
    with demo.app_context():
        engine = db.engine
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: statements.append(statement),
    )

    def counted(url: str) -> int:
        statements.clear()
        assert client.get(url).status_code == 200
        return len([text for text in statements if "statement_timeout" not in text])

    # Version 1, catalogue 2; packed columns 3 times (all qualities; pairs, results of the query),
    # and rows as often, as none are packed here.
    assert counted("/explorer/summary?genuine=1") == 9
    assert counted("/explorer/summary?genuine=1") == 1
    assert counted("/explorer/summary?genuine=0") == 9
    with demo.app_context():
        factories.make_dataset(db.session(), "gamma", pairs=4, first_id=50001)
        db.session.commit()
    assert counted("/explorer/summary?genuine=1") == 9
    with demo.app_context():  # as if it was removed, and imported again with a label mended
        db.session.execute(update(Dataset).filter_by(name="gamma").values(sha256="other"))
        db.session.commit()
    assert counted("/explorer/summary?genuine=1") == 9


def test_bands_of_quality_have_round_edges() -> None:
    assert round_edges(0.0, 5 / 7) == (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)
    assert round_edges(-3.0, 42.0) == (-3.0, 6.0, 15.0, 24.0, 33.0, 42.0)


@given(st.floats(-100, 100), st.floats(1e-3, 100))
def test_bands_hold_every_quality(low: float, span: float) -> None:
    edges = round_edges(low, low + span)
    assert len(edges) == 6
    assert edges[0] <= low
    assert low + span <= edges[-1]
    assert all(a < b for a, b in pairwise(edges))


def test_a_site_without_data_has_a_summary(client: FlaskClient) -> None:
    assert isinstance(page(client, "/explorer/summary"), PageParser)
