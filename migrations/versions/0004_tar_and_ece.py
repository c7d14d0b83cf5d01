"""TAR at FAR 1e-2 and 1e-3, and ECE, of every evaluation; computed here for those that are there.

Deploys run this while the previous version still serves: add first, remove in a later release. The
columns are nullable, so that the previous version can still write evaluations.
"""

from itertools import chain

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

METRICS = ("tar_at_far_1e2", "tar_at_far_1e3", "ece")


def upgrade() -> None:
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        for name in METRICS:
            batch_op.add_column(sa.Column(name, sa.Double(), nullable=True))
    fill(op.get_bind())


def downgrade() -> None:
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        for name in reversed(METRICS):
            batch_op.drop_column(name)


# The definitions of compute/verification.py as of this migration: it must not change with them.


def fill(connection: sa.Connection) -> None:
    """Compute the metrics from the results, an evaluation at a time."""
    evaluations = connection.execute(sa.text("SELECT id, dataset_id, model_id FROM evaluation"))
    for key, dataset, model in evaluations.all():
        rows = connection.execute(
            sa.text(
                "SELECT distance, confidence, prediction, correct FROM result "
                "WHERE dataset_id = :dataset AND model_id = :model"
            ),
            {"dataset": dataset, "model": model},
        ).all()
        if rows:
            values = np.fromiter(chain.from_iterable(rows), np.float64, 4 * len(rows))
            connection.execute(
                sa.text(
                    "UPDATE evaluation SET tar_at_far_1e2 = :tar2, tar_at_far_1e3 = :tar3, "
                    "ece = :ece WHERE id = :key"
                ),
                {"key": key, **metrics(values.reshape(-1, 4))},
            )


def metrics(rows: np.ndarray) -> dict[str, float | None]:
    distance, confidence = rows[:, 0], rows[:, 1]
    correct = rows[:, 3] == 1
    genuine = (rows[:, 2] == 1) == correct  # a right prediction is the label
    return {
        "tar2": true_accept_rate(distance, genuine, 1e-2),
        "tar3": true_accept_rate(distance, genuine, 1e-3),
        "ece": calibration_error(confidence, correct),
    }


def true_accept_rate(distance: np.ndarray, genuine: np.ndarray, far: float) -> float | None:
    near, impostor = np.sort(distance[genuine]), np.sort(distance[~genuine])
    if not near.size or impostor.size * far < 1 - 1e-9:
        return None
    candidates = np.unique(distance)
    allowed = candidates[np.searchsorted(impostor, candidates, side="right") / impostor.size <= far]
    if not allowed.size:
        return 0.0
    return float(np.searchsorted(near, allowed[-1], side="right") / near.size)


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    edges = np.linspace(0.5, 1.0, 11)
    places = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, 9)
    return float(np.abs(np.bincount(places, correct - confidence, 10)).sum() / len(confidence))
