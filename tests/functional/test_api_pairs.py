"""The API's pairs: the JSON, the CSV, one pair, and the refusal of everything unknown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from app.explorer.operators import OPERATORS
from app.extensions import db
from app.models import Pair
from tests import factories

PAIR_KEYS = [
    "id",
    "dataset",
    "genuine",
    "fold",
    "identity1",
    "identity2",
    "image1",
    "image2",
    "quality1",
    "quality2",
    "quality_min",
    "models",
]
RESULT_KEYS = ["distance", "threshold", "confidence", "prediction", "correct", "explained"]


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return json.loads(response.text)


def refused(client: FlaskClient, path: str) -> dict[str, Any]:
    response = client.get(path)
    assert response.status_code == 400, (path, response.status_code)
    assert response.mimetype == "application/json"
    error: dict[str, Any] = json.loads(response.text)["error"]
    assert error["message"]
    return error


def test_rows_have_the_documented_shape(demo_client: FlaskClient) -> None:
    body = get(demo_client, "/api/v1/pairs?size=10")
    assert list(body) == ["rows", "next", "previous", "count", "count_exact", "description"]
    assert (body["count"], body["count_exact"]) == (90, True)
    assert body["previous"] is None
    assert body["next"].startswith("http://localhost/api/v1/pairs?")
    row = body["rows"][0]
    assert list(row) == PAIR_KEYS
    assert row["genuine"] is True
    assert list(row["models"]) == ["first", "second", "third"]
    assert list(row["models"]["first"]) == RESULT_KEYS
    assert row["models"]["first"]["prediction"] in ("genuine", "impostor")
    assert row["models"]["first"]["explained"] is True


def test_models_stand_in_the_order_asked_for(demo_client: FlaskClient) -> None:
    body = get(demo_client, "/api/v1/pairs?model=third&model=first&dataset=beta")
    assert list(body["rows"][0]["models"]) == ["third", "first"]
    assert all(row["models"]["third"] is None for row in body["rows"])
    body = get(demo_client, "/api/v1/pairs?dataset=beta")
    assert list(body["rows"][0]["models"]) == ["first", "second"]


def test_links_lead_through_all_rows_and_keep_the_query(demo_client: FlaskClient) -> None:
    url = "/api/v1/pairs?size=10&sort=-second.confidence,identity1&genuine=1&model=second"
    seen = []
    while url:
        body = get(demo_client, url)
        seen += [row["id"] for row in body["rows"]]
        last, url = url, body["next"]
    assert len(seen) == len(set(seen)) == body["count"] == 45
    assert list(body["rows"][0]["models"]) == ["second"]
    back: list[int] = []
    url = last
    while url:
        body = get(demo_client, url)
        back = [row["id"] for row in body["rows"]] + back
        url = body["previous"]
    assert back == seen


def test_agree_leaves_out_pairs_that_a_model_has_not_seen(demo_client: FlaskClient) -> None:
    models = "model=first&model=second"
    rows = get(demo_client, f"/api/v1/pairs?{models}&size=200")["rows"]
    both = [row for row in rows if all(row["models"].values())]
    assert len(both) < len(rows)
    same = {
        row["id"]
        for row in both
        if row["models"]["first"]["prediction"] == row["models"]["second"]["prediction"]
    }
    for agree, expected in ((1, same), (0, {row["id"] for row in both} - same)):
        found = get(demo_client, f"/api/v1/pairs?{models}&size=200&agree={agree}")
        assert {row["id"] for row in found["rows"]} == expected
        assert expected
    assert get(demo_client, "/api/v1/pairs?dataset=beta&model=third&agree=1")["count"] == 0


def test_wildcards_are_letters(demo: Flask) -> None:
    client = demo.test_client()
    assert get(client, "/api/v1/pairs?identity1__contains=%25")["count"] == 0
    assert get(client, "/api/v1/pairs?identity1__startswith=Ad_")["count"] == 0
    underscore = get(client, "/api/v1/pairs?identity1__contains=a_L")
    assert underscore["count"] > 0
    assert {row["identity1"] for row in underscore["rows"]} == {"Ada_Lovelace"}
    lower = get(client, "/api/v1/pairs?identity1__contains=A_l")
    assert lower["count"] == underscore["count"]
    assert get(client, "/api/v1/pairs?identity1=ada_lovelace")["count"] == 0


def test_letters_beyond_ascii_are_told_apart_on_both_databases(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        names = ["Élodie", "élodie", "Zoë", "a'b\"c;--", "Ω_x"]
        factories.make_dataset(db.session(), "names", identities=names, pairs=40)
        db.session.commit()
    for name in names:
        found = get(client, f"/api/v1/pairs?identity1__contains={quote(name)}&size=200")
        assert {row["identity1"] for row in found["rows"]} == {name}
    rows = get(client, "/api/v1/pairs?sort=identity1&size=200")["rows"]
    order = [row["identity1"] for row in rows]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("query", "named", "listed"),
    [
        ("nonsense=1", "nonsense", "genuine"),
        ("nonsense__gt=1", "nonsense", "fold"),
        ("fold__near=1", "near", "gte"),
        ("dataset=gamma", "gamma", "alpha"),
        ("dataset__in=alpha,gamma", "gamma", "beta"),
        ("model=fourth", "fourth", "second"),
        ("fourth.distance__gt=1", "fourth", "second"),
        ("first.mood=1", "mood", "first.confidence"),
        ("sort=mood", "mood", "quality_min"),
        ("sort=first.mood", "mood", "first.distance"),
        ("genuine=2", "2", "0, 1"),
        ("genuine=true", "true", "0, 1"),
        ("first.prediction=same", "same", "impostor"),
        ("genuine__contains=1", "contains", "exact"),
        ("first.prediction__gt=genuine", "gt", "isnull"),
        ("quality1__isnull=yes", "yes", "0, 1"),
        ("count=none", "none", "all"),
        ("agree=2", "2", "0, 1"),
    ],
)
def test_what_is_unknown_is_named_and_the_known_listed(
    demo_client: FlaskClient, query: str, named: str, listed: str
) -> None:
    message = refused(demo_client, f"/api/v1/pairs?{query}")["message"]
    assert named in message
    assert listed in message


@pytest.mark.parametrize(
    "query",
    [
        "fold=1.5",
        "fold=",
        "fold=2147483648",
        "id__in=1,,2",
        "id=99999999999999999999999",
        "id=%D9%A1",
        "id=1_0",
        "id=+1",
        "first.distance__lt=nan",
        "first.distance__lt=inf",
        "first.distance__lt=1e999",
        "first.distance__lt=0,5",
        "first.distance__lt=",
        "identity1=a%00b",
        "ident%00ity=a",
        "identity1=%FF",
        "identity1=%ED%A0%80",
        f"identity1__contains={'x' * 256}",
        f"identity1__in={'x,' * 600}x",
        f"identity1={'x' * 9000}",
        "size=9",
        "size=201",
        "size=ten",
        "size=10&size=20",
        "page=0",
        "page=201",
        "page=1&page=2",
        "sort=",
        "sort=id,id",
        "sort=id,-id",
        "sort=--id",
        "sort=fold,genuine,id,dataset",
        "sort=id&sort=fold",
        "agree=1&agree=0",
        "after=abc",
        "before=",
        "after=%00",
        "model.distance=1",
        "=1",
        "__gt=1",
        "fold__=1",
        "agree__exact=1",
        "&".join(["fold=1"] * 101),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/pairs", "/api/v1/pairs.csv"])
def test_bad_values_are_refused(demo_client: FlaskClient, path: str, query: str) -> None:
    refused(demo_client, f"{path}?{query}")


def cursor_of(client: FlaskClient, query: str) -> str:
    url = get(client, f"/api/v1/pairs?{query}")["next"]
    cursor: str = url.rsplit("after=", 1)[1]
    return cursor


def test_a_cursor_works_for_its_own_query_only(demo_client: FlaskClient) -> None:
    cursor = cursor_of(demo_client, "size=10&sort=first.distance")
    get(demo_client, f"/api/v1/pairs?size=10&sort=first.distance&after={cursor}")
    get(demo_client, f"/api/v1/pairs?size=20&sort=first.distance&before={cursor}")
    for other in (
        "",
        "sort=-first.distance",
        "sort=second.distance",
        "sort=first.distance&genuine=1",
        "sort=first.distance&dataset=alpha",
        "sort=first.distance&model=first",
        "sort=first.distance&page=2",
        f"sort=first.distance&before={cursor}",
    ):
        refused(demo_client, f"/api/v1/pairs?{other}&after={cursor}")
    for place in range(len(cursor)):
        letter = "A" if cursor[place] != "A" else "B"
        changed = cursor[:place] + letter + cursor[place + 1 :]
        refused(demo_client, f"/api/v1/pairs?sort=first.distance&after={changed}")
        refused(demo_client, f"/api/v1/pairs?sort=first.distance&after={cursor[:place]}")
    refused(demo_client, f"/api/v1/pairs?sort=first.distance&after={cursor}%3D")
    refused(demo_client, f"/api/v1/pairs?sort=first.distance&after={cursor}A")


def test_a_page_takes_the_same_few_statements_whatever_its_size(demo: Flask) -> None:
    client = demo.test_client()
    statements: list[str] = []
    with demo.app_context():
        engine = db.engine
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: statements.append(statement),
    )
    # The page asks once more: whether the data is what it was when the page was last drawn.
    for path, expected in {"/api/v1/pairs": 6, "/explorer": 7}.items():
        for query in ("size=10", "size=200", "size=200&genuine=1", "sort=fold&size=50"):
            statements.clear()
            assert client.get(f"{path}?{query}").status_code == 200
            count = len([text for text in statements if "statement_timeout" not in text])
            assert count == expected, (path, query)


def test_the_count_stops_at_its_limit(
    demo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.explorer.queries.COUNT_LIMIT", 20)
    body = get(demo_client, "/api/v1/pairs?dataset=alpha&size=10")
    assert (body["count"], body["count_exact"]) == (20, False)
    assert body["description"].startswith("More than 20 ")
    body = get(demo_client, "/api/v1/pairs?dataset=alpha&size=10&count=all")
    assert (body["count"], body["count_exact"]) == (60, True)
    assert "count=all" in body["next"]
    page = demo_client.get("/explorer?dataset=alpha&size=10").text
    assert "count=all" in page
    assert "over 20" in page


def test_the_csv_holds_all_rows_of_the_query(demo_client: FlaskClient) -> None:
    query = "dataset=alpha&model=second&model=first&sort=-second.distance"
    response = demo_client.get(f"/api/v1/pairs.csv?{query}&size=10")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    expected = get(demo_client, f"/api/v1/pairs?{query}&size=200")["rows"]
    assert [int(row["id"]) for row in rows] == [row["id"] for row in expected]
    columns = [*PAIR_KEYS[:-1], *(f"{m}.{k}" for m in ("second", "first") for k in RESULT_KEYS)]
    assert list(rows[0]) == columns
    for row, wanted in zip(rows, expected, strict=True):
        assert row["genuine"] == str(int(wanted["genuine"]))
        assert row["quality1"] == ("" if wanted["quality1"] is None else repr(wanted["quality1"]))
        second = wanted["models"]["second"]
        assert row["second.distance"] == (repr(second["distance"]) if second else "")


@pytest.mark.parametrize("read_to_its_end", [True, False])
def test_a_download_gives_its_connection_back(demo: Flask, read_to_its_end: bool) -> None:
    with demo.app_context():
        engine = db.engine
    response = demo.test_client().get("/api/v1/pairs.csv")
    if read_to_its_end:
        assert response.text
    else:
        next(response.iter_encoded())
        next(response.iter_encoded())
    response.close()
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() == 0


def test_a_spreadsheet_is_given_no_formula(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        names = ["=1+1", "+cmd", "-x", "@y", 'a "b", c', "plain"]
        factories.make_dataset(db.session(), "names", identities=names, pairs=40)
        db.session.commit()
    rows = list(csv.DictReader(io.StringIO(client.get("/api/v1/pairs.csv").text, newline="")))
    assert {row["identity1"] for row in rows} == {
        "'=1+1",
        "'+cmd",
        "'-x",
        "'@y",
        'a "b", c',
        "plain",
    }


def test_one_pair(demo_client: FlaskClient) -> None:
    body = get(demo_client, "/api/v1/pairs/1")
    assert body["id"] == 1
    assert list(body["models"]) == ["first", "second", "third"]
    assert body["links"]["viewer"] == "http://localhost/viewer/1"
    assert body["links"]["explanations"]["first"].endswith("/api/v1/pairs/1/explanations/first")
    for image in body["images"]:
        picture = demo_client.get(image["url"])
        assert picture.mimetype == "image/png"
    assert get(demo_client, "/api/v1/pairs/6001")["models"].keys() == {"first", "second"}


@pytest.mark.parametrize(
    "key", ["0", "7", "5000", "2147483648", "99999999999999999999", "abc", "-1", "1.0", "%D9%A1"]
)
def test_an_unknown_pair_is_404(client: FlaskClient, key: str) -> None:
    response = client.get(f"/api/v1/pairs/{key}")
    assert response.status_code == 404
    assert json.loads(response.text)["error"]["code"] == "not_found"


def test_an_empty_site_answers(client: FlaskClient) -> None:
    body = get(client, "/api/v1/pairs")
    assert body == {
        "rows": [],
        "next": None,
        "previous": None,
        "count": 0,
        "count_exact": True,
        "description": "No pairs",
    }
    assert "holds no dataset" in refused(client, "/api/v1/pairs?dataset=lfw")["message"]
    assert client.get("/api/v1/pairs.csv").text.count("\r\n") == 1


def test_a_page_beyond_the_end_leads_back(demo_client: FlaskClient) -> None:
    body = get(demo_client, "/api/v1/pairs?size=50&page=7")
    assert body["rows"] == []
    assert body["next"] is None
    assert body["previous"].endswith("page=2")


def test_rows_that_vanish_between_two_pages_do_no_harm(demo: Flask) -> None:
    client = demo.test_client()
    first = get(client, "/api/v1/pairs?size=10&sort=-id")
    with demo.app_context():
        gone = db.session.get(Pair, first["rows"][-1]["id"])
        db.session.delete(gone)
        db.session.commit()
    second = get(client, first["next"])
    assert second["rows"][0]["id"] < first["rows"][-1]["id"]
    back = get(client, second["previous"])
    assert [row["id"] for row in back["rows"]] == [row["id"] for row in first["rows"][:-1]]


@pytest.mark.parametrize("name", ["identity1", "image2"])
@pytest.mark.parametrize("op", OPERATORS)
def test_a_condition_on_text_is_met_by_no_pair_of_no_dataset(
    demo_client: FlaskClient, op: str, name: str
) -> None:
    value = "0" if op == "isnull" else "a"
    path = f"/api/v1/pairs?dataset=alpha&dataset__not=alpha&{name}__{op}={value}&sort=-{name}"

    assert get(demo_client, path)["rows"] == []
