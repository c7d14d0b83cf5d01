"""The URLs of the API: parse, ask, answer; nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request, stream_with_context, url_for
from sqlalchemy import Engine

from app.api.contract import FLAG, TEXT, Part, listing, operation, record
from app.api.evaluations import (
    EVALUATION,
    EVALUATION_ROW,
    describe_evaluation,
    evaluations_csv,
    list_evaluations,
)
from app.api.lists import DATASET_ROW, MODEL_ROW, list_datasets, list_models
from app.api.replies import absolute, no_parameters, query_params, reply
from app.api.shapes import PAIR, PAIRS
from app.api.table import stream_json_lines, stream_table
from app.errors import BadQuery, NotFound
from app.explorer.catalogue import Named, load_catalogue
from app.explorer.columns import LARGEST_INTEGER, LONGEST_TEXT, find, shown
from app.explorer.filters import ExplorerQuery
from app.explorer.identities import find_identities
from app.explorer.page import fetch_page
from app.explorer.parsing import parse_query
from app.explorer.queries import fetch_all_ids
from app.explorer.rows import load_rows
from app.extensions import db
from app.models import Pair

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

EXAMPLE = (
    "dataset={dataset}&model={model}&{model}.confidence__gte=0.9&sort=-{model}.distance&size=10"
)
NARROWS = {
    name: Part(listing(TEXT), f"Only of this {name}; again for several")
    for name in ("model", "dataset")
}


@blueprint.get("/pairs")
@operation("Pairs", PAIRS, grammar=True, example=EXAMPLE)
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
@operation("Pairs", TEXT, media_type="text/csv", grammar=True, example=EXAMPLE)
def pairs_csv() -> Response:
    """Return all pairs of a query as CSV; ``columns`` chooses, ``size`` and places are ignored."""
    return _download(stream_table, "xfv-pairs.csv", "text/csv; charset=utf-8; header=present")


@blueprint.get("/pairs.ndjson")
@operation("Pairs", TEXT, media_type="application/x-ndjson", grammar=True, example=EXAMPLE)
def pairs_ndjson() -> Response:
    """Return all pairs of a query, one JSON row to a line; ``size`` and places are ignored."""
    return _download(stream_json_lines, "xfv-pairs.ndjson", "application/x-ndjson")


def _download(
    stream: Callable[[Engine, ExplorerQuery, array[int]], Iterator[str] | Iterator[bytes]],
    name: str,
    kind: str,
) -> Response:
    session = db.session()
    query = parse_query(query_params(), load_catalogue(session))
    ids = fetch_all_ids(session, query)
    body = stream_with_context(stream(db.engine, query, ids))
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/identities")
@operation(
    "Pairs",
    record({"rows": listing(record({"identity": TEXT})), "more": FLAG}),
    query={
        "contains": Part(TEXT, "A part of the name"),
        "dataset": Part(listing(TEXT), "Only of this dataset; may repeat"),
    },
    example="contains=a",
)
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
@operation("Pairs", PAIR)
def pair(pair_id: str) -> Response:
    """Return one pair with the results of every model that was evaluated on its dataset."""
    no_parameters()
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
    body["note"] = found.note
    body["links"] = {
        "viewer": absolute("viewer.pair", pair_id=key),
        "explanations": {
            model.name: f"{request.base_url}/explanations/{model.name}" for model in models
        },
    }
    return reply(body)


@blueprint.get("/evaluations")
@operation(
    "Evaluations",
    record({"rows": listing(EVALUATION_ROW)}),
    query=NARROWS,
    example="dataset={dataset}",
)
def evaluations() -> Response:
    """Return every evaluation with its metrics; ``model`` and ``dataset`` narrow the list."""
    rows = _evaluations()
    for row in rows:
        row["url"] = absolute("api.evaluation", model=row["model"], dataset=row["dataset"])
    return reply({"rows": rows})


@blueprint.get("/evaluations.csv")
@operation("Evaluations", TEXT, media_type="text/csv", query=NARROWS, example="dataset={dataset}")
def evaluations_table() -> Response:
    """Return the same list as CSV."""
    response = Response(
        evaluations_csv(_evaluations()), content_type="text/csv; charset=utf-8; header=present"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="xfv-evaluations.csv"'
    return response


@blueprint.get("/evaluations/<model>/<dataset>")
@operation("Evaluations", EVALUATION)
def evaluation(model: str, dataset: str) -> Response:
    """Return folds, curves, metrics and provenance of one evaluation."""
    no_parameters()
    session = db.session()
    body = describe_evaluation(session, load_catalogue(session), model, dataset)
    body["links"] = {
        "pairs": absolute("api.pairs", [("dataset", dataset), ("model", model)]),
        "page": request.url_root.rstrip("/") + f"/models/{model}/{dataset}",
    }
    return reply(body)


@blueprint.get("/datasets")
@operation("Datasets and models", record({"rows": listing(DATASET_ROW)}))
def datasets() -> Response:
    """Return the datasets of the site."""
    no_parameters()
    return reply({"rows": [_dataset(row) for row in list_datasets(db.session())]})


@blueprint.get("/models")
@operation("Datasets and models", record({"rows": listing(MODEL_ROW)}))
def models() -> Response:
    """Return the models of the site."""
    no_parameters()
    return reply({"rows": list_models(db.session())})


def _evaluations() -> list[dict[str, Any]]:
    session = db.session()
    catalogue = load_catalogue(session)
    chosen: dict[str, list[Named]] = {"model": [], "dataset": []}
    for name, text in query_params():
        if name not in chosen:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=chosen)
        known = catalogue.models if name == "model" else catalogue.datasets
        chosen[name].append(find(text, known, what=name, parameter=name))
    return list_evaluations(
        session, models=tuple(chosen["model"]), datasets=tuple(chosen["dataset"])
    )


def _picture(media: str) -> str:
    return url_for("media.picture", key=media, _external=True)


def _dataset(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"pairs": absolute("api.pairs", [("dataset", row["name"])])}
