"""The rows of a page, as plain values: what the table shows, the JSON lists, the CSV holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.database import BINARY
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


class ModelResult(NamedTuple):
    """What one model said of one pair."""

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
        row["models"] = {
            name: None if result is None else dict(zip(RESULT_FIELDS, result, strict=True))
            for name, result in self.models.items()
        }
        return row


# Tables instead of mapped classes, and built once: a page holds up to 200 pairs with the results of
# every model, and building statements and mapped rows took longer than the database.
_pair, _result = Pair.__table__.c, Result.__table__.c
_first, _second = Image.__table__.alias("first"), Image.__table__.alias("second")
_PAIRS: Final = (
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
    .where(_pair.id.in_(bindparam("ids", expanding=True)))
    .execution_options(**BINARY)
)
_RESULTS: Final = (
    select(_result.pair_id, _result.model_id, *(_result[name] for name in RESULT_FIELDS))
    .where(
        _result.pair_id.in_(bindparam("ids", expanding=True)),
        _result.model_id.in_(bindparam("models", expanding=True)),
    )
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
    # All rows at a time: fetched one by one they take longer.
    rows = {}
    for key, dataset_id, *rest in session.execute(_PAIRS, {"ids": ids}).all():
        said = {model.name: results.get((key, model.id)) for model in models}
        values: tuple[Any, ...] = (key, names[dataset_id], *rest, said)
        rows[key] = PairRow(*values)
    return [rows[key] for key in ids if key in rows]


def _load_results(
    session: Session, ids: Sequence[int], models: Sequence[Named]
) -> dict[tuple[int, int], ModelResult]:
    if not models:
        return {}
    keys = {"ids": ids, "models": [model.id for model in models]}
    label = ("impostor", "genuine")
    return {
        (pair, model): ModelResult(
            distance, threshold, confidence, label[prediction], correct, explained
        )
        for (
            pair,
            model,
            distance,
            threshold,
            confidence,
            prediction,
            correct,
            explained,
        ) in session.execute(_RESULTS, keys).all()
    }
