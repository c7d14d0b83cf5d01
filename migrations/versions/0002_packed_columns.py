"""packed columns: what the explorer filters and sorts.

They start empty, and the explorer reads the rows until the next run of `flask compute` on a
dataset fills them: nothing is wrong meanwhile, only slower where there are many pairs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pair_column",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_pair_column_dataset_id_dataset"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_id", "name", name=op.f("pk_pair_column")),
    )
    op.create_table(
        "result_column",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id", "model_id"],
            ["evaluation.dataset_id", "evaluation.model_id"],
            name="fk_result_column_evaluation",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_id", "model_id", "name", name=op.f("pk_result_column")),
    )


def downgrade() -> None:
    op.drop_table("result_column")
    op.drop_table("pair_column")
