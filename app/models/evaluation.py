"""Face verification models and what each made of each dataset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base
from app.models.dataset import Dataset, Pair
from app.models.text import ordered_text


class FaceModel(Base):
    """A face verification model, pinned by the hash of its file."""

    __tablename__ = "face_model"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(ordered_text(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(1000))
    source: Mapped[str] = mapped_column(String(1000))
    sha256: Mapped[str] = mapped_column(String(64))
    dimension: Mapped[int]
    """Length of an embedding; 0 where the model gives distances only."""
    preprocessing: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Colour order, mean, std and layout, or URL and answers, as in the registry."""


class Evaluation(Base):
    """One model on one dataset: metrics and provenance; folds and results hang off it."""

    __tablename__ = "evaluation"
    __table_args__ = (UniqueConstraint("dataset_id", "model_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("face_model.id", ondelete="CASCADE"))

    pair_count: Mapped[int]
    skipped_count: Mapped[int]
    """Pairs without a usable embedding; the pipeline lists them."""
    accuracy: Mapped[float]
    """Mean over folds of the share of right predictions."""
    accuracy_std: Mapped[float]
    """Population standard deviation over folds."""
    threshold_mean: Mapped[float]
    eer: Mapped[float]
    auc: Mapped[float]
    confidence_mean: Mapped[float | None]
    """Mean confidence of all pairs (None where there are none)."""
    confidence_right: Mapped[float | None]
    """Mean confidence of right predictions (None where there are none)."""
    confidence_wrong: Mapped[float | None]
    tar_at_far_1e2: Mapped[float | None]
    """True accept rate at a false accept rate of 1e-2; None with fewer than 100 impostor pairs."""
    tar_at_far_1e3: Mapped[float | None]
    """The same at 1e-3; None with fewer than 1,000 impostor pairs."""
    ece: Mapped[float | None]
    """Expected calibration error of the confidence, ten bins on [0.5, 1]."""

    explained_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Pairs that any explanation set holds: derived from the results, a few behind during a run."""

    dataset_sha256: Mapped[str] = mapped_column(String(64))
    model_sha256: Mapped[str] = mapped_column(String(64))
    code_version: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(200))
    batch: Mapped[int]
    threads: Mapped[int]
    host: Mapped[str] = mapped_column(String(200))
    finished: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    dataset: Mapped[Dataset] = relationship()
    model: Mapped[FaceModel] = relationship()
    folds: Mapped[list[FoldScore]] = relationship(
        back_populates="evaluation", order_by="FoldScore.fold", cascade="all, delete-orphan"
    )


class FoldScore(Base):
    """Threshold and C-Score of one fold, fitted on the other folds (eq. 2 and 3)."""

    __tablename__ = "fold_score"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluation.id", ondelete="CASCADE"), primary_key=True
    )
    fold: Mapped[int] = mapped_column(primary_key=True)
    threshold: Mapped[float]
    L: Mapped[float]
    d0: Mapped[float]
    k: Mapped[float]
    b: Mapped[float]
    status: Mapped[str] = mapped_column(String(32))
    """``ok``, or why the documented fallback was used."""
    accuracy: Mapped[float]
    """Share of right predictions on the fold itself."""

    evaluation: Mapped[Evaluation] = relationship(back_populates="folds")


class Result(Base):
    """What one model said of one pair."""

    __tablename__ = "result"
    __table_args__ = (
        CheckConstraint("distance >= 0 AND distance <= 2", name="distance_range"),
        CheckConstraint("confidence >= 0.5 AND confidence <= 1", name="confidence_range"),
        # Filters and sorting read the packed columns (app/models/packed.py); these serve triage's
        # queue and the counts of mistakes. Equal columns first, then the sort column, then the id.
        Index("ix_result_confidence", "model_id", "dataset_id", "confidence", "pair_id"),
        Index("ix_result_correct", "model_id", "dataset_id", "correct", "confidence", "pair_id"),
        # A page looks up thousands of rows by their key: SQLite finds them in one step so.
        {"sqlite_with_rowid": False},
    )

    pair_id: Mapped[int] = mapped_column(
        ForeignKey("pair.id", ondelete="CASCADE"), primary_key=True
    )
    model_id: Mapped[int] = mapped_column(
        ForeignKey("face_model.id", ondelete="CASCADE"), primary_key=True
    )
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    distance: Mapped[float]
    threshold: Mapped[float]
    confidence: Mapped[float]
    prediction: Mapped[bool]
    """True where the model predicts genuine (distance <= threshold)."""
    correct: Mapped[bool]
    explained: Mapped[bool] = mapped_column(default=False)
    """True once any explanation set of the evaluation holds the pair."""

    pair: Mapped[Pair] = relationship()
    model: Mapped[FaceModel] = relationship()
