"""Datasets, their aligned images and their labelled pairs."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base
from app.models.text import ordered_text


class Dataset(Base):
    """A verification dataset: images, labelled pairs, folds."""

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(ordered_text(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(1000))
    source: Mapped[str] = mapped_column(String(1000))
    sha256: Mapped[str] = mapped_column(String(64))
    image_count: Mapped[int]
    pair_count: Mapped[int]
    skipped_count: Mapped[int]


class Image(Base):
    """An aligned face, 112 x 112 RGB, published as a PNG named by its content."""

    __tablename__ = "image"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(ordered_text(255))
    identity: Mapped[str] = mapped_column(ordered_text(200), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the aligned pixels (row-major RGB bytes)."""
    media: Mapped[str] = mapped_column(String(200))
    """Key of the PNG in the media store."""
    quality: Mapped[float | None]


class Pair(Base):
    """Two images and whether they show the same identity.

    Names, identities and qualities stand here too (they never change), so that the explorer
    filters and sorts without a join.
    """

    __tablename__ = "pair"
    __table_args__ = (
        CheckConstraint("fold >= 0", name="fold_not_negative"),
        # Filters and sorting read the packed columns (app/models/packed.py), not these.
        Index("ix_pair_dataset", "dataset_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The stable pair id of the platform (docs/architecture.md)."""
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    image1_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    image2_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    genuine: Mapped[bool]
    fold: Mapped[int]
    identity1: Mapped[str] = mapped_column(ordered_text(200))
    identity2: Mapped[str] = mapped_column(ordered_text(200))
    image1: Mapped[str] = mapped_column(ordered_text(255))
    image2: Mapped[str] = mapped_column(ordered_text(255))
    quality1: Mapped[float | None]
    quality2: Mapped[float | None]
    quality_min: Mapped[float | None]
    mask_media: Mapped[str | None] = mapped_column(String(200))
    """Key of the PNG that marks what really differs, where a dataset knows it (demo)."""
    note: Mapped[str | None] = mapped_column(String(1000))
    """What is known to be wrong with its label or its images; the label stays as published."""

    dataset: Mapped[Dataset] = relationship()
    image1_row: Mapped[Image] = relationship(foreign_keys=[image1_id])
    image2_row: Mapped[Image] = relationship(foreign_keys=[image2_id])
