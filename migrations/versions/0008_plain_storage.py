"""Store packed columns as they are on PostgreSQL, which else compresses what every page reads."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    store("EXTERNAL")


def downgrade() -> None:
    store("EXTENDED")


def store(how: str) -> None:
    """Say how values are stored that are written from now on; those that are there stay."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("pair_column", "result_column"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE {how}")
