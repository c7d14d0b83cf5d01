"""Hash the packed columns that are there.

Apart from 0009, whose lock would else keep every list waiting until the last of them is hashed.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = {
    "pair_column": ("dataset_id", "name"),
    "result_column": ("dataset_id", "model_id", "name"),
}


def upgrade() -> None:
    bind = op.get_bind()
    for name, keys in TABLES.items():
        table = sa.table(name, *(sa.column(column) for column in (*keys, "data", "sha256")))
        # A run of the previous version that goes on writes this one anew, and no hash with it: what
        # a process holds under the old one would be shown. It gets its hash from this version.
        stays = table.c.name != "explained"
        chosen = [table.c[key] == sa.bindparam(f"its_{key}") for key in keys]
        # One at a time: all together may be more than fits into memory.
        for row in bind.execute(sa.select(*(table.c[key] for key in keys)).where(stays)).all():
            its = {f"its_{key}": value for key, value in zip(keys, row, strict=True)}
            data = bind.execute(sa.select(table.c.data).where(*chosen), its).scalar_one()
            digest = hashlib.sha256(data).hexdigest()
            bind.execute(sa.update(table).where(*chosen).values(sha256=digest), its)


def downgrade() -> None:
    """Nothing: the hashes go with their columns."""
