"""The rows of a page, as plain values: what the table shows, the JSON lists, the CSV holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypedDict

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import BINARY, among
from app.explorer.catalogue import Named
from app.models import Image, Pair, Result

PAIR_FIELDS: Final = (
    "id",
    "dataset",
    "genuine",
    "fold",
    "identity1",
    "identity2",
    "image1",
    "image2",
    "quality1",
    "quality2",
    "quality_min",
)
RESULT_FIELDS: Final = (
    "distance",
    "threshold",
    "confidence",
    "prediction",
    "correct",
    "explained",
)


class ModelResult(TypedDict):
    """What one model said of one pair, as the API sends it: a page has 2,000 of them."""

    distance: float
    threshold: float
    confidence: float
    prediction: str
    """``genuine`` or ``impostor``."""
    correct: bool
    explained: bool


@dataclass(frozen=True)
class PairRow:
    """A pair and what the models said of it."""

    id: int
    dataset: str
    genuine: bool
    fold: int
    identity1: str
    identity2: str
    image1: str
    image2: str
    quality1: float | None
    quality2: float | None
    quality_min: float | None
    media1: str
    media2: str
    mask_media: str | None
    models: dict[str, ModelResult | None]

    def to_json(self) -> dict[str, Any]:
        """Return the row of the API."""
        row: dict[str, Any] = {name: getattr(self, name) for name in PAIR_FIELDS}
        row["models"] = self.models
        return row


# Tables instead of mapped classes, and built once: a page holds up to 200 pairs with the results of
# every model, and building statements and mapped rows took longer than the database.
_pair, _result = Pair.__table__.c, Result.__table__.c
_first, _second = Image.__table__.alias("first"), Image.__table__.alias("second")


@cache
def _pairs_of(dialect: str) -> Select[Any]:
    return (
        select(
            _pair.id,
            _pair.dataset_id,
            *(_pair[name] for name in PAIR_FIELDS[2:]),
            _first.c.media,
            _second.c.media,
            _pair.mask_media,
        )
        .join_from(Pair.__table__, _first, _first.c.id == _pair.image1_id)
        .join(_second, _second.c.id == _pair.image2_id)
        .where(among(dialect, _pair.id, "ids"))
        .execution_options(**BINARY)
    )


@cache
def _results_of(dialect: str) -> Select[Any]:
    return (
        select(_result.pair_id, _result.model_id, *(_result[name] for name in RESULT_FIELDS))
        .where(among(dialect, _result.pair_id, "ids"), among(dialect, _result.model_id, "models"))
        .execution_options(**BINARY)
    )


def load_rows(
    session: Session,
    ids: Sequence[int],
    *,
    datasets: Sequence[Named],
    models: Sequence[Named],
) -> list[PairRow]:
    """Return the pairs of ``ids`` in that order, with the results of ``models``: two statements."""
    if not ids:
        return []
    names = {dataset.id: dataset.name for dataset in datasets}
    results = _load_results(session, ids, models)
    found = session.execute(_pairs_of(session.get_bind().dialect.name), {"ids": ids})
    rows = {}
    # All rows at a time: fetched one by one they take longer.
    for key, dataset_id, *rest in found.all():
        values: tuple[Any, ...] = (key, names[dataset_id], *rest, results[key])
        rows[key] = PairRow(*values)
    return [rows[key] for key in ids if key in rows]


def _load_results(
    session: Session, ids: Sequence[int], models: Sequence[Named]
) -> dict[int, dict[str, ModelResult | None]]:
    """Return by pair and model; None where a model has not seen a pair."""
    names = {model.id: model.name for model in models}
    results: dict[int, dict[str, ModelResult | None]] = {
        key: dict.fromkeys(names.values()) for key in ids
    }
    if not models:
        return results
    keys = {"ids": ids, "models": list(names)}
    label = ("impostor", "genuine")
    found = session.execute(_results_of(session.get_bind().dialect.name), keys)
    for pair, model, distance, threshold, confidence, prediction, correct, explained in found.all():
        results[pair][names[model]] = {
            "distance": distance,
            "threshold": threshold,
            "confidence": confidence,
            "prediction": label[prediction],
            "correct": correct,
            "explained": explained,
        }
    return results
