"""reviews: what visitors answered at /triage."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column(
            "reviewer",
            # Compared by code point on both databases.
            sa.String(length=40).with_variant(sa.String(length=40, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(length=9), nullable=False),
        sa.Column("certainty", sa.Integer(), nullable=False),
        sa.Column("machine_shown", sa.Boolean(), nullable=False),
        sa.Column("prediction", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "answer IN ('same', 'different', 'unsure')", name=op.f("ck_review_answer_known")
        ),
        sa.CheckConstraint(
            "certainty >= 50 AND certainty <= 100", name=op.f("ck_review_certainty_range")
        ),
        sa.CheckConstraint(
            "answer <> 'unsure' OR certainty = 50", name=op.f("ck_review_unsure_is_half")
        ),
        sa.CheckConstraint(
            "confidence >= 0.5 AND confidence <= 1", name=op.f("ck_review_confidence_range")
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_review_revision_counts")),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_review_seconds_not_negative")),
        sa.CheckConstraint("length(reviewer) >= 1", name=op.f("ck_review_reviewer_named")),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name=op.f("fk_review_pair_id_pair"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["face_model.id"],
            name=op.f("fk_review_model_id_face_model"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint(
            "pair_id",
            "model_id",
            "reviewer",
            "revision",
            name=op.f("uq_review_pair_id_model_id_reviewer_revision"),
        ),
    )
    op.create_index("ix_review_reviewer", "review", ["model_id", "reviewer", "id"])
    op.create_index("ix_review_created", "review", ["created"])


def downgrade() -> None:
    op.drop_table("review")
