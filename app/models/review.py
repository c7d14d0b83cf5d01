"""What reviewers answered: the only rows that the site itself writes (`app/triage/reviews.py`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.text import ordered_text


class Review(Base):
    """One answer of a reviewer on a pair, and what the model said of the pair at that time.

    An answer that is changed is a further row: the one of the highest revision counts.
    """

    __tablename__ = "review"
    __table_args__ = (
        UniqueConstraint("pair_id", "model_id", "reviewer", "revision"),
        CheckConstraint("answer IN ('same', 'different', 'unsure')", name="answer_known"),
        CheckConstraint("certainty >= 50 AND certainty <= 100", name="certainty_range"),
        CheckConstraint("answer <> 'unsure' OR certainty = 50", name="unsure_is_half"),
        CheckConstraint("confidence >= 0.5 AND confidence <= 1", name="confidence_range"),
        CheckConstraint("revision >= 1", name="revision_counts"),
        CheckConstraint("seconds >= 0", name="seconds_not_negative"),
        CheckConstraint("length(reviewer) >= 1", name="reviewer_named"),
        Index("ix_review_reviewer", "model_id", "reviewer", "id"),
        Index("ix_review_created", "created"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("face_model.id", ondelete="CASCADE"))
    reviewer: Mapped[str] = mapped_column(ordered_text(40))
    """A name of the reviewer's own choice; nothing proves it."""
    revision: Mapped[int]
    """1 for the first answer of the reviewer on this pair and model, 2 for the next, ..."""
    answer: Mapped[str] = mapped_column(String(9))
    """``same``, ``different`` or ``unsure``."""
    certainty: Mapped[int]
    """In percent, 50 (a coin toss; always so for ``unsure``) to 100."""
    machine_shown: Mapped[bool]
    """Whether the page had shown the model's decision when this answer was given."""
    prediction: Mapped[bool]
    """What the model predicted at that time: true for genuine."""
    confidence: Mapped[float]
    """The C-Score of the pair at that time."""
    seconds: Mapped[float | None]
    """From the page's being sent to the answer's coming in; none where that is over a day."""
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    """In UTC."""
