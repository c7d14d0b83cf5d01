"""Walking a list page by page, forwards and backwards, equals the list sorted in Python."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.explorer.catalogue import load_catalogue
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS
from app.explorer.filters import ExplorerQuery
from app.explorer.page import Page, fetch_page
from app.explorer.parsing import parse_query
from app.explorer.queries import fetch_all_ids
from app.explorer.query_string import Params, query_text, read_query_string
from app.explorer.rows import PairRow, load_rows
from tests import factories

COLUMNS = [
    *PAIR_COLUMNS,
    *(f"{m}.{c}" for m in ("first", "second", "third") for c in MODEL_COLUMNS),
]


def value(row: PairRow, column: str) -> Any:
    """Return the value of a column as the API shows it."""
    model, dot, name = column.partition(".")
    if not dot:
        return getattr(row, column)
    result = row.models[model]
    return None if result is None else result.get(name)


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda a, b: a == b,
    "not": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "in": lambda a, b: a in b,
    "contains": lambda a, b: b.lower() in a.lower(),
    "startswith": lambda a, b: a.lower().startswith(b.lower()),
}


def written(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def draw_condition(
    choose: random.Random, rows: list[PairRow]
) -> tuple[str, str, Callable[[PairRow], bool]]:
    """Draw a filter, as a parameter and as a test in Python."""
    column = choose.choice(COLUMNS)
    if choose.random() < 0.15:
        wanted = choose.random() < 0.5
        return (
            f"{column}__isnull",
            str(int(wanted)),
            lambda row: (value(row, column) is None) == wanted,
        )
    sample = [v for row in choose.sample(rows, 5) if (v := value(row, column)) is not None]
    if not sample:
        return f"{column}__isnull", "0", lambda row: value(row, column) is not None
    one = sample[0]
    ops = ["exact", "not", "in"]
    if not isinstance(one, bool) and not column.endswith("prediction"):
        ops += ["gt", "gte", "lt", "lte"]
    if isinstance(one, str) and not column.endswith("prediction"):
        ops += ["contains", "startswith"]
    op = choose.choice(ops)
    if op == "in":
        return (
            f"{column}__in",
            ",".join(map(written, sample)),
            lambda row: value(row, column) in sample,
        )
    if op == "contains":
        one = one[1:5].upper()
    elif op == "startswith":
        one = one[:3].lower()
    return (
        f"{column}__{op}",
        written(one),
        lambda row: value(row, column) is not None and TESTS[op](value(row, column), one),
    )


def sorted_rows(rows: list[PairRow], keys: list[str]) -> list[PairRow]:
    """Sort as the grammar says: stable sorts from the last key to the first, missing last."""
    names = [key.removeprefix("-") for key in keys]
    if "id" not in names:
        keys = [*keys, "-id" if keys and keys[-1].startswith("-") else "id"]
    for key in reversed(keys):
        name = key.removeprefix("-")
        there = [row for row in rows if value(row, name) is not None]
        missing = [row for row in rows if value(row, name) is None]
        there.sort(key=lambda row: value(row, name), reverse=key.startswith("-"))
        rows = there + missing
    return rows


def follow(
    session: Session, query: ExplorerQuery, step: Callable[[Page], ExplorerQuery | None]
) -> Iterator[Page]:
    """Follow the links of pages through their URLs, as a client does."""
    catalogue = load_catalogue(session)
    target: ExplorerQuery | None = query
    while target is not None:
        text = query_text(target.params())
        read = parse_query(read_query_string(text.encode()), catalogue)
        assert read == target
        page = fetch_page(session, read)
        yield page
        target = step(page)


@pytest.mark.parametrize("seed", range(6))
def test_pages_add_up_to_the_sorted_list(
    demo: Flask, session: Session, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:  # packed columns and a search for the window, else rows and sorting them all
        factories.pack_columns(session)
        monkeypatch.setattr("app.explorer.selection.FEW", 5)
    catalogue = load_catalogue(session)
    everything = parse_query([], catalogue)
    rows = load_rows(
        session,
        fetch_all_ids(session, everything),
        datasets=catalogue.datasets,
        models=catalogue.models,
    )
    assert len(rows) == 90
    choose = random.Random(seed)
    for _ in range(25):
        keys = [
            choose.choice(["", "-"]) + name
            for name in choose.sample(COLUMNS, choose.choice([0, 1, 1, 2, 2, 3, 3]))
        ]
        conditions = [
            draw_condition(choose, rows) for _ in range(choose.choice([0, 0, 0, 1, 1, 2]))
        ]
        params: Params = [(name, text) for name, text, _ in conditions]
        if keys:
            params.append(("sort", ",".join(keys)))
        size = choose.choice([10, 13, 30, 200])
        params.append(("size", str(size)))
        matching = [row for row in rows if all(test(row) for _, _, test in conditions)]
        expected = [row.id for row in sorted_rows(matching, keys)]
        note = query_text(params)
        query = parse_query(params, catalogue)

        pages = list(follow(session, query, lambda page: page.next))
        assert [row.id for page in pages for row in page.rows] == expected, note
        assert all(page.count.number == len(expected) for page in pages), note
        assert [page.first for page in pages] == list(range(0, len(expected), size)) or [0], note
        last = pages[-1].query
        backwards = list(follow(session, last, lambda page: page.previous))
        back = [row.id for page in reversed(backwards) for row in page.rows]
        assert back == expected, note
        assert backwards[-1].first == 0, note
        assert list(fetch_all_ids(session, query)) == expected, note
        for number in range(1, len(pages) + 2):
            numbered = fetch_page(session, query.place(page=number))
            window = expected[(number - 1) * size : number * size]
            assert [row.id for row in numbered.rows] == window, note
            assert (numbered.previous is None) == (number == 1), note
