"""Errors are told in the site's words: a page for people, JSON for programs, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from sqlalchemy import text

from app import create_app
from app.explorer import selection
from app.explorer.filters import Filter
from app.extensions import db
from tests import conftest

# Keeps either database busy for far longer than any limit of these tests.
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n WHERE i < 1000000000",
    "postgresql": "SELECT pg_sleep(60)",
}

BRIEF = (
    "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < 2000) SELECT i FROM n) AS numbers"
)


@pytest.fixture
def faulty(tmp_path: Path, database_url: str) -> Iterator[Flask]:
    """Return a site that runs out of patience after 0.2 seconds, with routes that go wrong."""
    site = create_app(conftest.site_settings(tmp_path, database_url, XFV_QUERY_SECONDS="0.2"))
    backend = database_url.partition(":")[0].partition("+")[0]

    def slow() -> str:
        return str(db.session.execute(text(ENDLESS[backend])).scalar())

    def broken() -> str:
        raise ZeroDivisionError("secret detail")

    def piecemeal() -> str:
        """Ask ten thousand times for what takes a moment."""
        for _ in range(10_000):
            db.session.execute(text(BRIEF)).scalar()
        return "done"

    site.add_url_rule("/api/v1/piecemeal", "piecemeal", piecemeal)
    for prefix in ("", "/api/v1"):
        site.add_url_rule(f"{prefix}/slow", f"slow{prefix}", slow)
        site.add_url_rule(f"{prefix}/broken", f"broken{prefix}", broken)
    yield site
    conftest.close_database(site)


def test_many_conditions_on_whole_columns_share_the_time_of_a_page(
    faulty: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[str] = []

    def dawdle(names: NDArray[np.bytes_], item: Filter) -> NDArray[np.bool_]:
        time.sleep(0.15)
        met.append(item.text)
        return np.ones(len(names), bool)

    monkeypatch.setattr(selection, "_text_meets", dawdle)
    query = "&".join(f"identity1__contains={letter}" for letter in "abcdefgh")
    answer = faulty.test_client().get(f"/api/v1/pairs?{query}")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["code"] == "query_too_slow"
    assert "took longer than 0.2 seconds" in answer.get_json()["error"]["message"]
    assert 0 < len(met) < 8


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/explorer?size=1", 400), ("/broken", 500), ("/slow", 503)],
)
def test_people_get_a_page(faulty: Flask, path: str, status: int) -> None:
    response = faulty.test_client().get(path)
    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert "<h1>" in response.text
    assert f"Error {status}" in response.text
    assert "Traceback" not in response.text
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/nowhere", 404, "not_found"),
        ("/api/v2", 404, "not_found"),
        ("/api/v1/pairs?size=1", 400, "bad_query"),
        ("/api/v1/broken", 500, "internal"),
        ("/api/v1/slow", 503, "query_too_slow"),
        ("/api/v1/piecemeal", 503, "query_too_slow"),
    ],
)
def test_programs_get_json(faulty: Flask, path: str, status: int, code: str) -> None:
    response = faulty.test_client().get(path)
    assert response.status_code == status
    error = json.loads(response.text)["error"]
    assert (error["status"], error["code"]) == (status, code)
    assert "secret" not in response.text
    if status == 503:
        assert "0.2 seconds" in error["message"]
        assert response.headers["Retry-After"]


def test_a_stopped_query_harms_neither_the_next_one_nor_the_commands(faulty: Flask) -> None:
    client = faulty.test_client()
    assert client.get("/api/v1/slow").status_code == 503
    assert client.get("/api/v1/pairs").status_code == 200
    with faulty.app_context():  # outside a request there is no limit
        count = "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        count += "FROM n WHERE i < 2000000) SELECT i FROM n) AS numbers"
        assert db.session.execute(text(count)).scalar() == 2000000


def test_large_bodies_and_other_methods_are_refused(client: FlaskClient) -> None:
    assert client.post("/api/v1/pairs", data=b"x" * 70000).status_code == 413
    response = client.post("/api/v1/pairs", data=b"x")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert json.loads(response.text)["error"]["status"] == 405


def test_what_the_visitor_wrote_is_escaped(client: FlaskClient) -> None:
    response = client.get("/explorer?<script>alert(1)</script>=1")
    assert response.status_code == 400
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;" in response.text


def test_a_database_without_tables_is_told(tmp_path: Path) -> None:
    site = create_app(conftest.site_settings(tmp_path, f"sqlite:///{tmp_path}/empty.sqlite3"))
    response = site.test_client().get("/explorer")
    assert response.status_code == 503
    assert "db upgrade" in response.text
    conftest.close_database(site)


@pytest.fixture
def read_only(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """Return a site whose database lies in a folder that cannot be written."""
    folder = tmp_path / "fixed image"
    folder.mkdir()
    path = folder / "xfv 100%.sqlite3"
    shutil.copyfile(migrated_file, path)
    can_access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda name, mode: (
            not (mode == os.W_OK and str(folder) in str(name)) and can_access(name, mode)
        ),
    )
    site = create_app(conftest.site_settings(tmp_path, f"sqlite:///{path}"))
    yield site
    conftest.close_database(site)


def test_a_database_on_a_read_only_file_system_is_only_read(read_only: Flask) -> None:
    assert "immutable=1" in read_only.config["SQLALCHEMY_DATABASE_URI"]
    assert read_only.test_client().get("/api/v1/pairs").status_code == 200
    with read_only.app_context():
        assert db.session.execute(text("PRAGMA journal_mode")).scalar() != "wal"
