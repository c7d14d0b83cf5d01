"""What the forms of the explorer send, turned into the parameters of the grammar.

A form knows empty fields, and one field per sort key and per column; the grammar knows neither, and
a page has one address. So forms lead here, and on to the query itself. They are read as strictly as
the grammar: a field that no form has, or one twice, is refused.
"""

from __future__ import annotations

from typing import Final

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue
from app.explorer.columns import shown
from app.explorer.filters import MOST_SORT_KEYS, MOST_VALUES, ExplorerQuery
from app.explorer.parsing import REPEATED, SINGLE, parse_condition, parse_results
from app.explorer.query_string import (
    Params,
    read_query_string,
    require_once,
    values_by_name,
)
from app.explorer.urls import url_with

SORT_FIELDS: Final = tuple((f"sort{n}", f"sort{n}.way") for n in range(1, MOST_SORT_KEYS + 1))
SIGNS: Final = {"": "", "down": "-"}
"""Of each direction that a form names."""
TARGETS: Final = {"show": "explorer.index", "csv": "api.pairs_csv", "json": "api.pairs_ndjson"}
"""Where the basket leads, by what is wished; two pairs are compared, too."""


def form_params(params: Params, catalogue: Catalogue) -> Params:
    """Return the parameters of the query that a filled form asks for.

    A form that changes one thing only carries the rest of its query along as ``query``.

    Raises
    ------
    BadQuery
        For a field that no form has, even an empty one, a repeated one, or an unknown direction.
    """
    once = ("query", *(name for fields in SORT_FIELDS for name in fields))
    require_once(params, (*once, *SINGLE))
    sent = dict(params)
    for name in sent:
        if name not in (*once, "column", *SINGLE, *REPEATED):
            parse_condition(name, catalogue)
    own = {*once, "column"}
    filled = read_query_string(sent.get("query", "").encode())
    filled += [(name, value) for name, value in params if value and name not in own]
    keys: dict[str, str] = {}
    for by, way in SORT_FIELDS:
        sign = _sign(way, sent.get(way, ""))
        if sent.get(by):
            keys.setdefault(sent[by], sign)
    if keys:
        filled.append(("sort", ",".join(sign + name for name, sign in keys.items())))
    columns = [value for name, value in params if name == "column" and value]
    if columns:
        filled.append(("columns", ",".join(dict.fromkeys(columns))))
    return filled


def _sign(name: str, way: str) -> str:
    if way not in SIGNS:
        raise BadQuery(
            f"{name}={shown(way)} is not known: 'down' sorts from high to low, an empty one the "
            "other way round.",
            parameter=name,
            value=way,
            allowed=["down"],
        )
    return SIGNS[way]


def basket_url(params: Params, catalogue: Catalogue) -> str:
    """Return where the basket leads: ``pick`` are its pairs, ``do`` the wish, ``results`` the list.

    Raises
    ------
    BadQuery
        Where nothing is picked, too much, or something that is no id; for an unknown parameter or
        wish, and for a list that the grammar does not allow.
    """
    sent = values_by_name(params, single=("do", "results"), repeated=("pick",))
    ids = _picked(sent["pick"])
    do = sent["do"][0] if sent["do"] else "show"
    results = sent["results"][0] if sent["results"] else ""
    shown_list = parse_results(results, catalogue)
    if do == "compare":
        return _compare_url(ids, results)
    if do not in TARGETS:
        raise BadQuery(
            f"do={shown(do)} is not known.",
            parameter="do",
            value=do,
            allowed=[*TARGETS, "compare"],
        )
    chosen = [*_view(shown_list).params(), ("id__in", ",".join(ids))]
    return url_with(TARGETS[do], chosen)


def _picked(texts: list[str]) -> list[str]:
    """Return the ids, each once; several may stand in one parameter, separated by commas."""
    ids = list(dict.fromkeys(part for text in texts for part in text.split(",") if part))
    for text in ids:
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise BadQuery(f"pick={shown(text)} is no id of a pair.", parameter="pick", value=text)
    if not ids or len(ids) > MOST_VALUES:
        raise BadQuery(
            f"{len(ids)} pairs are ticked; tick 1 to {MOST_VALUES} of the list.",
            parameter="pick",
        )
    return ids


def _compare_url(ids: list[str], results: str) -> str:
    if len(ids) != 2:
        raise BadQuery(
            f"{len(ids)} {'pair is' if len(ids) == 1 else 'pairs are'} ticked; two are compared.",
            parameter="pick",
        )
    params = [("results", results)] if results else []
    return url_with("comparison.compare", [*params, ("pin", ids[1])], pair_id=int(ids[0]))


def _view(query: ExplorerQuery) -> ExplorerQuery:
    """Return what a list shows of its pairs: models, columns, order; not which pairs."""
    return ExplorerQuery(
        chosen_models=query.chosen_models,
        sort=query.sort,
        columns=query.columns,
        size=query.size,
    )
