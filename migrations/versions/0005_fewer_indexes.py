"""Drop the indexes that packed columns replaced; keep SQLite's results in the order of their key.

Deploys run this while the previous version still serves: it needs none of what goes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_PAIRS = {
    "ix_pair_dataset_genuine": ["dataset_id", "genuine", "id"],
    "ix_pair_dataset_fold": ["dataset_id", "fold", "id"],
    "ix_pair_identity1": ["identity1", "id"],
    "ix_pair_identity2": ["identity2", "id"],
    "ix_pair_image1": ["image1", "id"],
    "ix_pair_image2": ["image2", "id"],
    "ix_pair_quality_min": ["quality_min", "id"],
}
OF_RESULTS = {
    "ix_result_distance": ["model_id", "dataset_id", "distance", "pair_id"],
    "ix_result_model_distance": ["model_id", "distance", "pair_id"],
    "ix_result_model_confidence": ["model_id", "confidence", "pair_id"],
    "ix_result_explained": ["model_id", "dataset_id", "explained", "pair_id"],
}
KEPT = {
    "ix_result_confidence": ["model_id", "dataset_id", "confidence", "pair_id"],
    "ix_result_correct": ["model_id", "dataset_id", "correct", "confidence", "pair_id"],
}


def upgrade() -> None:
    for name in OF_PAIRS:
        op.drop_index(name, table_name="pair")
    op.create_index("ix_pair_dataset", "pair", ["dataset_id", "id"])
    for name in OF_RESULTS:
        op.drop_index(name, table_name="result")
    copy_results(with_rowid=False)


def downgrade() -> None:
    copy_results(with_rowid=True)
    for name, columns in OF_RESULTS.items():
        op.create_index(name, "result", columns)
    op.drop_index("ix_pair_dataset", table_name="pair")
    for name, columns in OF_PAIRS.items():
        op.create_index(name, "pair", columns)


def copy_results(*, with_rowid: bool) -> None:
    """Copy the results into a table stored in the order of its key, or back. Only SQLite can."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name in KEPT:
        op.drop_index(name, table_name="result")
    op.rename_table("result", "result_before")
    create_results(with_rowid=with_rowid)
    op.execute("INSERT INTO result SELECT * FROM result_before ORDER BY pair_id, model_id")
    op.drop_table("result_before")
    for name, columns in KEPT.items():
        op.create_index(name, "result", columns)


def create_results(*, with_rowid: bool) -> None:
    key = {"primary_key": True, "autoincrement": False}
    op.create_table(
        "result",
        sa.Column("pair_id", sa.Integer(), sa.ForeignKey("pair.id", ondelete="CASCADE"), **key),
        sa.Column(
            "model_id", sa.Integer(), sa.ForeignKey("face_model.id", ondelete="CASCADE"), **key
        ),
        sa.Column(
            "dataset_id",
            sa.Integer(),
            sa.ForeignKey("dataset.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("distance", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("prediction", sa.Boolean(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("explained", sa.Boolean(), nullable=False),
        sa.CheckConstraint("distance >= 0 AND distance <= 2", name="distance_range"),
        sa.CheckConstraint("confidence >= 0.5 AND confidence <= 1", name="confidence_range"),
        sqlite_with_rowid=with_rowid,
    )
