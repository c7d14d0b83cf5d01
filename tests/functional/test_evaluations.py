"""The leaderboard, the page of an evaluation, its figures and the script that draws them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, select

from app.evaluations import plotly_file
from app.extensions import db
from app.models import Evaluation, FaceModel, Pair, Result
from tests import factories

# -------------------------------------------------------------------------------- leaderboard


def models_of(page: str, dataset: str) -> list[str]:
    """Return the models of a dataset's board, in their order."""
    board = page.split(f'id="dataset-{dataset}"')[1].split("</section>")[0]
    return re.findall(rf'href="/models/(\w+)/{dataset}"', board)


def test_the_order_is_in_the_url(demo: Flask) -> None:
    with demo.app_context():
        rows = db.session.scalars(select(Evaluation).where(Evaluation.dataset_id == 1)).all()
        for row, eer in zip(rows, (0.3, 0.1, 0.2), strict=True):
            row.eer = eer
        db.session.commit()
        by_eer = [row.model.name for row in sorted(rows, key=lambda row: row.eer)]
    client = demo.test_client()

    assert models_of(client.get("/models?sort=eer").text, "alpha") == by_eer
    assert models_of(client.get("/models?sort=-eer").text, "alpha") == by_eer[::-1]
    assert models_of(client.get("/models?sort=-model").text, "alpha") == [
        "third",
        "second",
        "first",
    ]


def test_the_head_of_a_column_sorts_the_best_first_and_then_turns(
    demo_client: FlaskClient,
) -> None:
    page = demo_client.get("/models").text
    assert 'aria-sort="descending"><a href="/models?sort=accuracy"' in page
    assert 'href="/models?sort=eer"' in page
    assert 'href="/models?sort=-auc"' in page
    assert 'href="/models?sort=-eer"' in demo_client.get("/models?sort=eer").text


def test_what_is_not_known_comes_last_either_way(demo: Flask) -> None:
    with demo.app_context():
        rows = db.session.scalars(select(Evaluation).where(Evaluation.dataset_id == 1)).all()
        for row, rate in zip(rows, (None, 0.5, 0.9), strict=True):
            row.tar_at_far_1e2 = rate
        db.session.commit()
        missing = rows[0].model.name
    client = demo.test_client()

    for sort in ("tar_at_far_1e2", "-tar_at_far_1e2"):
        assert models_of(client.get(f"/models?sort={sort}").text, "alpha")[-1] == missing
    assert "too few pairs" in client.get("/models").text


def test_the_best_of_a_dataset_is_said_not_only_shown(demo: Flask) -> None:
    with demo.app_context():
        for row in db.session.scalars(select(Evaluation)):
            row.ece = 0.01 * row.model_id
        db.session.commit()
    page = demo.test_client().get("/models?dataset=alpha").text
    cells = re.findall(r'data-label="ECE">(.*?)</td>', page, re.DOTALL)

    assert len(cells) == 3
    (best,) = [cell for cell in cells if "(best)" in cell]
    assert "0.0100" in best


def test_one_model_alone_is_not_called_the_best(demo: Flask) -> None:
    with demo.app_context():
        dataset = factories.make_dataset(db.session(), "gamma", pairs=20, first_id=50001)
        model = db.session.scalars(select(FaceModel)).first()
        assert model is not None
        factories.make_evaluation(db.session(), dataset, model)
        db.session.commit()
    assert "(best)" not in demo.test_client().get("/models?dataset=gamma").text


def test_a_dataset_is_chosen_by_a_link(demo_client: FlaskClient) -> None:
    page = demo_client.get("/models?dataset=beta&sort=eer").text
    assert 'id="dataset-beta"' in page
    assert 'id="dataset-alpha"' not in page
    assert 'href="/models?dataset=alpha&amp;sort=eer"' in page
    assert "/api/v1/evaluations.csv?dataset=beta" in page


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sort=speed", "speed"),
        ("dataset=gamma", "gamma"),
        ("colour=1", "colour"),
        ("sort=eer&sort=auc", "sort stands 2 times"),
    ],
)
def test_what_the_leaderboard_does_not_know_is_refused(
    demo_client: FlaskClient, query: str, named: str
) -> None:
    answer = demo_client.get(f"/models?{query}")
    assert answer.status_code == 400
    assert named in answer.text


def test_csv_and_json_tell_the_same(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/api/v1/evaluations.csv?dataset=beta")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    listed = json.loads(demo_client.get("/api/v1/evaluations?dataset=beta").text)["rows"]

    assert answer.content_type.startswith("text/csv")
    assert [row["model"] for row in rows] == [row["model"] for row in listed] == ["first", "second"]
    for row, told in zip(rows, listed, strict=True):
        assert set(told) - {"url"} == set(row)
        assert float(row["accuracy"]) == told["accuracy"]
        assert float(row["ece"]) == told["ece"]
        assert (row["tar_at_far_1e3"], told["tar_at_far_1e3"]) == ("", None)
        assert (row["fold_count"], told["fold_count"]) == ("10", 10)
        assert row["finished"] == told["finished"] == "2026-01-02T03:04:05+00:00"
    assert demo_client.get("/api/v1/evaluations.csv?colour=1").status_code == 400


# --------------------------------------------------------------------------------- evaluation


def test_every_bar_of_the_histogram_leads_to_its_pairs(demo_client: FlaskClient) -> None:
    page = demo_client.get("/models/first/alpha").text
    links = re.findall(
        r'<a href="(/explorer\?[^"]*distance__[^"]*)" tabindex="-1"><title>(\d+)', page
    )

    assert sum(int(count) for _link, count in links) == 60
    for link, count in links:
        answer = demo_client.get(link.replace("&amp;", "&").replace("/explorer", "/api/v1/pairs"))
        assert json.loads(answer.text)["count"] == int(count), link


def test_every_bin_of_confidence_leads_to_its_pairs(demo_client: FlaskClient) -> None:
    page = demo_client.get("/models/first/alpha").text
    links = re.findall(r'<a href="(/explorer\?[^"]*confidence__[^"]*)">([\d,]+)</a>', page)

    assert len(links) > 8
    for link, count in links:
        answer = demo_client.get(link.replace("&amp;", "&").replace("/explorer", "/api/v1/pairs"))
        assert json.loads(answer.text)["count"] == int(count), link


def test_a_fold_is_picked_out_by_the_url(demo_client: FlaskClient) -> None:
    page = demo_client.get("/models/first/alpha?fold=3&roc=log").text

    assert page.count('class="fold is-chosen"') == 2
    assert page.count('class="fold is-other"') == 18
    assert re.search(r'data-fold="3"[^>]*aria-current', page)
    assert 'data-fold-row="3" class="is-current"' in page
    assert 'href="/models/first/alpha?fold=4&amp;roc=log#distances"' in page


@pytest.mark.parametrize("query", ["fold=10", "fold=x", "fold=1&fold=2", "colour=1", "roc=cubic"])
def test_a_view_that_is_not_known_is_refused(demo_client: FlaskClient, query: str) -> None:
    assert demo_client.get(f"/models/first/alpha?{query}").status_code == 400


def test_an_evaluation_of_one_label_still_has_a_page(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        dataset = factories.make_dataset(session, "gamma", pairs=20, first_id=50001)
        model = session.scalars(select(FaceModel)).first()
        assert model is not None
        factories.make_evaluation(session, dataset, model)
        labelled = select(Pair.id).where(Pair.dataset_id == dataset.id, Pair.genuine)
        session.execute(delete(Result).where(Result.pair_id.in_(labelled)))
        session.commit()
    client = demo.test_client()

    page = client.get("/models/first/gamma")
    assert page.status_code == 200
    assert 'data-plot="histogram"' in page.text
    assert 'data-plot="roc"' not in page.text
    assert client.get("/models/first/gamma/figures.json").status_code == 200
    assert client.get("/api/v1/evaluations/first/gamma").status_code == 200


def statements_of(app: Flask, url: str) -> int:
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    assert app.test_client().get(url).status_code == 200
    event.remove(engine, "before_cursor_execute", note)
    return len([each for each in found if each.lstrip().upper().startswith("SELECT")])


def test_a_page_is_made_once_until_the_evaluation_is_another(demo: Flask) -> None:
    url = "/models/first/alpha"
    first, second = statements_of(demo, url), statements_of(demo, url)
    with demo.app_context():
        row = db.session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
        assert row is not None
        row.finished = row.finished.replace(year=2027)
        db.session.commit()

    # What tells the data apart, the evaluation, packed columns of its pairs and results, and, as
    # none are packed here, their rows; then the page is kept.
    assert (first, second) == (6, 1)
    assert statements_of(demo, url) == 6


def test_figures_hold_no_markup_that_the_policy_forbids(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/models/first/alpha/figures.json")
    figures = json.loads(answer.text)

    assert set(figures) == {
        "histogram",
        "confidence",
        "roc",
        "roc-log",
        "det",
        "reliability",
        "above",
    }
    assert set(re.findall(r"<(\w+)", answer.text)) <= {"br", "extra"}
    types = {trace["type"] for figure in figures.values() for trace in figure["data"]}
    assert types == {"bar", "scatter"}  # none that draws by WebGL or loads a map
    again = demo_client.get(
        "/models/first/alpha/figures.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


# ------------------------------------------------------------------------------------- plotly


def test_the_script_comes_from_the_wheel_compressed_and_for_ever(demo_client: FlaskClient) -> None:
    (url,) = re.findall(r'src="(/plotly/[^"]*)" defer', demo_client.get("/models/first/alpha").text)
    packed = demo_client.get(url, headers={"Accept-Encoding": "br, gzip"})
    plain = demo_client.get(url)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "immutable" in packed.headers["Cache-Control"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 3
    refused = demo_client.get(url, headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    outdated = demo_client.get("/plotly/1.0.0-0/plotly.min.js")
    assert outdated.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("page", ["/", "/models", "/explorer", "/viewer/1", "/method"])
def test_other_pages_do_not_load_it(demo_client: FlaskClient, page: str) -> None:
    assert "plotly" not in demo_client.get(page).text.casefold()


def test_without_plotly_the_page_is_what_it_is_without_scripts(
    demo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = plotly_file.__name__
    monkeypatch.setattr(f"{url}.find_script", lambda: None)
    page = demo_client.get("/models/first/alpha").text

    assert '<script src="/plotly/' not in page
    assert "data-plots" not in page
    assert page.count("data-static") == 6
    assert demo_client.get("/plotly/7.1.0-0/plotly.min.js").status_code == 404
