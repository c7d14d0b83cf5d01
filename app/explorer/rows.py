"""The rows of a page, as plain values: what the table shows, the JSON lists, the CSV holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

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


@dataclass(frozen=True)
class ModelResult:
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
            name: None
            if result is None
            else {field: getattr(result, field) for field in RESULT_FIELDS}
            for name, result in self.models.items()
        }
        return row


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
    first, second = aliased(Image), aliased(Image)
    statement = (
        select(
            Pair.id,
            Pair.dataset_id,
            *(getattr(Pair, name) for name in PAIR_FIELDS[2:]),
            first.media,
            second.media,
            Pair.mask_media,
        )
        .join(first, first.id == Pair.image1_id)
        .join(second, second.id == Pair.image2_id)
        .where(Pair.id.in_(ids))
    )
    rows = {}
    for key, dataset_id, *rest in session.execute(statement):
        said = {model.name: results.get((key, model.id)) for model in models}
        values: tuple[Any, ...] = (key, names[dataset_id], *rest, said)
        rows[key] = PairRow(*values)
    return [rows[key] for key in ids if key in rows]


def _load_results(
    session: Session, ids: Sequence[int], models: Sequence[Named]
) -> dict[tuple[int, int], ModelResult]:
    if not models:
        return {}
    statement = select(
        Result.pair_id,
        Result.model_id,
        Result.distance,
        Result.threshold,
        Result.confidence,
        Result.prediction,
        Result.correct,
        Result.explained,
    ).where(Result.pair_id.in_(ids), Result.model_id.in_([model.id for model in models]))
    return {
        (pair, model): ModelResult(
            distance,
            threshold,
            confidence,
            "genuine" if prediction else "impostor",
            correct,
            explained,
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
        ) in session.execute(statement)
    }
