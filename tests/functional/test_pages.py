"""The front page, the models, the method, the probes, the headers and the static files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from app import create_app
from app.assets import read_folder, version_of
from app.extensions import db
from app.models import Dataset, Evaluation, ExplanationSet, Result
from tests import factories
from tests.conftest import site_settings

PAGES = [
    "/",
    "/models",
    "/method",
    "/api/docs",
    "/models/first/alpha",
    "/viewer/1",
    "/explorer",
    "/triage",
    "/triage/queue?reviewer=Ada",
    "/triage/report",
]


def status_of(client: FlaskClient, url: str) -> int:
    with client.get(url) as answer:  # closes the file that a static answer holds open
        return answer.status_code


# ------------------------------------------------------------------------------------- pages


def test_progress_is_read_from_small_tables(demo: Flask) -> None:
    with demo.app_context():
        engine = db.engine
        expected = {
            (each.model.name, each.dataset.name): db.session.execute(
                select(func.count().filter(Result.explained), func.avg(Result.confidence)).where(
                    Result.model_id == each.model_id, Result.dataset_id == each.dataset_id
                )
            ).one()
            for each in db.session.scalars(select(Evaluation))
        }
    asked: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement)
    )
    rows = demo.test_client().get("/progress.json").get_json()["rows"]
    assert len(rows) == len(expected) == 5
    for row in rows:
        explained, confidence = expected[row["model"], row["dataset"]]
        assert row["explained"] == explained
        assert row["confidence"] == pytest.approx(confidence)
    tables = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", " ".join(asked)))
    assert tables == {"dataset", "evaluation", "face_model", "explanation_set"}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_title_of_its_own_and_no_inline_code(
    demo_client: FlaskClient, page: str
) -> None:
    text = demo_client.get(page).text

    assert re.search(r"<title>[^<]{10,}</title>", text)
    assert text.count("<h1") == 1
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
    assert not re.search(r"\s(style|on[a-z]+)=[\"']", text)
    assert not re.search(r"(src|href)=[\"']https?://(?!arxiv\.org)", text)


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_site_lead_somewhere(demo_client: FlaskClient, page: str) -> None:
    links = set(re.findall(r"(?:href|src)=\"(/[^\"#]*)", demo_client.get(page).text))

    broken = {link for link in links if status_of(demo_client, link.replace("&amp;", "&")) >= 400}

    assert not broken


def test_the_front_page_counts_what_is_here(demo_client: FlaskClient) -> None:
    page = demo_client.get("/").text
    rows = {row["dataset"] + "/" + row["model"]: row for row in progress(demo_client)["rows"]}

    assert sorted(rows) == [
        "alpha/first",
        "alpha/second",
        "alpha/third",
        "beta/first",
        "beta/second",
    ]
    assert rows["alpha/first"]["pairs"] == 60
    assert rows["alpha/first"]["explained"] == 19
    assert 0.5 <= rows["alpha/first"]["confidence"] <= 1
    assert all(f'data-row="{name}"' in page for name in rows)


def test_the_front_page_offers_an_explained_pair(demo_client: FlaskClient) -> None:
    page = demo_client.get("/?method=II").text

    assert "/explanations/first?spec=default" in page
    assert 'value="II" checked' in page


def test_the_front_page_of_an_empty_site_says_how_to_fill_it(client: FlaskClient) -> None:
    page = client.get("/").text

    assert "make demo" in page
    assert "flask compute --dataset" in page
    assert 'data-progress="/progress.json"' in page


def test_a_dataset_that_waits_for_its_first_model_is_named(demo: Flask) -> None:
    with demo.app_context():
        factories.make_dataset(db.session(), "gamma", pairs=4, first_id=50001)
        db.session.commit()
    client = demo.test_client()

    assert "not verified by any model yet" in client.get("/").text
    assert progress(client)["complete"] is False


def test_a_finished_site_is_not_asked_again(demo_client: FlaskClient) -> None:
    assert progress(demo_client)["complete"] is True
    assert "data-progress=" not in demo_client.get("/").text


def test_names_from_the_database_are_escaped(demo: Flask) -> None:
    with demo.app_context():
        dataset = db.session.scalars(select(Dataset).where(Dataset.name == "alpha")).one()
        dataset.title = "<b>alpha</b>"
        db.session.commit()
    client = demo.test_client()

    for page in ("/", "/models", "/models/first/alpha", "/viewer/1"):
        assert "<b>alpha" not in client.get(page).text
        assert "&lt;b&gt;alpha" in client.get(page).text


def test_an_evaluation_lists_its_folds(demo_client: FlaskClient) -> None:
    page = demo_client.get("/models/first/alpha").text

    assert page.count("&amp;fold=") == 10
    assert "few pairs" in page
    assert page.count('class="fold-line"') == 20  # c over the histogram, C over distance


def test_an_unknown_evaluation_is_named(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/models/third/beta")

    assert answer.status_code == 404
    assert "no evaluation of" in answer.text


def progress(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/progress.json")
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.get_json()
    return found


# ------------------------------------------------------------------------------------ probes


def test_healthz_needs_no_database(tmp_path: Path) -> None:
    nowhere = site_settings(tmp_path, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    client = create_app(nowhere).test_client()

    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "database" in ready.get_json()["reason"]


def test_readyz_wants_every_migration(tmp_path: Path) -> None:
    app = create_app(site_settings(tmp_path, f"sqlite:///{tmp_path / 'bare.sqlite3'}"))

    ready = app.test_client().get("/readyz")
    with app.app_context():
        db.session.remove()
        db.engine.dispose()

    assert ready.status_code == 503
    assert "db upgrade" in ready.get_json()["reason"]


def test_readyz_wants_something_to_show(client: FlaskClient) -> None:
    ready = client.get("/readyz")

    assert ready.status_code == 503
    assert ready.get_json()["ready"] is False
    assert "Nothing is verified" in ready.get_json()["reason"]


def test_readyz_is_content_with_one_evaluation(demo_client: FlaskClient) -> None:
    ready = demo_client.get("/readyz")

    assert ready.status_code == 200
    assert ready.json == {"ready": True}


def test_readyz_waits_for_the_whole_demo(demo: Flask) -> None:
    client = demo.test_client()
    with demo.app_context():
        session = db.session()
        dataset = factories.make_dataset(session, "demo", pairs=20, first_id=30001)
        model = session.scalars(select(Evaluation)).first()
        assert model is not None
        session.commit()
        waiting = client.get("/readyz")
        evaluation = factories.make_evaluation(session, dataset, model.model)
        explained = factories.make_explanations(session, evaluation, range(30001, 30011))
        explained.wanted_count = 12
        session.commit()
        half = client.get("/readyz")
        session.get_one(ExplanationSet, explained.id).wanted_count = 10
        session.commit()
        done = client.get("/readyz")

    assert (waiting.status_code, half.status_code, done.status_code) == (503, 503, 200)
    assert "10 of 12" in half.get_json()["reason"]


# ---------------------------------------------------------------------- headers, static files


@pytest.mark.parametrize(
    "path", ["/", "/viewer/1", "/nothing", "/api/v1/nothing", "/healthz", "/viewer/1/1.png"]
)
def test_every_answer_carries_the_security_headers(demo_client: FlaskClient, path: str) -> None:
    headers = demo_client.get(path).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_static_files_are_cached_by_their_content(client: FlaskClient) -> None:
    (style,) = re.findall(r'href="([^"]*/css/site\.css)"', client.get("/").text)
    outdated = re.sub(r"static/[^/]*/", "static/000000000000/", style)

    with client.get(style) as named, client.get(outdated) as other:
        assert "immutable" in named.headers["Cache-Control"]
        assert other.headers["Cache-Control"] == "no-cache"
    assert status_of(client, style.replace("site.css", "none.css")) == 404


def test_an_edited_static_file_changes_the_version(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one")
    before = version_of(read_folder(tmp_path))
    (tmp_path / "a.js").write_text("two")

    assert version_of(read_folder(tmp_path)) != before


# -------------------------------------------------------------------------- the front page's parts


def test_the_front_page_tells_licence_source_and_sums(demo_client: FlaskClient) -> None:
    page = demo_client.get("/").text
    totals = dict(re.findall(r'data-total="(\w+)">([^<]+)<', page))

    assert page.count("Made up for tests") == 2
    assert page.count("Source: tests/factories.py") == 2
    assert totals["datasets"] == "2"
    assert totals["models"] == "3"
    assert totals["pairs"] == "90"
    assert totals["explained"] == "19"


def test_the_front_page_answers_the_question_of_its_pair(demo_client: FlaskClient) -> None:
    page = demo_client.get("/").text

    (shown,) = re.findall(r"on pair (\d+) of Alpha", page)
    pair = demo_client.get(f"/api/v1/pairs/{shown}").get_json()
    result = pair["models"]["first"]
    assert f"<strong>{result['confidence']:.3f}</strong>" in page
    assert ("<strong>Yes</strong>" in page) == (result["prediction"] == "genuine")
    assert result["correct"]
    assert pair["genuine"] is False


def test_the_front_page_can_be_cited(client: FlaskClient) -> None:
    page = client.get("/").text

    assert "@inproceedings{knoche2023explainable," in page
    assert "flask models add NAME --onnx FILE" in page
    assert "must not be used to decide about anyone" in page
