"""Counts of explained pairs and the mean confidence, so that pages need not scan all results.

Deploys run this while the previous version still serves: the columns are nullable or have a
default, so that it can still write. What it writes meanwhile is counted when the pipeline next
opens the set.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("confidence_mean", sa.Double(), nullable=True))
        batch_op.add_column(
            sa.Column("explained_count", sa.Integer(), server_default="0", nullable=False)
        )
    with op.batch_alter_table("explanation_set", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("explained_count", sa.Integer(), server_default="0", nullable=False)
        )
    op.execute(
        "UPDATE evaluation SET "
        "confidence_mean = (SELECT avg(confidence) FROM result "
        "WHERE result.dataset_id = evaluation.dataset_id "
        "AND result.model_id = evaluation.model_id), "
        "explained_count = (SELECT count(*) FROM result "
        "WHERE result.dataset_id = evaluation.dataset_id "
        "AND result.model_id = evaluation.model_id AND result.explained)"
    )
    op.execute(
        "UPDATE explanation_set SET explained_count = (SELECT count(*) FROM explanation "
        "WHERE explanation.set_id = explanation_set.id)"
    )


def downgrade() -> None:
    with op.batch_alter_table("explanation_set", schema=None) as batch_op:
        batch_op.drop_column("explained_count")
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.drop_column("explained_count")
        batch_op.drop_column("confidence_mean")
