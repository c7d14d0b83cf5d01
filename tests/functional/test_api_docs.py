"""The OpenAPI document against the site itself: every route, every field, every filter."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import select

from app.api import contract
from app.api.contract import FLAG, TEXT, Part, record
from app.api.grammar import SINGLE_SCHEMAS
from app.api.openapi import UndeclaredError, _hoist, routes_of
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS
from app.explorer.operators import OPERATORS
from app.explorer.parsing import SINGLE
from app.extensions import db
from app.models import FaceModel
from app.models.review import Review
from tests import factories

VALUES: Final = {"integer": "1", "number": "0.5", "string": "x"}


@pytest.fixture
def document(demo_client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = demo_client.get("/api/openapi.json").get_json()
    return found


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow one reference within the document."""
    for name in node["$ref"].split("/")[1:] if "$ref" in node else ():
        document = document[name]
    return document if "$ref" in node else node


def schema_of(document: dict[str, Any], described: dict[str, Any], status: str) -> dict[str, Any]:
    answer = resolved(document, described["responses"][status])
    schema = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


# -------------------------------------------------------------------------------- the document


def test_the_document_is_openapi_as_its_authors_define_it(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    # The validator does look: what the specification does not know is named.
    broken = {**document, "info": {"title": "XFV"}, "route": {}}
    told = " ".join(error.message for error in OpenAPIV31SpecValidator(broken).iter_errors())
    assert "'version' is a required property" in told
    assert "'route'" in told


def test_the_document_of_an_empty_site_is_openapi_too(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_address_of_the_api_is_described(demo: Flask, document: dict[str, Any]) -> None:
    rules = {
        (re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in demo.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.rule != "/api/docs"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {(path, method) for path, method, _ in operations(document)} == rules


def test_a_route_that_declares_nothing_is_named(demo: Flask) -> None:
    silent = Blueprint("silent", __name__)
    silent.get("/api/v1/silent")(lambda: "")
    app = Flask(__name__)
    app.register_blueprint(silent)

    with pytest.raises(UndeclaredError, match=r"/api/v1/silent.*@operation"):
        routes_of(app)


def test_a_part_of_a_path_without_words_is_named() -> None:
    app = Flask(__name__)

    @app.get("/api/v1/things/<thing>")
    @contract.operation("Things", record({"good": FLAG}))
    def things(thing: str) -> str:
        return thing

    with pytest.raises(UndeclaredError, match="'thing'"):
        routes_of(app)
    things.operation.parts["thing"] = Part(TEXT, "a thing", "one")  # type: ignore[attr-defined]
    assert [route.template for route in routes_of(app)] == ["/api/v1/things/{thing}"]


def test_two_schemas_never_share_a_title() -> None:
    schemas: dict[str, Any] = {}
    _hoist(record({"a": TEXT}, title="One"), schemas)

    with pytest.raises(ValueError, match="'One'"):
        _hoist(record({"b": TEXT}, title="One"), schemas)


def test_the_document_holds_together(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    text = json.dumps(document)
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', text)):
        resolved(document, {"$ref": reference})  # raises KeyError where it leads nowhere
    ids = [described["operationId"] for _, _, described in operations(document)]
    assert len(ids) == len(set(ids))
    for path, _, described in operations(document):
        parameters = [resolved(document, each) for each in described["parameters"]]
        names = [(each["in"], each["name"]) for each in parameters]
        assert len(names) == len(set(names))
        in_path = {name for where, name in names if where == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert described["summary"].endswith(".")
        for each in parameters:
            Draft202012Validator.check_schema(each["schema"])
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_document_of_an_empty_site_is_valid_too(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()

    filters = document["components"]["parameters"]["filters"]["schema"]["properties"]
    assert "fold__gte" in filters
    assert not [name for name in filters if "." in name]
    assert client.get("/api/docs").status_code == 200


def test_every_answer_says_where_it_is_described(demo_client: FlaskClient) -> None:
    for path in ("/api/v1/pairs", "/api/v1/nothing", "/api/docs"):
        assert 'rel="service-desc"' in demo_client.get(path).headers["Link"]
    assert "Link" not in demo_client.get("/models").headers


# --------------------------------------------------------------------------- documented = real


def test_real_answers_have_the_documented_fields_and_no_others(
    demo_client: FlaskClient, document: dict[str, Any]
) -> None:
    for path, method, described in operations(document):
        if method != "get":
            continue
        answer = demo_client.get(described["x-example"])
        body = answer.get_data()  # reads a streamed answer to its end, too
        assert answer.status_code == 200, (path, body)
        (status,) = [code for code in described["responses"] if code.startswith("2")]
        (media_type,) = described["responses"][status]["content"]
        assert answer.mimetype == media_type, path
        if media_type == "application/json":
            schema = schema_of(document, described, status)
            Draft202012Validator(schema).validate(json.loads(body))


def test_a_stored_review_has_the_documented_fields(demo: Flask, document: dict[str, Any]) -> None:
    with demo.app_context():
        db.session.add(
            Review(
                pair_id=1,
                model_id=db.session.scalars(select(FaceModel.id).filter_by(name="first")).one(),
                reviewer="Ada",
                revision=1,
                answer="same",
                certainty=80,
                machine_shown=False,
                prediction=True,
                confidence=0.75,
                seconds=None,
                created=factories.FINISHED,
            )
        )
        db.session.commit()
    described = document["paths"]["/api/v1/reviews"]["get"]

    body = demo.test_client().get("/api/v1/reviews").get_json()

    assert [row["reviewer"] for row in body["rows"]] == ["Ada"]
    Draft202012Validator(schema_of(document, described, "200")).validate(body)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pairs?model=second&size=30",  # results that are missing, qualities that are null
        "/api/v1/pairs/2",
        "/api/v1/pairs/40/explanations/first",  # not explained: a command instead
    ],
)
def test_answers_at_the_edge_have_the_documented_fields(
    demo_client: FlaskClient, document: dict[str, Any], path: str
) -> None:
    template = re.sub(r"/first$", "/{model}", re.sub(r"/\d+", "/{pair_id}", path.split("?")[0]))
    schema = schema_of(document, document["paths"][template]["get"], "200")

    Draft202012Validator(schema).validate(json.loads(demo_client.get(path).text))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/pairs?colour=1", 400),
        ("/api/v1/pairs?genuine=2", 400),
        ("/api/v1/pairs/99999", 404),
        ("/api/v1/evaluations/none/alpha", 404),
        ("/api/openapi.json?a=1", 400),
    ],
)
def test_errors_have_the_documented_body(
    demo_client: FlaskClient, document: dict[str, Any], path: str, status: int
) -> None:
    answer = demo_client.get(path)
    assert answer.status_code == status
    schema = {
        "$ref": "#/components/schemas/Error",
        "components": document["components"],
    }
    Draft202012Validator(schema).validate(json.loads(answer.text))


# ------------------------------------------------------------------------------------- filters


def test_the_filters_are_one_exploded_object(document: dict[str, Any]) -> None:
    filters = document["components"]["parameters"]["filters"]

    assert (filters["style"], filters["explode"]) == ("form", True)
    names = set(filters["schema"]["properties"])
    columns = [*PAIR_COLUMNS.items()]
    columns += [
        (f"{m}.{n}", c) for m in ("first", "second", "third") for n, c in MODEL_COLUMNS.items()
    ]
    assert names == {
        f"{name}__{op.name}"
        for name, column in columns
        for op in OPERATORS.values()
        if column.kind in op.kinds
    } | {name for name, _ in columns if name != "dataset"}


def test_the_single_parameters_are_those_of_the_grammar() -> None:
    assert {*SINGLE_SCHEMAS, "sort"} == set(SINGLE)


def test_every_documented_filter_is_answered(
    demo_client: FlaskClient, document: dict[str, Any]
) -> None:
    filters = document["components"]["parameters"]["filters"]["schema"]["properties"]
    for name, schema in filters.items():
        value = str(schema["enum"][0]) if "enum" in schema else VALUES[schema["type"]]
        if name.endswith("__in"):
            candidates = ("1,2", "0", "0.5,1", "genuine", "alpha,beta", "x,y")
            value = next(text for text in candidates if re.search(schema["pattern"], text))
        answer = demo_client.get("/api/v1/pairs", query_string={name: value, "size": 10})
        assert answer.status_code == 200, (name, value, answer.text)


def test_every_documented_sort_key_is_answered(
    demo_client: FlaskClient, document: dict[str, Any]
) -> None:
    schema = document["components"]["parameters"]["sort"]["schema"]
    for key in schema["items"]["enum"]:
        assert demo_client.get(f"/api/v1/pairs?size=10&sort={key}").status_code == 200, key


# ---------------------------------------------------------------------------------------- page


def test_the_page_shows_every_address_with_a_form_that_works_without_scripts(
    demo_client: FlaskClient, document: dict[str, Any]
) -> None:
    page = demo_client.get("/api/docs").text

    for path, _, described in operations(document):
        assert f"<code>{path}</code>" in page
        assert described["x-example"].replace("&", "&amp;") in page
    forms = re.findall(
        r'<form class="try" method="get" action="([^"]+)".*?</form>', page, re.DOTALL
    )
    assert len(forms) == len(document["paths"])
    for form in re.finditer(r'<form class="try".*?</form>', page, re.DOTALL):
        action = re.search(r'action="([^"]+)"', form[0])
        inputs = re.findall(r'value="([^"]*)" name="([^"]+)"', form[0])
        assert action is not None
        query = {name: value for value, name in inputs}
        assert demo_client.get(action[1], query_string=query).status_code == 200
