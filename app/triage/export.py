"""All answers for programs: ``/api/v1/reviews`` as JSON, ``/api/v1/reviews.csv`` as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, stream_with_context
from sqlalchemy import ColumnElement, Engine, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.api.contract import (
    FLAG,
    INTEGER,
    TEXT,
    TYPES,
    Part,
    columns_of,
    listing,
    operation,
    record,
    words,
)
from app.api.replies import query_params
from app.api.table import cell
from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, load_catalogue
from app.explorer.columns import find, shown
from app.explorer.query_string import Params
from app.extensions import db
from app.models import Pair, Review
from app.moments import utc_text
from app.triage.study import read_name

blueprint = Blueprint("reviews", __name__, url_prefix="/api/v1")

CHUNK: Final = 1000
FILTERS: Final = ("dataset", "model", "reviewer")
FIELDS: Final = (
    "id",
    "dataset",
    "pair",
    "model",
    "reviewer",
    "revision",
    "latest",
    "answer",
    "certainty",
    "machine_shown",
    "seconds",
    "created",
    "prediction",
    "confidence",
    "genuine",
)
_STORED: Final = (
    "id",
    "reviewer",
    "revision",
    "answer",
    "certainty",
    "machine_shown",
    "seconds",
    "confidence",
)
_SCHEMAS: Final = {
    **columns_of(
        Review,
        _STORED,
        {
            "reviewer": "A name of their choice; nothing proves it",
            "revision": "1 for the first answer on this pair and model, 2 for the next",
            "answer": "same, different or unsure",
            "certainty": "In per cent, 50 to 100",
            "machine_shown": "Whether the page had shown the model's decision before",
        },
    ),
    "dataset": TEXT,
    "pair": INTEGER,
    "model": TEXT,
    "latest": words(FLAG, "Whether no later answer replaces it"),
    "created": TYPES[datetime],
    "prediction": {**TEXT, "enum": ["genuine", "impostor"]},
    "genuine": words(FLAG, "The truth of the dataset"),
}
_ROW: Final = record({name: _SCHEMAS[name] for name in FIELDS}, title="Review")
_QUERY: Final = {
    name: Part(listing(TEXT), f"Only of this {name}; again for several") for name in FILTERS
}


@blueprint.get("/reviews")
@operation("Reviews", record({"rows": listing(_ROW)}), query=_QUERY, example="dataset={dataset}")
def reviews() -> Response:
    """Return all answers of reviewers, changed ones included, by dataset, model and reviewer."""
    stream = _rows(*_asked())
    return Response(stream_with_context(_json(stream)), mimetype="application/json")


@blueprint.get("/reviews.csv")
@operation("Reviews", TEXT, media_type="text/csv", query=_QUERY, example="dataset={dataset}")
def reviews_csv() -> Response:
    """Return the same answers as CSV."""
    response = Response(
        stream_with_context(_csv(_rows(*_asked()))),
        content_type="text/csv; charset=utf-8; header=present",
    )
    response.headers["Content-Disposition"] = 'attachment; filename="xfv-reviews.csv"'
    return response


@dataclass(frozen=True)
class _Wanted:
    """The conditions of an export, and the last row that was there when it began."""

    conditions: tuple[ColumnElement[bool], ...]
    last: int


def _asked() -> tuple[Engine, Catalogue, _Wanted]:
    session = db.session()
    catalogue = load_catalogue(session)
    conditions = _conditions(query_params(), catalogue)
    last = session.scalar(select(func.max(Review.id))) or 0
    return db.engine, catalogue, _Wanted(conditions, last)


def _conditions(params: Params, catalogue: Catalogue) -> tuple[ColumnElement[bool], ...]:
    wanted: dict[str, list[Any]] = {name: [] for name in FILTERS}
    known = {"dataset": catalogue.datasets, "model": catalogue.models}
    for name, value in params:
        if name not in wanted:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=FILTERS)
        if name == "reviewer":
            wanted[name].append(read_name(value))
        else:
            wanted[name].append(find(value, known[name], what=name, parameter=name).id)
    columns = {"dataset": Pair.dataset_id, "model": Review.model_id, "reviewer": Review.reviewer}
    return tuple(columns[name].in_(values) for name, values in wanted.items() if values)


def _rows(engine: Engine, catalogue: Catalogue, wanted: _Wanted) -> Iterator[dict[str, Any]]:
    """Yield the rows in the order they came, read a chunk at a time in a session of their own."""
    datasets = {each.id: each.name for each in catalogue.datasets}
    models = {each.id: each.name for each in catalogue.models}
    later = aliased(Review)
    changed = exists().where(
        later.pair_id == Review.pair_id,
        later.model_id == Review.model_id,
        later.reviewer == Review.reviewer,
        later.revision > Review.revision,
        later.id <= wanted.last,
    )
    statement = (
        select(Review, Pair.dataset_id, Pair.genuine, changed)
        .join(Pair, Pair.id == Review.pair_id)
        .where(Review.id <= wanted.last, *wanted.conditions)
        .order_by(Review.id)
        .limit(CHUNK)
    )
    after = 0
    with Session(engine) as session:
        while True:
            found = session.execute(statement.where(Review.id > after)).all()
            rows = [
                {
                    "id": review.id,
                    "dataset": datasets[dataset_id],
                    "pair": review.pair_id,
                    "model": models[review.model_id],
                    "reviewer": review.reviewer,
                    "revision": review.revision,
                    "latest": not is_changed,
                    "answer": review.answer,
                    "certainty": review.certainty,
                    "machine_shown": review.machine_shown,
                    "seconds": review.seconds,
                    "created": utc_text(review.created, timespec="seconds"),
                    "prediction": "genuine" if review.prediction else "impostor",
                    "confidence": review.confidence,
                    "genuine": genuine,
                }
                for review, dataset_id, genuine, is_changed in found
            ]
            after = found[-1][0].id if found else after
            # Each chunk is a transaction: the time that a slow reader takes is none of it.
            session.rollback()
            yield from rows
            if len(rows) < CHUNK:
                return


def _json(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield '{"rows":['
    comma = ""
    for row in rows:
        yield comma + json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        comma = ","
    yield "]}\n"


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for row in rows:
        writer.writerow([cell(row[name]) for name in FIELDS])
        if buffer.tell() > 32_768:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
