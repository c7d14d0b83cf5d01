"""first tables.

Deploys run this while the previous version still serves: add first, remove in a later release.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def ordered_text(length):
    """Text compared by code point: bytes on SQLite, the collation C on PostgreSQL."""
    return sa.String(length=length).with_variant(
        sa.String(length=length, collation="C"), "postgresql"
    )


def upgrade() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", ordered_text(64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=1000), nullable=False),
        sa.Column("source", sa.String(length=1000), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("pair_count", sa.Integer(), nullable=False),
        sa.Column("skipped_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint("name", name=op.f("uq_dataset_name")),
    )
    op.create_table(
        "face_model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", ordered_text(64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=1000), nullable=False),
        sa.Column("source", sa.String(length=1000), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("preprocessing", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_face_model")),
        sa.UniqueConstraint("name", name=op.f("uq_face_model_name")),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("pair_count", sa.Integer(), nullable=False),
        sa.Column("skipped_count", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("accuracy_std", sa.Double(), nullable=False),
        sa.Column("threshold_mean", sa.Double(), nullable=False),
        sa.Column("eer", sa.Double(), nullable=False),
        sa.Column("auc", sa.Double(), nullable=False),
        sa.Column("confidence_right", sa.Double(), nullable=True),
        sa.Column("confidence_wrong", sa.Double(), nullable=True),
        sa.Column("dataset_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column("code_version", sa.String(length=64), nullable=False),
        sa.Column("engine", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_evaluation_dataset_id_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["face_model.id"],
            name=op.f("fk_evaluation_model_id_face_model"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "dataset_id", "model_id", name=op.f("uq_evaluation_dataset_id_model_id")
        ),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", ordered_text(255), nullable=False),
        sa.Column("identity", ordered_text(200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media", sa.String(length=200), nullable=False),
        sa.Column("quality", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_image_dataset_id_dataset"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_image_dataset_id_name")),
    )
    with op.batch_alter_table("image", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_image_identity"), ["identity"], unique=False)

    op.create_table(
        "explanation_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("wanted_count", sa.Integer(), nullable=False),
        sa.Column("code_version", sa.String(length=64), nullable=False),
        sa.Column("engine", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_explanation_set_evaluation_id_evaluation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_explanation_set")),
        sa.UniqueConstraint(
            "evaluation_id", "name", name=op.f("uq_explanation_set_evaluation_id_name")
        ),
    )
    op.create_table(
        "fold_score",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("L", sa.Double(), nullable=False),
        sa.Column("d0", sa.Double(), nullable=False),
        sa.Column("k", sa.Double(), nullable=False),
        sa.Column("b", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_fold_score_evaluation_id_evaluation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("evaluation_id", "fold", name=op.f("pk_fold_score")),
    )
    op.create_table(
        "pair",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("image1_id", sa.Integer(), nullable=False),
        sa.Column("image2_id", sa.Integer(), nullable=False),
        sa.Column("genuine", sa.Boolean(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("identity1", ordered_text(200), nullable=False),
        sa.Column("identity2", ordered_text(200), nullable=False),
        sa.Column("image1", ordered_text(255), nullable=False),
        sa.Column("image2", ordered_text(255), nullable=False),
        sa.Column("quality1", sa.Double(), nullable=True),
        sa.Column("quality2", sa.Double(), nullable=True),
        sa.Column("quality_min", sa.Double(), nullable=True),
        sa.Column("mask_media", sa.String(length=200), nullable=True),
        sa.CheckConstraint("fold >= 0", name=op.f("ck_pair_fold_not_negative")),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_pair_dataset_id_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["image1_id"], ["image.id"], name=op.f("fk_pair_image1_id_image")),
        sa.ForeignKeyConstraint(["image2_id"], ["image.id"], name=op.f("fk_pair_image2_id_image")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair")),
    )
    with op.batch_alter_table("pair", schema=None) as batch_op:
        batch_op.create_index("ix_pair_dataset_fold", ["dataset_id", "fold", "id"], unique=False)
        batch_op.create_index(
            "ix_pair_dataset_genuine", ["dataset_id", "genuine", "id"], unique=False
        )
        batch_op.create_index("ix_pair_identity1", ["identity1", "id"], unique=False)
        batch_op.create_index("ix_pair_identity2", ["identity2", "id"], unique=False)
        batch_op.create_index("ix_pair_image1", ["image1", "id"], unique=False)
        batch_op.create_index("ix_pair_image2", ["image2", "id"], unique=False)
        batch_op.create_index("ix_pair_quality_min", ["quality_min", "id"], unique=False)

    op.create_table(
        "explanation",
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("deviations", sa.LargeBinary(), nullable=False),
        sa.Column("scales", sa.JSON(), nullable=False),
        sa.Column("xmaps", sa.JSON(), nullable=False),
        sa.CheckConstraint("status IN ('ok', 'flat')", name=op.f("ck_explanation_status_known")),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name=op.f("fk_explanation_pair_id_pair"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["set_id"],
            ["explanation_set.id"],
            name=op.f("fk_explanation_set_id_explanation_set"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("set_id", "pair_id", name=op.f("pk_explanation")),
    )
    with op.batch_alter_table("explanation", schema=None) as batch_op:
        batch_op.create_index("ix_explanation_pair", ["pair_id"], unique=False)

    op.create_table(
        "result",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("distance", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("prediction", sa.Boolean(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("explained", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "confidence >= 0.5 AND confidence <= 1", name=op.f("ck_result_confidence_range")
        ),
        sa.CheckConstraint(
            "distance >= 0 AND distance <= 2", name=op.f("ck_result_distance_range")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_result_dataset_id_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["face_model.id"],
            name=op.f("fk_result_model_id_face_model"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name=op.f("fk_result_pair_id_pair"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", "model_id", name=op.f("pk_result")),
    )
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.create_index(
            "ix_result_confidence",
            ["model_id", "dataset_id", "confidence", "pair_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_result_correct",
            ["model_id", "dataset_id", "correct", "confidence", "pair_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_result_distance", ["model_id", "dataset_id", "distance", "pair_id"], unique=False
        )
        batch_op.create_index(
            "ix_result_explained", ["model_id", "dataset_id", "explained", "pair_id"], unique=False
        )
        batch_op.create_index(
            "ix_result_model_confidence", ["model_id", "confidence", "pair_id"], unique=False
        )
        batch_op.create_index(
            "ix_result_model_distance", ["model_id", "distance", "pair_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.drop_index("ix_result_model_distance")
        batch_op.drop_index("ix_result_model_confidence")
        batch_op.drop_index("ix_result_explained")
        batch_op.drop_index("ix_result_distance")
        batch_op.drop_index("ix_result_correct")
        batch_op.drop_index("ix_result_confidence")

    op.drop_table("result")
    with op.batch_alter_table("explanation", schema=None) as batch_op:
        batch_op.drop_index("ix_explanation_pair")

    op.drop_table("explanation")
    with op.batch_alter_table("pair", schema=None) as batch_op:
        batch_op.drop_index("ix_pair_quality_min")
        batch_op.drop_index("ix_pair_image2")
        batch_op.drop_index("ix_pair_image1")
        batch_op.drop_index("ix_pair_identity2")
        batch_op.drop_index("ix_pair_identity1")
        batch_op.drop_index("ix_pair_dataset_genuine")
        batch_op.drop_index("ix_pair_dataset_fold")

    op.drop_table("pair")
    op.drop_table("fold_score")
    op.drop_table("explanation_set")
    with op.batch_alter_table("image", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_image_identity"))

    op.drop_table("image")
    op.drop_table("evaluation")
    op.drop_table("face_model")
    op.drop_table("dataset")
