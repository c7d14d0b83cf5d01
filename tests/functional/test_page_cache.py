"""Pages that are kept: the same until the data changes, and never one that is not whole."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from flask import Flask, render_template
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.explorer import routes
from app.explorer.summary import summarise
from app.models import Dataset, Evaluation
from app.page_cache import Page, PageCache

GZIP = {"Accept-Encoding": "gzip"}


def count_drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    drawn: list[str] = []
    draw = render_template

    def counted(name: str, **context: Any) -> str:
        drawn.append(name)
        return draw(name, **context)

    monkeypatch.setattr("app.explorer.routes.render_template", counted)
    return drawn


@pytest.mark.parametrize("url", ["/explorer?genuine=1", "/explorer/summary?genuine=1"])
def test_a_page_is_drawn_once_until_the_data_changes(
    demo: Flask, session: Session, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    client, drawn = demo.test_client(), count_drawn(monkeypatch)
    first, again = client.get(url, headers=GZIP), client.get(url, headers=GZIP)
    assert len(drawn) == 1
    assert (again.data, list(again.headers)) == (first.data, list(first.headers))
    assert again.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in again.vary
    session.execute(update(Dataset).values(sha256="another"))
    session.commit()
    client.get(url, headers=GZIP)
    assert len(drawn) == 2


def test_a_page_is_kept_for_each_host_query_and_encoding(
    demo: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, drawn = demo.test_client(), count_drawn(monkeypatch)
    client.get("/explorer", headers=GZIP)
    plain = client.get("/explorer")
    assert "Content-Encoding" not in plain.headers and b"<h1" in plain.data
    client.get("/explorer?genuine=0", headers=GZIP)
    client.get("/explorer", headers=GZIP, base_url="http://elsewhere.test")
    assert len(drawn) == 4


def test_what_is_refused_is_not_kept(demo: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = demo.test_client()
    assert client.get("/explorer?nothing=1").status_code == 400
    assert client.get("/explorer?nothing=1").status_code == 400
    assert client.get("/models/first/nowhere").status_code == 404


def test_counts_that_ran_out_of_time_are_not_kept(
    demo: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "summarise", partial(summarise, seconds=0.0))
    client, drawn = demo.test_client(), count_drawn(monkeypatch)
    hurried = client.get("/explorer/summary")
    assert hurried.cache_control.no_store
    client.get("/explorer/summary")
    assert len(drawn) == 2


def test_an_evaluation_shows_what_was_published_since(demo: Flask, session: Session) -> None:
    client = demo.test_client()
    assert client.get("/models/first/alpha").status_code == 200
    one = session.query(Evaluation).filter(Evaluation.dataset.has(name="alpha")).all()
    for each in one:
        each.engine = "another engine"
        each.finished = each.finished.replace(year=2031)
    session.commit()
    assert b"another engine" in client.get("/models/first/alpha").data


def test_the_longest_unused_page_goes_first() -> None:
    cache = PageCache(limit=20)
    for name in "abc":
        cache.keep(name, Page(b"12345678", []))
        cache.get("a")
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]
    cache.keep("d", Page(bytes(21), []))
    assert cache.get("d") is None
