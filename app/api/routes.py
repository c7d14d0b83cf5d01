"""The URLs of the API: parse, ask, answer; nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request, stream_with_context, url_for
from sqlalchemy import Engine

from app.api.evaluations import describe_evaluation, list_evaluations
from app.api.lists import list_datasets, list_models
from app.api.replies import absolute, query_params, reply
from app.api.table import stream_json_lines, stream_table
from app.errors import BadQuery, NotFound
from app.explorer.catalogue import Named, load_catalogue
from app.explorer.columns import LARGEST_INTEGER, LONGEST_TEXT, find, shown
from app.explorer.filters import ExplorerQuery, parse_query
from app.explorer.identities import find_identities
from app.explorer.page import fetch_page
from app.explorer.queries import fetch_all_ids
from app.explorer.rows import load_rows
from app.extensions import db
from app.models import Pair

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/pairs")
def pairs() -> Response:
    """Return one page of a query's pairs."""
    session = db.session()
    query = parse_query(query_params(), load_catalogue(session))
    page = fetch_page(session, query)
    return reply(
        {
            "rows": [row.to_json() for row in page.rows],
            "next": page.next and absolute("api.pairs", page.next.params()),
            "previous": page.previous and absolute("api.pairs", page.previous.params()),
            "count": page.count.number,
            "count_exact": page.count.exact,
            "description": page.description,
        }
    )


@blueprint.get("/pairs.csv")
def pairs_csv() -> Response:
    """Return all pairs of a query as CSV; ``columns`` chooses, ``size`` and places are ignored."""
    return _download(stream_table, "xfv-pairs.csv", "text/csv; charset=utf-8; header=present")


@blueprint.get("/pairs.ndjson")
def pairs_ndjson() -> Response:
    """Return all pairs of a query, one JSON row to a line; ``size`` and places are ignored."""
    return _download(stream_json_lines, "xfv-pairs.ndjson", "application/x-ndjson")


def _download(
    stream: Callable[[Engine, ExplorerQuery, array[int]], Iterator[str]], name: str, kind: str
) -> Response:
    session = db.session()
    query = parse_query(query_params(), load_catalogue(session))
    ids = fetch_all_ids(session, query)
    body = stream_with_context(stream(db.engine, query, ids))
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/identities")
def identities() -> Response:
    """Return up to 20 identities whose name holds ``contains``; ``dataset`` narrows the list."""
    session = db.session()
    catalogue = load_catalogue(session)
    chosen: dict[str, list[str]] = {"contains": [], "dataset": []}
    for name, value in query_params():
        if name not in chosen:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=chosen)
        chosen[name].append(value)
    texts = chosen["contains"]
    if len(texts) != 1 or not 0 < len(texts[0]) <= LONGEST_TEXT:
        raise BadQuery(
            f"identities needs one contains= of 1 to {LONGEST_TEXT} characters.",
            parameter="contains",
        )
    datasets = [
        find(name, catalogue.datasets, what="dataset", parameter="dataset")
        for name in chosen["dataset"]
    ]
    found = find_identities(session, texts[0], datasets)
    return reply({"rows": [{"identity": name} for name in found.names], "more": found.more})


@blueprint.get("/pairs/<pair_id>")
def pair(pair_id: str) -> Response:
    """Return one pair with the results of every model that was evaluated on its dataset."""
    _no_parameters()
    session = db.session()
    catalogue = load_catalogue(session)
    key = int(pair_id) if pair_id.isascii() and pair_id.isdigit() and len(pair_id) <= 10 else 0
    found = session.get(Pair, key) if 0 < key <= LARGEST_INTEGER else None
    if found is None:
        raise NotFound(f"There is no pair {shown(pair_id)}.")
    dataset = [dataset for dataset in catalogue.datasets if dataset.id == found.dataset_id]
    models = catalogue.models_of(dataset)
    row = load_rows(session, [key], datasets=dataset, models=models)[0]
    body = row.to_json()
    body["images"] = [
        {"name": name, "identity": identity, "quality": quality, "url": _picture(media)}
        for name, identity, quality, media in (
            (row.image1, row.identity1, row.quality1, row.media1),
            (row.image2, row.identity2, row.quality2, row.media2),
        )
    ]
    body["mask"] = row.mask_media and _picture(row.mask_media)
    body["links"] = {
        "viewer": absolute("viewer.pair", pair_id=key),
        "explanations": {
            model.name: f"{request.base_url}/explanations/{model.name}" for model in models
        },
    }
    return reply(body)


@blueprint.get("/evaluations")
def evaluations() -> Response:
    """Return every evaluation with its metrics; ``model`` and ``dataset`` narrow the list."""
    session = db.session()
    catalogue = load_catalogue(session)
    chosen: dict[str, list[Named]] = {"model": [], "dataset": []}
    for name, text in query_params():
        if name not in chosen:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=chosen)
        known = catalogue.models if name == "model" else catalogue.datasets
        chosen[name].append(find(text, known, what=name, parameter=name))
    rows = list_evaluations(
        session, models=tuple(chosen["model"]), datasets=tuple(chosen["dataset"])
    )
    for row in rows:
        row["url"] = absolute("api.evaluation", model=row["model"], dataset=row["dataset"])
    return reply({"rows": rows})


@blueprint.get("/evaluations/<model>/<dataset>")
def evaluation(model: str, dataset: str) -> Response:
    """Return folds, curves, metrics and provenance of one evaluation."""
    _no_parameters()
    session = db.session()
    body = describe_evaluation(session, load_catalogue(session), model, dataset)
    body["links"] = {
        "pairs": absolute("api.pairs", [("dataset", dataset), ("model", model)]),
        "page": request.url_root.rstrip("/") + f"/models/{model}/{dataset}",
    }
    return reply(body)


@blueprint.get("/datasets")
def datasets() -> Response:
    """Return the datasets of the site."""
    _no_parameters()
    return reply({"rows": [_dataset(row) for row in list_datasets(db.session())]})


@blueprint.get("/models")
def models() -> Response:
    """Return the models of the site."""
    _no_parameters()
    return reply({"rows": list_models(db.session())})


def _picture(media: str) -> str:
    return url_for("media.picture", key=media, _external=True)


def _no_parameters() -> None:
    for name, _value in query_params():
        raise BadQuery(f"Unknown parameter {shown(name)}: there are none here.", parameter=name)


def _dataset(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"pairs": absolute("api.pairs", [("dataset", row["name"])])}
