"""Explanation sets and the explained pairs in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base
from app.models.evaluation import Evaluation


class ExplanationSet(Base):
    """One ``OcclusionSpec`` for one evaluation."""

    __tablename__ = "explanation_set"
    __table_args__ = (UniqueConstraint("evaluation_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    """``default``, or the name that the spec was given."""
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    """All fields of the ``OcclusionSpec``."""
    wanted_count: Mapped[int]
    """Pairs that the latest run was asked to explain, those done before included."""
    explained_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Pairs that it holds: derived from their rows, a few behind during a run."""

    code_version: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(200))
    batch: Mapped[int]
    threads: Mapped[int]
    host: Mapped[str] = mapped_column(String(200))
    started: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    evaluation: Mapped[Evaluation] = relationship()


class Explanation(Base):
    """The deviations of one pair, from which every map is a pure function."""

    __tablename__ = "explanation"
    __table_args__ = (
        CheckConstraint("status IN ('ok', 'flat')", name="status_known"),
        Index("ix_explanation_pair", "pair_id"),
    )

    set_id: Mapped[int] = mapped_column(
        ForeignKey("explanation_set.id", ondelete="CASCADE"), primary_key=True
    )
    pair_id: Mapped[int] = mapped_column(
        ForeignKey("pair.id", ondelete="CASCADE"), primary_key=True
    )
    status: Mapped[str] = mapped_column(String(16))
    """``flat`` where every deviation of the pair is below 1e-6."""
    deviations: Mapped[bytes] = mapped_column(LargeBinary)
    """zlib of float32, little-endian: I side 1, I side 2, II side 1, II side 2, III.

    NaN for methods that the model does not allow.
    """
    scales: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``{normalise: {"I1": scale, "I2": ..., "II1": ..., "II2": ..., "III": ...}}``."""
    xmaps: Mapped[dict[str, str]] = mapped_column(JSON)
    """Keys of the X-Map PNGs in the media store: I1, I2, II1, II2, III1, III2."""

    explanation_set: Mapped[ExplanationSet] = relationship()

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the model allows: II alone where it gives distances only."""
        return tuple(method for method in ("I", "II", "III") if f"{method}1" in self.xmaps)
