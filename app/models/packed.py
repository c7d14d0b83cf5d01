"""Columns of pairs and results once more, each packed into one value: what the explorer searches.

To filter and sort a hundred thousand pairs by any columns, the explorer needs a few whole columns
and nothing else. Read row by row that takes seconds, as packed arrays milliseconds. The rows stay
the truth: a packed column is a copy, and where there is none the rows are read instead
(app/explorer/packing.py tells the formats).
"""

from __future__ import annotations

import hashlib

from sqlalchemy import ForeignKey, ForeignKeyConstraint, LargeBinary, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base


def sha256_of_data(context: DefaultExecutionContext) -> str:
    """Return the hash of the bytes that are being written: no writer can forget it."""
    given: dict[str, bytes] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return hashlib.sha256(given["data"]).hexdigest()


class PairColumn(Base):
    """One column of all pairs of a dataset, in the order of their ids."""

    __tablename__ = "pair_column"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str | None] = mapped_column(
        String(64), default=sha256_of_data, onupdate=sha256_of_data
    )


class ResultColumn(Base):
    """One column of an evaluation's results, one value for each pair of the dataset."""

    __tablename__ = "result_column"
    __table_args__ = (
        # Its name by the convention would be too long for PostgreSQL.
        ForeignKeyConstraint(
            ["dataset_id", "model_id"],
            ["evaluation.dataset_id", "evaluation.model_id"],
            name="fk_result_column_evaluation",
            ondelete="CASCADE",
        ),
    )

    dataset_id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str | None] = mapped_column(
        String(64), default=sha256_of_data, onupdate=sha256_of_data
    )
