"""The hash of each packed column, by which a process knows that it holds it already.

Deploys run this while the previous version still serves: the columns are nullable, so that it can
still write. A packed column without a hash is read each time.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = {
    "pair_column": ("dataset_id", "name"),
    "result_column": ("dataset_id", "model_id", "name"),
}


def upgrade() -> None:
    for name, keys in TABLES.items():
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(sa.Column("sha256", sa.String(length=64), nullable=True))
        table = sa.table(name, *(sa.column(column) for column in (*keys, "data", "sha256")))
        chosen = [table.c[key] == sa.bindparam(f"its_{key}") for key in keys]
        bind = op.get_bind()
        # One at a time: all together may be more than fits into memory.
        for row in bind.execute(sa.select(*(table.c[key] for key in keys))).all():
            its = {f"its_{key}": value for key, value in zip(keys, row, strict=True)}
            data = bind.execute(sa.select(table.c.data).where(*chosen), its).scalar_one()
            digest = hashlib.sha256(data).hexdigest()
            bind.execute(sa.update(table).where(*chosen).values(sha256=digest), its)


def downgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.drop_column("sha256")
