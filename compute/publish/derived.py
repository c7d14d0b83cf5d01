"""What is kept beside the rows so that pages need not count or scan them: derived, never the truth.

Packed columns (app/explorer/packing.py) and the counts of explained pairs. Both are made from the
rows themselves each time, so that whatever a killed run left behind is right again after the next.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import func, insert, select, update

from app.explorer.packing import KINDS, pack, pack_pairs, pack_results, result_arrays
from app.extensions import db
from app.models import (
    Evaluation,
    Explanation,
    ExplanationSet,
    Pair,
    PairColumn,
    Result,
    ResultColumn,
)

EXPLAINED = "explained"


def write_pair_columns(dataset_id: int) -> None:
    """Pack the pairs of a dataset, which has no packed columns yet."""
    columns = pack_pairs(db.session(), dataset_id)
    db.session.execute(
        insert(PairColumn),
        [{"dataset_id": dataset_id, "name": name, "data": data} for name, data in columns.items()],
    )


def write_result_columns(dataset_id: int, model_id: int) -> None:
    """Pack the results of an evaluation, which has no packed columns yet."""
    columns = pack_results(db.session(), dataset_id, model_id)
    key = {"dataset_id": dataset_id, "model_id": model_id}
    db.session.execute(
        insert(ResultColumn),
        [{**key, "name": name, "data": data} for name, data in columns.items()],
    )


def refresh_explained(dataset_id: int, model_id: int) -> None:
    """Bring counts and packed column of an evaluation in line with its explained pairs."""
    keys = {"dataset_id": dataset_id, "model_id": model_id}
    column = {**keys, "name": EXPLAINED}
    # Locked until the commit: two sets of one evaluation may be filled at a time.
    packed = db.session.scalars(
        select(ResultColumn.name).filter_by(**column).with_for_update()
    ).one_or_none()
    rows = db.session.execute(select(Result.pair_id, Result.explained).filter_by(**keys)).all()
    if packed is not None:
        pairs = select(Pair.id).filter_by(dataset_id=dataset_id).order_by(Pair.id)
        ids = np.array(db.session.scalars(pairs).all(), np.float64)
        flags = {EXPLAINED: [explained for _, explained in rows]}
        arrays = result_arrays(ids, [pair_id for pair_id, _ in rows], flags)
        data = pack(KINDS[EXPLAINED], arrays[EXPLAINED])
        db.session.execute(update(ResultColumn).filter_by(**column).values(data=data))
    evaluation = update(Evaluation).filter_by(**keys)
    count = sum(explained for _, explained in rows)
    db.session.execute(evaluation.values(explained_count=count))
    done = (
        select(func.count())
        .where(Explanation.set_id == ExplanationSet.id)
        .correlate(ExplanationSet)
        .scalar_subquery()
    )
    of_evaluation = select(Evaluation.id).filter_by(**keys).scalar_subquery()
    db.session.execute(
        update(ExplanationSet)
        .where(ExplanationSet.evaluation_id == of_evaluation)
        .values(explained_count=done)
        .execution_options(synchronize_session=False)
    )
