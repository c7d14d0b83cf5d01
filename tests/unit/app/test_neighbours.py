"""What stands beside a pair equals its neighbours in the list sorted in Python."""

from __future__ import annotations

import random

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.explorer import neighbours
from app.explorer.catalogue import Catalogue, load_catalogue
from app.explorer.filters import ExplorerQuery
from app.explorer.neighbours import find_neighbours
from app.explorer.parsing import parse_query
from app.explorer.queries import fetch_all_ids, fetch_keys
from app.explorer.query_string import Params, query_text, read_query_string
from app.explorer.rows import PairRow, load_rows
from tests.unit.app.test_paging import COLUMNS, draw_condition, sorted_rows


@pytest.fixture
def catalogue(demo: Flask, session: Session) -> Catalogue:
    """Return that of a filled site: ties, qualities and results that miss."""
    return load_catalogue(session)


def rows_of(session: Session, catalogue: Catalogue) -> list[PairRow]:
    ids = fetch_all_ids(session, parse_query([], catalogue))
    return load_rows(session, ids, datasets=catalogue.datasets, models=catalogue.models)


def reread(query: ExplorerQuery, catalogue: Catalogue) -> ExplorerQuery:
    """Send a query through its URL, as a link does."""
    return parse_query(read_query_string(query_text(query.params()).encode()), catalogue)


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_the_sorted_list(
    session: Session, catalogue: Catalogue, seed: int
) -> None:
    rows = rows_of(session, catalogue)
    choose = random.Random(seed)
    for _ in range(12):
        keys = [
            choose.choice(["", "-"]) + name
            for name in choose.sample(COLUMNS, choose.choice([0, 1, 2, 3]))
        ]
        conditions = [draw_condition(choose, rows) for _ in range(choose.choice([0, 0, 1]))]
        params: Params = [(name, text) for name, text, _ in conditions]
        params += [("sort", ",".join(keys))] if keys else []
        matching = [row for row in rows if all(test(row) for _, _, test in conditions)]
        expected = [row.id for row in sorted_rows(matching, keys)]
        note = query_text(params)
        query = parse_query([*params, ("size", "10")], catalogue)
        ends = [0, 9, 10, len(expected) - 1]
        places = {at for at in (*ends, choose.randrange(90)) if 0 <= at < len(expected)}
        for at in places:
            found = find_neighbours(session, query, expected[at])

            assert found.place == at, note
            assert found.count == len(expected), note
            assert [n and n.id for n in (found.previous, found.next)] == [
                expected[at - 1] if at else None,
                expected[at + 1] if at + 1 < len(expected) else None,
            ], (note, at)


@pytest.mark.parametrize("numbered", [200, 2])
@pytest.mark.parametrize("sort", ["", "first.confidence,-quality_min", "-second.distance,fold"])
def test_links_walk_the_whole_list_and_back(
    session: Session,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    sort: str,
    numbered: int,
) -> None:
    monkeypatch.setattr(neighbours, "PAGES", range(1, numbered + 1))
    params = [("dataset", "beta"), *([("sort", sort)] if sort else [])]
    start = parse_query([*params, ("size", "10")], catalogue)
    expected = list(fetch_all_ids(session, start))
    pair, query, seen = expected[0], start, [expected[0]]
    while (found := find_neighbours(session, query, pair)).next:
        assert found.place == len(seen) - 1
        # The page that a link names holds its pair: the way back leads to where one is.
        assert found.next.id in fetch_keys(session, found.next.page).ids
        pair, query = found.next.id, reread(found.next.page, catalogue)
        seen.append(pair)
    assert seen == expected
    back = [pair]
    while (found := find_neighbours(session, query, pair)).previous:
        assert found.place == len(expected) - len(back)
        pair, query = found.previous.id, reread(found.previous.page, catalogue)
        back.append(pair)
    assert back == expected[::-1]


def test_a_pair_that_the_list_does_not_hold_has_no_neighbours(
    session: Session, catalogue: Catalogue
) -> None:
    query = parse_query([("dataset", "alpha"), ("genuine", "1")], catalogue)

    found = find_neighbours(session, query, 2)

    assert (found.place, found.previous, found.next) == (None, None, None)
    assert found.count == 30
