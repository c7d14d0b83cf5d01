"""What one does with a list: choose columns, sort, take it away, tick pairs, find names."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.extensions import db
from app.models import Image, Pair
from tests import factories
from tests.functional.test_explorer import PageParser, page, sent_by


def heads(shown: PageParser) -> list[str]:
    return [link["title"].split(":")[0] for link in shown.all("a", class_="sort")]


def query_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


# ---------------------------------------------------------------------------------- columns


def test_the_table_holds_the_columns_asked_for(demo_client: FlaskClient) -> None:
    shown = page(
        demo_client,
        "/explorer?model=second&model=first&columns=image1,fold,confidence,first.distance&size=10",
    )
    assert heads(shown) == [
        "id",
        "image1",
        "fold",
        "second.confidence",
        "first.confidence",
        "first.distance",
    ]
    rows = [e for e in shown.all("tr") if "data-row" in e.attributes]
    assert len(rows) == 10
    assert all("columns=" in a["href"] for a in shown.all("a", class_="sort"))


def test_the_csv_holds_just_those_columns_in_that_order(demo_client: FlaskClient) -> None:
    query = "dataset=alpha&model=first&model=second&columns=genuine,distance,id,first.correct"
    text = demo_client.get(f"/api/v1/pairs.csv?{query}").text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["genuine", "first.distance", "second.distance", "id", "first.correct"]
    expected = json.loads(demo_client.get(f"/api/v1/pairs?{query}&size=200").text)["rows"]
    assert [row["first.distance"] for row in rows] == [
        repr(row["models"]["first"]["distance"]) for row in expected
    ]
    # The rows of the JSON stay whole, and so does the place in the list.
    assert list(expected[0])[:4] == ["id", "dataset", "genuine", "fold"]
    assert list(expected[0]["models"]["first"])[:2] == ["distance", "threshold"]
    bare = demo_client.get("/api/v1/pairs?size=10&sort=-first.distance").get_json()["next"]
    cursor = dict(query_of(bare))["after"]
    narrow = f"/explorer?size=10&sort=-first.distance&columns=fold&after={cursor}"
    assert demo_client.get(narrow).status_code == 200


def test_a_model_without_results_here_leaves_its_column_empty(demo_client: FlaskClient) -> None:
    text = demo_client.get("/api/v1/pairs.csv?dataset=beta&columns=id,third.distance").text
    assert set(text.splitlines()[1:]) == {f"{n}," for n in range(6001, 6031)}


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ("mood", "mood"),
        ("id,fold,id", "twice"),
        ("", "Unknown column"),
        ("fourth.distance", "fourth"),
        ("first.mood", "mood"),
        ("second.distance&model=first", "second"),
        ("id&columns=fold", "stands 2 times"),
        (",".join(["fold"] * 101), "at most 100"),
    ],
)
def test_unknown_columns_are_named(demo_client: FlaskClient, columns: str, named: str) -> None:
    for path in ("/api/v1/pairs", "/api/v1/pairs.csv", "/api/v1/pairs.ndjson"):
        answer = demo_client.get(f"{path}?columns={columns}")
        assert answer.status_code == 400
        assert named in answer.get_json()["error"]["message"]


def test_the_column_form_works_without_scripts(demo_client: FlaskClient) -> None:
    query = "dataset=alpha&model=first&fold__gte=3&sort=-fold,id&size=10"
    shown = page(demo_client, f"/explorer?{query}")
    sent = sent_by(shown, "data-column-form")
    assert ("column", "distance") in sent
    chosen = [pair for pair in sent if pair != ("column", "distance")] + [("column", "image2")]
    answer = demo_client.get("/explorer/search", query_string=chosen)
    assert answer.status_code == 303
    found = dict(query_of(answer.location))
    columns = found.pop("columns").split(",")
    assert columns[0] == "id"
    assert "image2" in columns
    assert "distance" not in columns
    assert found == dict(parse_qsl(query))


def test_many_models_show_few_columns_each(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        session = db.session()
        dataset = factories.make_dataset(session, "many", pairs=60)
        for number in range(10):
            model = factories.make_model(session, f"model-{number}")
            evaluation = factories.make_evaluation(session, dataset, model, seed=number)
            if number < 4:
                factories.make_explanations(session, evaluation, range(1, 51))
        session.commit()
    four = "&".join(f"model=model-{number}" for number in range(4))
    query = "model-0.distance__gte=0.01&identity1__contains=a&sort=-model-0.confidence,id&genuine=1"
    for url in ("/explorer", f"/explorer?{four}", f"/explorer?{four}&{query}"):
        text = client.get(url).text
        # The first view of the explorer: 50 rows, ten models or four.
        assert len(text.encode()) < 150_000, len(text)
    assert client.get("/explorer").text.count("<tr data-row>") == 50
    assert [
        name for name in heads(page(client, f"/explorer?{four}")) if name.startswith("model-3")
    ] == [
        "model-3.confidence",
        "model-3.prediction",
        "model-3.correct",
    ]


# ----------------------------------------------------------------------------------- sorting


def test_the_form_sorts_by_several_keys(demo_client: FlaskClient) -> None:
    sent = {"sort1": "fold", "sort1.way": "down", "sort2": "first.distance", "sort2.way": ""}
    answer = demo_client.get("/explorer/search", query_string=sent)
    assert query_of(answer.location) == [("sort", "-fold,first.distance")]
    shown = page(demo_client, answer.location)
    assert {("sort1", "fold"), ("sort1.way", "down"), ("sort2", "first.distance")} <= set(
        sent_by(shown, "data-filters")
    )
    # A third key can be added, and a column stands once only.
    assert any(e.attributes.get("name") == "sort3" for e in shown.elements)
    twice = demo_client.get("/explorer/search?sort1=fold&sort2=fold&sort2.way=down")
    assert query_of(twice.location) == [("sort", "fold")]


# ----------------------------------------------------------------------------------- exports


def test_json_lines_hold_all_rows_of_the_query(demo_client: FlaskClient) -> None:
    query = "dataset=alpha&model=second&sort=-second.distance"
    answer = demo_client.get(f"/api/v1/pairs.ndjson?{query}&size=10")
    assert answer.mimetype == "application/x-ndjson"
    assert "xfv-pairs.ndjson" in answer.headers["Content-Disposition"]
    expected = demo_client.get(f"/api/v1/pairs?{query}&size=200").get_json()["rows"]
    assert [json.loads(line) for line in answer.text.splitlines()] == expected


# ------------------------------------------------------------------------------------ basket


def test_ticked_pairs_are_shown_taken_away_or_compared(demo_client: FlaskClient) -> None:
    results = "dataset=alpha&model=first&columns=fold&sort=-id&fold=3"
    sent = [("results", results), ("pick", "7"), ("pick", "3"), ("pick", "6001,3")]
    view = [("model", "first"), ("columns", "fold"), ("sort", "-id")]
    for do, path in (
        ("show", "/explorer"),
        ("csv", "/api/v1/pairs.csv"),
        ("json", "/api/v1/pairs.ndjson"),
    ):
        answer = demo_client.get("/explorer/basket", query_string=[*sent, ("do", do)])
        assert answer.status_code == 303
        assert urlsplit(answer.location).path == path
        assert sorted(query_of(answer.location)) == sorted([*view, ("id__in", "7,3,6001")])
        assert demo_client.get(answer.location).status_code == 200
    two = demo_client.get("/explorer/basket", query_string=[*sent[:3], ("do", "compare")])
    assert urlsplit(two.location).path == "/viewer/7/compare"
    assert dict(query_of(two.location)) == {"results": results, "pin": "3"}


def test_five_hundred_pairs_can_be_ticked_with_and_without_scripts(
    demo_client: FlaskClient,
) -> None:
    ids = [str(number) for number in range(30_001, 30_501)]
    # Without scripts each tick is a field of its own; with them, all stand in one.
    for picks in ([("pick", number) for number in ids], [("pick", ",".join(ids))]):
        answer = demo_client.get("/explorer/basket", query_string=[*picks, ("do", "show")])
        assert query_of(answer.location) == [("id__in", ",".join(ids))]
        assert demo_client.get(answer.location).status_code == 200


def test_a_list_too_long_to_lead_back_to_is_left_out_of_its_links(
    demo_client: FlaskClient,
) -> None:
    def links(query: str) -> list[str]:
        shown = page(demo_client, f"/explorer?{query}&model=first&size=10")
        return [a["href"] for a in shown.all("a") if a["href"].startswith("/viewer/")]

    long = "id__in=" + ",".join(f"{number:010}" for number in range(1, 501))
    found = links(long)
    assert demo_client.get(found[0]).status_code == 200
    assert dict(query_of(found[0]))["results"].startswith("model=first&id__in=0000000001")
    longer = long + "&id__in=" + ",".join(f"{number:010}" for number in range(1, 201))
    found = links(longer)
    assert demo_client.get(found[0]).status_code == 200
    assert query_of(found[0]) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("mood=", "Unknown parameter 'mood'"),
        ("fourth.distance__gte=", "Unknown model 'fourth'"),
        ("fold__near=", "Unknown operator 'near' in 'fold__near'"),
        ("sort1=fold&sort1.way=sideways", "sort1.way='sideways' is not known"),
        ("sort1=fold&sort1=id", "sort1 stands 2 times"),
        ("sort1.way=&sort1.way=down", "sort1.way stands 2 times"),
        ("query=fold%3D1&query=", "query stands 2 times"),
        ("size=&size=10", "size stands 2 times"),
    ],
)
def test_a_form_is_read_as_strictly_as_the_grammar(
    demo_client: FlaskClient, query: str, named: str
) -> None:
    answer = demo_client.get(f"/explorer/search?{query}")
    assert answer.status_code == 400
    assert named in answer.text.replace("&#39;", "'")


def test_a_form_of_many_models_has_more_fields_than_a_query(demo_client: FlaskClient) -> None:
    fields = [(f"first.{name}__{op}", "") for name in ("distance",) for op in ("gte", "lte")] * 80
    answer = demo_client.get("/explorer/search", query_string=[*fields, ("fold", "3")])
    assert answer.status_code == 303
    assert query_of(answer.location) == [("fold", "3")]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("do=show", "0 pairs are ticked"),
        ("do=show&pick=1&mood=good", "Unknown parameter 'mood'"),
        ("do=show&do=csv&pick=1", "do stands 2 times"),
        ("results=&results=fold%3D1&pick=1", "results stands 2 times"),
        ("do=compare&pick=1,2&results=mood%3Dgood", "list that 'results' names"),
        ("do=csv&pick=1&results=size%3D1", "list that 'results' names"),
        ("do=compare&pick=1", "1 pair is ticked"),
        ("do=compare&pick=1,2,3", "3 pairs are ticked"),
        ("do=show&pick=x", "no id"),
        ("do=show&pick=%D9%A1", "no id"),
        ("do=dance&pick=1", "dance"),
        ("do=show&pick=" + ",".join(map(str, range(501))), "501 pairs"),
    ],
)
def test_a_basket_that_cannot_be_used_says_why(
    demo_client: FlaskClient, query: str, named: str
) -> None:
    answer = demo_client.get(f"/explorer/basket?{query}")
    assert answer.status_code == 400
    assert named in answer.text.replace("&#39;", "'")


# -------------------------------------------------------------------------------- identities


def test_names_are_found_by_a_part_of_them(demo: Flask) -> None:
    client = demo.test_client()

    def names(query: str) -> list[str]:
        rows = client.get(f"/api/v1/identities?{query}").get_json()["rows"]
        return [row["identity"] for row in rows]

    assert names("contains=ada") == ["Ada_Lovelace"]
    assert names("contains=ada%20lov") == names("contains=a_lov") == ["Ada_Lovelace"]
    # Those that begin with the text come first.
    assert names("contains=h") == [
        "Hedy_Lamarr",
        "Henri_Poincare",
        "Emmy_Noether",
        "Grace_Hopper",
        "Katherine_Johnson",
        "Leonhard_Euler",
    ]
    assert names("contains=%25") == names("contains=nobody") == []
    with demo.app_context():
        db.session.execute(
            update(Image)
            .where(Image.dataset_id == 2, Image.identity == "Carl_Gauss")
            .values(identity="Only Beta")
        )
        db.session.commit()
    assert names("contains=only&dataset=beta") == ["Only Beta"]
    assert names("contains=only&dataset=alpha") == []


def test_names_are_bounded_and_the_rest_is_told(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        people = [f"Person_{n:03d}" for n in range(21)]
        factories.make_dataset(db.session(), "people", identities=people, pairs=10)
        db.session.commit()
    body = client.get("/api/v1/identities?contains=person").get_json()
    assert [row["identity"] for row in body["rows"]] == people[:20]
    assert body["more"] is True
    assert client.get("/api/v1/identities?contains=_00").get_json()["more"] is False


@pytest.mark.parametrize(
    "query", ["", "contains=", "contains=a&contains=b", "contains=a&x=1", "contains=a&dataset=no"]
)
def test_a_wrong_question_for_names_is_refused(demo_client: FlaskClient, query: str) -> None:
    assert demo_client.get(f"/api/v1/identities?{query}").status_code == 400


def test_a_name_with_spaces_is_looked_for_in_vain_but_not_left_there(demo: Flask) -> None:
    client = demo.test_client()
    shown = page(client, "/explorer?identity1__contains=Ada%20Love&fold__gte=0")
    (link,) = [a["href"] for a in shown.all("a") if a.text == "look for them so"]
    assert query_of(link) == [("identity1__contains", "Ada_Love"), ("fold__gte", "0")]
    with demo.app_context():
        assert db.session.query(Pair).filter_by(identity1="Ada_Lovelace").count()
    assert "data-row" in client.get(link).text
