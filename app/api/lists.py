"""The lists of datasets and models."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.api.contract import URL, columns_of, record, words
from app.models import Dataset, FaceModel

DATASET: Final = (
    "name",
    "title",
    "licence",
    "source",
    "sha256",
    "image_count",
    "pair_count",
    "skipped_count",
)
MODEL: Final = ("name", "title", "licence", "source", "sha256", "dimension", "preprocessing")
DATASET_ROW: Final = record(
    {**columns_of(Dataset, DATASET), "pairs": words(URL, "All its pairs")}, title="Dataset"
)
MODEL_ROW: Final = record(
    columns_of(
        FaceModel,
        MODEL,
        {
            "dimension": "Length of an embedding; 0 where the model gives distances only",
            "preprocessing": "How the model is fed: colour order, mean, std and layout; or its URL",
        },
    ),
    title="Model",
)


def list_datasets(session: Session) -> list[dict[str, Any]]:
    """Return all datasets by name."""
    found = session.scalars(select(Dataset).order_by(Dataset.name))
    return [{field: getattr(row, field) for field in DATASET} for row in found]


def list_models(session: Session) -> list[dict[str, Any]]:
    """Return all models by name."""
    found = session.scalars(select(FaceModel).order_by(FaceModel.name))
    return [{field: getattr(row, field) for field in MODEL} for row in found]
