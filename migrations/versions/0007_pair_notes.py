"""What is known of a pair's label, as a note on it; the label itself stays as published.

The column is nullable: the previous version, which still serves while this runs, writes none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


# Without a batch, which on SQLite would build the table anew: dropping the old one would take the
# results with it.


def upgrade() -> None:
    op.add_column("pair", sa.Column("note", sa.String(1000), nullable=True))


def downgrade() -> None:
    op.drop_column("pair", "note")
