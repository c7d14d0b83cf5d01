"""Triage: the queue, the answers that are stored, what stays hidden, the report, the export."""

from __future__ import annotations

import csv
import io
import os
import re
import sqlite3
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.models import Pair, Result, Review
from app.settings import ROOT
from app.triage import reviews
from tests import factories
from tests.conftest import close_database, site_settings

STUDY = {"dataset": "alpha", "model": "first", "reviewer": "Ada"}


def queue_url(**changes: object) -> str:
    return "/triage/queue?" + urlencode({**STUDY, **changes})


def pair_shown(page: str) -> int:
    (found,) = re.findall(r'name="pair" value="(\d+)"', page)
    return int(found)


def answer(
    client: FlaskClient,
    pair: int,
    said: str = "same",
    certainty: int | str = 80,
    *,
    headers: dict[str, str] | None = None,
    **study: object,
) -> TestResponse:
    fields = {"pair": pair, "answer": said, "certainty": certainty, "sent": 0}
    return client.post(queue_url(**study), data=fields, headers=headers)


def stored(app: Flask) -> list[Review]:
    with app.app_context():
        return list(db.session.scalars(select(Review).order_by(Review.id)))


def queued(app: Flask, below: float = 0.9) -> list[int]:
    """Return the pairs of alpha below a confidence of first, least sure first."""
    with app.app_context():
        statement = (
            select(Result.pair_id)
            .join(Pair)
            .where(Pair.id < 100, Result.model_id == 1, Result.confidence < below)
            .order_by(Result.confidence, Result.pair_id)
        )
        return list(db.session.scalars(statement))


# ------------------------------------------------------------------------------------- queue


def test_the_choices_count_the_queue(demo: Flask) -> None:
    client = demo.test_client()
    queue = queued(demo, 0.8)
    answer(client, queue[0])

    page = client.get(f"/triage?{urlencode({**STUDY, 'below': 0.8})}").text

    assert f'<span class="figure-number">{len(queue)}</span>' in page
    assert "Ada has answered 1 of them" in page


def test_a_dataset_is_offered_with_the_models_that_saw_it(demo: Flask) -> None:
    asked = "dataset=beta&model=third&reviewer=Ada"
    started = demo.test_client().get(f"/triage/queue?{asked}")
    assert (started.status_code, started.location) == (303, f"/triage?{asked}")

    page = demo.test_client().get(started.location).text
    assert "third did not see beta" in page
    offered = re.search(r'name="model">(.*?)</select>', page)
    assert offered is not None
    assert re.findall('value="([^"]*)"', offered[1]) == ["first", "second"]


def test_a_place_in_the_queue_is_a_pair_of_it(demo: Flask) -> None:
    for pair in (6001, 999_999):  # of another dataset, of none
        answer = demo.test_client().get(queue_url(after=pair))
        assert answer.status_code == 400
        assert f"no result of a pair {pair} in alpha" in answer.text


def test_least_sure_pairs_come_first(demo: Flask) -> None:
    client = demo.test_client()
    queue = queued(demo)
    seen = []
    for _ in range(3):
        seen.append(pair_shown(client.get(queue_url()).text))
        answer(client, seen[-1])

    assert seen == queue[:3]


@pytest.mark.parametrize("order", ["least", "mixed"])
def test_skipping_passes_every_open_pair_once(demo: Flask, order: str) -> None:
    client = demo.test_client()
    queue = queued(demo)
    answer(client, queue[1])
    seen = []
    url = queue_url(order=order)
    while 'data-key="n"' in (page := client.get(url).text):
        seen.append(pair_shown(page))
        (link,) = re.findall(r'href="([^"]*)" data-key="n"', page)
        url = unescape(link)

    assert sorted(seen) == sorted(set(queue) - {queue[1]})
    assert (seen == [pair for pair in queue if pair != queue[1]]) is (order == "least")
    assert "skipped some pairs" in page


def test_only_explained_pairs_where_that_is_asked(demo: Flask) -> None:
    page = demo.test_client().get(queue_url(explained=1, below=1)).text

    assert pair_shown(page) in range(1, 20)
    assert page.count("/media/xmaps/") == 6


def test_names_and_labels_stay_hidden(demo: Flask) -> None:
    client = demo.test_client()
    for url in (queue_url(), queue_url(show="after"), queue_url(explained=1)):
        page = client.get(url).text
        for name in factories.NAMES:
            assert name not in page
            assert name.replace("_", " ") not in page
        assert "badge-right" not in page
        assert "badge-wrong" not in page
        assert "/viewer/" not in page
        assert "/pairs/" not in page


def test_a_reviewed_queue_leads_to_the_report(demo: Flask) -> None:
    client = demo.test_client()
    queue = queued(demo, 0.6)
    assert queue
    for pair in queue:
        answer(client, pair, below=0.6)

    page = client.get(queue_url(below=0.6)).text

    assert "All reviewed" in page
    assert "/triage/report?" in page


def test_a_page_takes_the_same_few_statements(demo: Flask) -> None:
    client = demo.test_client()
    statements: list[str] = []
    with demo.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, text, *_: statements.append(text))
    counts = []
    for number, pair in enumerate(queued(demo)[:6]):
        if number:
            answer(client, pair)
        for url in (queue_url(), "/triage/report?dataset=alpha&model=first"):
            statements.clear()
            client.get(url)
            counts.append(len([text for text in statements if "statement_timeout" not in text]))

    assert set(counts[2::2]) == {counts[2]}
    assert counts[2] <= 10
    assert set(counts[1::2]) == {4}


# ----------------------------------------------------------------------------------- answers


def test_an_answer_is_stored_with_what_the_machine_said(demo: Flask) -> None:
    client = demo.test_client()
    pair = queued(demo)[0]

    response = answer(client, pair, "different", 90)

    assert response.status_code == 303
    assert response.headers["Location"] == "/triage/queue?dataset=alpha&model=first&reviewer=Ada"
    (review,) = stored(demo)
    with demo.app_context():
        result = db.session.get_one(Result, (pair, 1))
        assert (review.prediction, review.confidence) == (result.prediction, result.confidence)
    assert (review.pair_id, review.model_id, review.reviewer) == (pair, 1, "Ada")
    assert (review.answer, review.certainty, review.revision) == ("different", 90, 1)
    assert review.machine_shown is True


def test_a_double_click_is_one_answer_and_a_change_is_a_further_one(demo: Flask) -> None:
    client = demo.test_client()
    pair = queued(demo)[0]
    for said, certainty in [("same", 80), ("same", 80), ("different", 80), ("same", 80)]:
        answer(client, pair, said, certainty)

    rows = stored(demo)

    assert [(row.revision, row.answer) for row in rows] == [
        (1, "same"),
        (2, "different"),
        (3, "same"),
    ]
    page = client.get(queue_url(pair=pair)).text
    assert "Your answer: same, 80 % certain" in page
    assert f"/viewer/{pair}?" in page


def test_two_answers_at_the_same_time_cannot_both_be_the_first(
    demo: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = queued(demo)[0]
    answer(demo.test_client(), pair, "same", 80)
    real = reviews.reviews_of
    blind: Iterator[list[Review]] = iter(
        [[]]
    )  # the first look misses the other's answer, as in a race
    monkeypatch.setattr(reviews, "reviews_of", lambda *args: next(blind, None) or real(*args))

    response = answer(demo.test_client(), pair, "same", 80)

    assert response.status_code == 303
    assert len(stored(demo)) == 1


def test_the_way_back_follows_the_order_of_answers(demo: Flask) -> None:
    client = demo.test_client()
    first, second, third = queued(demo)[:3]
    for pair in (first, second):
        answer(client, pair)
    answer(client, first, "unsure")

    def back_from(url: str) -> list[str]:
        return re.findall(r'pair=(\d+)" data-key="b"', client.get(url).text)

    assert pair_shown(client.get(queue_url()).text) == third
    assert back_from(queue_url()) == [str(second)]
    assert back_from(queue_url(pair=second)) == [str(first)]
    assert "(last: unsure)" in client.get(queue_url(pair=second)).text
    assert back_from(queue_url(pair=first)) == []


def test_blind_answers_come_before_the_machine_is_shown(demo: Flask) -> None:
    client = demo.test_client()
    url = queue_url(show="after", explained=1, below=1)
    page = client.get(url).text
    pair = pair_shown(page)
    assert "/media/xmaps/" not in page
    assert "badge-genuine" not in page
    assert "badge-impostor" not in page
    assert 'class="track"' not in page

    response = answer(client, pair, "same", 80, show="after", explained=1, below=1)
    shown = client.get(response.headers["Location"]).text
    answer(client, pair, "different", 60, show="after", explained=1, below=1)

    assert f"pair={pair}" in response.headers["Location"]
    assert "before you saw what the machine says" in shown
    assert shown.count("/media/xmaps/") == 6
    assert [row.machine_shown for row in stored(demo)] == [False, True]


def test_other_sites_cannot_answer(demo: Flask) -> None:
    client = demo.test_client()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Origin": "http://elsewhere.test"},
        {"Origin": "null"},
    ):
        assert answer(client, 1, headers=headers).status_code == 403
    assert stored(demo) == []
    for pair, headers in (
        (1, {"Sec-Fetch-Site": "same-origin"}),
        (2, {"Origin": "http://localhost"}),
    ):
        assert answer(client, pair, headers=headers).status_code == 303
    assert len(stored(demo)) == 2


def test_what_cannot_be_an_answer_is_refused_and_nothing_stored(demo: Flask) -> None:
    client = demo.test_client()
    unsure: dict[str, Any] = {"pair": 1, "answer": "unsure"}
    cases: list[tuple[dict[str, Any], dict[str, Any], int]] = [
        ({}, {"pair": 1, "answer": "same", "certainty": ""}, 400),
        ({}, {"pair": 1, "answer": "maybe", "certainty": 80}, 400),
        ({}, {"pair": 99_999, "answer": "unsure"}, 404),
        ({}, {"pair": 6001, "answer": "unsure"}, 404),  # of another dataset
        ({"reviewer": ""}, unsure, 400),
        ({"reviewer": "a\u202eb"}, unsure, 400),
        ({"reviewer": "a\0b"}, unsure, 400),
    ]
    for study, fields, status in cases:
        assert client.post(queue_url(**study), data=fields).status_code == status
    assert stored(demo) == []


def test_a_form_without_an_answer_leads_back_to_its_pair(demo: Flask) -> None:
    response = answer(demo.test_client(), 7, "")

    assert response.status_code == 303
    assert response.headers["Location"].endswith("&reviewer=Ada&pair=7")
    assert stored(demo) == []


def test_only_forms_are_taken(demo: Flask) -> None:
    response = demo.test_client().post(queue_url(), json={"pair": 1, "answer": "unsure"})

    assert response.status_code == 400
    assert "sent as a form" in response.text


def test_floods_are_stopped(demo: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "MOST_A_MINUTE", 2)
    client = demo.test_client()

    statuses = [answer(client, pair) for pair in queued(demo)[:3]]

    assert [response.status_code for response in statuses] == [303, 303, 429]
    assert statuses[-1].headers["Retry-After"] == "60"
    assert len(stored(demo)) == 2


def test_the_database_refuses_what_makes_no_sense(demo: Flask) -> None:
    answer(demo.test_client(), 1)
    values = {
        "pair_id": 1,
        "model_id": 1,
        "reviewer": "Ada",
        "revision": 2,
        "answer": "same",
        "certainty": 80,
        "machine_shown": True,
        "prediction": True,
        "confidence": 0.7,
        "seconds": None,
        "created": factories.FINISHED,
    }
    nonsense: list[dict[str, Any]] = [
        {"answer": "maybe"},
        {"certainty": 49},
        {"certainty": 101},
        {"answer": "unsure"},
        {"confidence": 0.4},
        {"revision": 0},
        {"seconds": -1.0},
        {"reviewer": ""},
        {"pair_id": 99_999},
        {"revision": 1},  # there already
    ]
    with demo.app_context():
        for wrong in nonsense:
            with pytest.raises(IntegrityError):
                db.session.execute(insert(Review).values(**(values | wrong)))
            db.session.rollback()
        db.session.execute(insert(Review).values(**values))


# ------------------------------------------------------------------------- where nothing is stored


@pytest.fixture
def file_site(tmp_path: Path, migrated_file: Path) -> Iterator[tuple[Flask, Path]]:
    """Return a filled site on SQLite and its file."""
    path = tmp_path / "site.sqlite3"
    path.write_bytes(migrated_file.read_bytes())
    app = create_app(site_settings(tmp_path, f"sqlite:///{path}"))
    with app.app_context():
        factories.make_demo(db.session())
    yield app, path
    close_database(app)


def test_a_busy_database_is_told_and_the_answer_can_be_sent_again(
    file_site: tuple[Flask, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, path = file_site
    monkeypatch.setattr(reviews, "PATIENCE", 50)
    client = app.test_client()
    pipeline = sqlite3.connect(path, isolation_level=None)
    pipeline.execute("BEGIN IMMEDIATE")

    busy = answer(client, 1)
    pipeline.execute("ROLLBACK")
    pipeline.close()

    assert busy.status_code == 503
    assert "was not stored" in busy.text
    assert answer(client, 1).status_code == 303
    with app.app_context():  # the patience of everything else is as it was
        assert db.session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_a_database_that_can_only_be_read_says_so(
    file_site: tuple[Flask, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, path = file_site
    close_database(app)
    can_access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda name, mode: (
            not (mode == os.W_OK and str(path.parent) in str(name)) and can_access(name, mode)
        ),
    )
    fixed = create_app(site_settings(path.parent, f"sqlite:///{path}"))
    client = fixed.test_client()

    setup = client.get("/triage").text
    refused = answer(client, 1)
    close_database(fixed)

    assert "reviews cannot be stored here" in setup
    assert re.search(r"formaction=\"/triage/queue\" disabled", setup)
    assert refused.status_code == 503
    assert "can only be read" in refused.text


def test_switched_off_there_is_nothing(tmp_path: Path, database_url: str) -> None:
    app = create_app(site_settings(tmp_path, database_url, XFV_TRIAGE="off"))
    client = app.test_client()
    paths = ["/triage", "/triage/queue", "/triage/report", "/api/v1/reviews", "/api/v1/reviews.csv"]

    statuses = {path: client.get(path).status_code for path in paths}
    pages = [client.get(path).text for path in ("/", "/explorer", "/api/docs")]
    close_database(app)

    assert set(statuses.values()) == {404}
    assert not any("/triage" in page or "/reviews" in page for page in pages)


def test_an_empty_site_says_how_to_get_something_to_review(client: FlaskClient) -> None:
    for path in ("/triage", "/triage/report"):
        page = client.get(path)
        assert page.status_code == 200
        assert "make demo" in page.text


def test_one_module_of_the_site_writes() -> None:
    writing = re.compile(r"\.commit\(|import .*\b(insert|update|delete)\b")
    doors = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "app").rglob("*.py")
        if writing.search(path.read_text())
    }
    assert doors == {"app/triage/reviews.py"}


# ------------------------------------------------------------------------------------ report


def test_the_report_counts_by_hand(demo: Flask) -> None:
    """Three pairs, answered rightly, wrongly and not at all, with full certainty."""
    client = demo.test_client()
    with demo.app_context():
        rows = db.session.execute(
            select(Pair.id, Pair.genuine, Result.correct)
            .join(Result, Result.pair_id == Pair.id)
            .where(Result.model_id == 1, Pair.id < 100)
            .order_by(Result.correct, Pair.id)
        ).all()
    (mistake, truth, _), (hit, label, _) = rows[0], rows[-1]
    assert (rows[0].correct, rows[-1].correct) == (False, True)
    answer(client, mistake, "same" if truth else "different", 100)
    answer(client, hit, "different" if label else "same", 100)
    answer(client, rows[-2].id, "unsure")

    page = client.get("/triage/report?dataset=alpha&model=first&below=1").text

    cells = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    # pairs, machine, reviewer of the decided, unsure, with half, both, mended, made
    assert re.search(
        r"Ada 3 66\.7 % 2 of 3 20\.8 to 93\.9 50\.0 % 1 of 2 9\.5 to 90\.5 1 50\.0 % "
        r"66\.7 % 2 of 3 20\.8 to 93\.9 1 1",
        cells,
    )
    assert "3 reviewed pairs of alpha" in cells
    assert "0 of 3 answers given before" in cells


def test_the_report_tells_blind_answers_from_others(demo: Flask) -> None:
    client = demo.test_client()
    pair = queued(demo)[0]
    answer(client, pair, "same", 80, show="after")
    answer(client, pair, "unsure", show="after")
    answer(client, queued(demo)[1], "same", 80, reviewer="Bo")
    url = "/triage/report?dataset=alpha&model=first"

    everything, blind, shown = (
        client.get(url + more).text for more in ("", "&answers=blind", "&answers=shown")
    )

    assert "2 reviewed pairs" in everything
    assert "1 reviewed pair " in blind
    assert ">Bo<" not in blind
    assert "2 reviewed pairs" in shown
    assert client.get(url + "&answers=some").status_code == 400


def test_the_report_sets_reviewers_against_each_other(demo: Flask) -> None:
    client = demo.test_client()
    one, other = queued(demo)[:2]
    for name, second in (("Ada", "same"), ("Bo", "different")):
        answer(client, one, "same", reviewer=name)
        answer(client, other, second, reviewer=name)

    everyone = client.get("/triage/report?dataset=alpha&model=first").text
    ada = client.get("/triage/report?dataset=alpha&model=first&reviewer=Ada").text

    assert "All reviewers" in everyone
    assert "4 answers" in everyone
    assert "Ada, Bo" in everyone
    assert "1 of 2" in everyone
    assert "All reviewers</th>" not in ada
    assert "Ada, Bo" in ada


# ------------------------------------------------------------------------------------ export


def test_the_export_has_every_answer(demo: Flask) -> None:
    client = demo.test_client()
    pair = queued(demo)[0]
    answer(client, pair, "same", 80)
    answer(client, pair, "different", 60)
    answer(client, 6001, "unsure", dataset="beta", model="second", reviewer="=1+1")

    rows = client.get("/api/v1/reviews").get_json()["rows"]
    table = list(csv.DictReader(io.StringIO(client.get("/api/v1/reviews.csv").text)))

    assert [(row["pair"], row["revision"], row["latest"]) for row in rows] == [
        (pair, 1, False),
        (pair, 2, True),
        (6001, 1, True),
    ]
    assert rows[2]["dataset"] == "beta"
    assert rows[2]["model"] == "second"
    assert rows[0]["prediction"] in ("genuine", "impostor")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", rows[0]["created"])
    assert [list(row) for row in table] == [list(row) for row in rows]
    assert table[2]["reviewer"] == "'=1+1"  # no formula in a spreadsheet
    assert [row["latest"] for row in table] == ["0", "1", "1"]


def test_the_export_can_be_narrowed(demo: Flask) -> None:
    client = demo.test_client()
    answer(client, 1)
    answer(client, 6001, dataset="beta", model="second", reviewer="Bo")
    for query, count in [
        ("dataset=alpha", 1),
        ("dataset=alpha&dataset=beta", 2),
        ("model=second", 1),
        ("reviewer=Bo", 1),
        ("reviewer=Bo&model=first", 0),
        ("reviewer=nobody", 0),
    ]:
        assert len(client.get(f"/api/v1/reviews?{query}").get_json()["rows"]) == count
        assert len(client.get(f"/api/v1/reviews.csv?{query}").text.splitlines()) == count + 1
    for query in ("dataset=gamma", "model=none", "size=10", "reviewer=a%E2%80%AEb"):
        for path in ("/api/v1/reviews", "/api/v1/reviews.csv"):
            assert client.get(f"{path}?{query}").status_code == 400


def test_the_export_goes_on_beyond_a_chunk(demo: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.triage.export.CHUNK", 2)
    client = demo.test_client()
    for pair in range(1, 6):
        answer(client, pair)

    rows = client.get("/api/v1/reviews").get_json()["rows"]

    assert [row["pair"] for row in rows] == [1, 2, 3, 4, 5]


# ---------------------------------------------------------------------------------- commands


def test_a_name_and_all_its_answers_can_be_deleted(demo: Flask) -> None:
    client = demo.test_client()
    answer(client, 1)
    answer(client, 2)
    answer(client, 2, reviewer="Bo")
    runner = demo.test_cli_runner()

    before = runner.invoke(args=["triage", "list"])
    gone = runner.invoke(args=["triage", "delete", "--reviewer", "Ada", "--yes"])
    again = runner.invoke(args=["triage", "delete", "--reviewer", "Ada", "--yes"])
    kept = runner.invoke(args=["triage", "delete", "--reviewer", "Bo"], input="n\n")

    assert re.findall(r"(\d+)  (\w+)", before.output) == [("2", "Ada"), ("1", "Bo")]
    assert (gone.exit_code, gone.output) == (0, "Deleted 2 answers of 'Ada'.\n")
    assert again.exit_code == 2
    assert "no answer is stored" in again.output
    assert kept.exit_code == 2
    assert "nothing of 'Bo' was deleted (--yes agrees)" in kept.output
    assert [row.reviewer for row in stored(demo)] == ["Bo"]
