"""What the forms of the explorer send, turned into the parameters of the grammar.

A form knows empty fields, and one field per sort key and per column; the grammar knows neither, and
a page has one address. So forms lead here, and on to the query itself.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from flask import url_for

from app.errors import BadQuery
from app.explorer.columns import shown
from app.explorer.filters import MOST_SORT_KEYS, MOST_VALUES, Params, query_text, read_query_string

SORT_FIELDS: Final = tuple((f"sort{n}", f"sort{n}.way") for n in range(1, MOST_SORT_KEYS + 1))
DOWN: Final = "down"


def form_params(params: Params) -> Params:
    """Return the parameters of the query that a filled form asks for.

    A form that changes one thing only carries the rest of its query along as ``query``.
    """
    sent = dict(params)
    own = {name for fields in SORT_FIELDS for name in fields} | {"column", "query"}
    filled = read_query_string(sent.get("query", "").encode())
    filled += [(name, value) for name, value in params if value and name not in own]
    keys: dict[str, str] = {}
    for by, way in SORT_FIELDS:
        if sent.get(by):
            keys.setdefault(sent[by], "-" if sent.get(way) == DOWN else "")
    if keys:
        filled.append(("sort", ",".join(sign + name for name, sign in keys.items())))
    columns = [value for name, value in params if name == "column" and value]
    if columns:
        filled.append(("columns", ",".join(dict.fromkeys(columns))))
    return filled


def basket_url(params: Params) -> str:
    """Return where the basket leads: ``pick`` are its pairs, ``do`` the wish, ``results`` the list.

    Raises
    ------
    BadQuery
        Where nothing is picked, too much, or something that is no id.
    """
    picked: dict[str, None] = {}
    for name, text in params:
        if name == "pick":
            picked |= dict.fromkeys(filter(None, text.split(",")))
    for text in picked:
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise BadQuery(f"pick={shown(text)} is no id of a pair.", parameter="pick", value=text)
    ids = list(picked)
    if not ids or len(ids) > MOST_VALUES:
        raise BadQuery(
            f"{len(ids)} pairs are ticked; tick 1 to {MOST_VALUES} of the list.",
            parameter="pick",
        )
    sent = dict(params)
    do = sent.get("do", "show")
    if do == "compare":
        return _compare_url(ids, sent.get("results", ""))
    targets = {"show": "explorer.index", "csv": "api.pairs_csv", "json": "api.pairs_ndjson"}
    if do not in targets:
        raise BadQuery(
            f"do={shown(do)} is not known.", parameter="do", allowed=[*targets, "compare"]
        )
    chosen = [*_view(sent.get("results", "")), ("id__in", ",".join(ids))]
    return f"{url_for(targets[do])}?{query_text(chosen)}"


def _compare_url(ids: list[str], results: str) -> str:
    if len(ids) != 2:
        raise BadQuery(
            f"{len(ids)} {'pair is' if len(ids) == 1 else 'pairs are'} ticked; two are compared.",
            parameter="pick",
        )
    params = [("results", results)] if results else []
    page = url_for("viewer.pair", pair_id=int(ids[0]))
    return f"{page}/compare?{urlencode([*params, ('pin', ids[1])])}"


def _view(results: str) -> Params:
    """Return what a list shows of its pairs: models, columns, order; not which pairs."""
    kept = ("model", "sort", "columns", "size")
    return [pair for pair in read_query_string(results.encode()) if pair[0] in kept]
